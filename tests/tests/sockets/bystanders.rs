//! Those who mean no harm, while others do: one whose stream goes on, and newcomers.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sse_conformance::{StreamClient, eventually};
use sse_core::{Event, Hub};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::dead::kernel;

/// How late an event may be, or a new stream: much more than it takes on a machine that is busy, much
/// less than if one had to wait for those who mean harm.
const LATE: Duration = Duration::from_secs(3);
const BETWEEN_EVENTS: Duration = Duration::from_millis(10);
const BETWEEN_NEWCOMERS: Duration = Duration::from_millis(5);

/// How long what is left of the hostile may take to be gone.
const SOON: Duration = Duration::from_secs(10);
/// Other tests' runtimes have a few sockets, and come and go.
const OTHERS: usize = 8;

/// What the last event says.
const END: &str = "end";

/// They go on until they are asked how they are.
#[derive(Debug)]
pub(crate) struct Bystanders {
    hub: Hub,
    addr: SocketAddr,
    sockets_before: usize,
    is_over: Arc<AtomicBool>,
    publishing: JoinHandle<()>,
    healthy: JoinHandle<(StreamClient, usize, Duration)>,
    newcomers: JoinHandle<(usize, Duration)>,
}

impl Bystanders {
    /// Opens a stream, publishes to it without an end, and has others come and go.
    pub(crate) async fn of(hub: &Hub, addr: SocketAddr) -> Self {
        let sockets_before = kernel::sockets();
        let mut healthy = StreamClient::open(addr, "/healthy").await;
        healthy.next_named("connected").await;
        let is_over = Arc::<AtomicBool>::default();
        Self {
            hub: hub.clone(),
            addr,
            sockets_before,
            publishing: tokio::spawn(publish(hub.clone(), Arc::clone(&is_over))),
            healthy: tokio::spawn(follow(healthy)),
            newcomers: tokio::spawn(come_and_go(addr, Arc::clone(&is_over))),
            is_over,
        }
    }

    /// Nobody waited for long; and of the hostile nothing is left, now that they are gone.
    pub(crate) async fn are_unharmed(self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.publishing.await.unwrap();
        let (_healthy, events, late) = self.healthy.await.unwrap();
        assert!(events > 0);
        assert!(late < LATE, "one of {events} events was {late:?} late");
        let (count, late) = self.newcomers.await.unwrap();
        assert!(count > 0);
        assert!(late < LATE, "one of {count} new streams took {late:?}");

        let hub = self.hub;
        eventually("only the healthy one is in the hub", SOON, || {
            let info = hub.info();
            (info.connections, info.clients, info.groups) == (1, 1, 1)
        })
        .await;
        let its_own = || kernel::sockets_of(self.addr).len() == 1;
        eventually("only its socket is open", SOON, its_own).await;
        let most = self.sockets_before + 2 + OTHERS;
        eventually("all others are closed", SOON, || kernel::sockets() <= most).await;
        calm().await;
        assert_eq!(hub.info().connections, 1);
    }
}

/// Sends numbers to the healthy one until it is over.
async fn publish(hub: Hub, is_over: Arc<AtomicBool>) {
    let mut number = 0;
    while !is_over.load(Ordering::Relaxed) {
        let event = Event::text(number.to_string());
        hub.send_to("healthy", event).await.unwrap();
        number += 1;
        sleep(BETWEEN_EVENTS).await;
    }
    hub.send_to("healthy", Event::text(END)).await.unwrap();
}

/// Reads up to the end: how many events, which all came, and how long the longest wait for one was.
async fn follow(mut client: StreamClient) -> (StreamClient, usize, Duration) {
    let (mut events, mut longest) = (0, Duration::ZERO);
    loop {
        let before = Instant::now();
        let data = client.next_named("message").await.data;
        longest = longest.max(before.elapsed());
        if data == END {
            return (client, events, longest);
        }
        assert_eq!(data, events.to_string());
        events += 1;
    }
}

/// Opens streams, one after the other, until it is over: how many, and how long the longest took.
async fn come_and_go(addr: SocketAddr, is_over: Arc<AtomicBool>) -> (usize, Duration) {
    let (mut count, mut longest) = (0, Duration::ZERO);
    while !is_over.load(Ordering::Relaxed) {
        let before = Instant::now();
        let mut newcomer = StreamClient::open(addr, "/newcomer").await;
        newcomer.next_named("connected").await;
        longest = longest.max(before.elapsed());
        count += 1;
        drop(newcomer);
        sleep(BETWEEN_NEWCOMERS).await;
    }
    (count, longest)
}

/// Waits until no task goes round and round: the process has next to nothing to compute.
pub(crate) async fn calm() {
    const A_WHILE: Duration = Duration::from_millis(200);
    let begun = Instant::now();
    loop {
        let before = kernel::computed();
        sleep(A_WHILE).await;
        let computed = kernel::computed() - before;
        if computed < A_WHILE / 4 {
            return;
        }
        assert!(begun.elapsed() < SOON, "{computed:?} in {A_WHILE:?}");
    }
}
