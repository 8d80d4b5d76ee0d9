//! Clients that never read cost their own queues and nobody else anything.

mod support;

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use sse_conformance::{Call, StreamClient};
use sse_core::{ClientId, Event, Hub, Overflow, Target};
use support::{PATIENCE, Running, pace, runtime};
use tokio::task::JoinSet;

const CLIENTS: usize = 1000;
const ROUNDS: usize = 5;
const EVENTS: u32 = 100;
const PACE: Duration = Duration::from_millis(10);

#[test]
fn one_that_never_reads_among_a_thousand() {
    the_others_notice_nothing_of(1);
}

#[test]
fn a_hundred_that_never_read_among_a_thousand() {
    the_others_notice_nothing_of(100);
}

fn the_others_notice_nothing_of(stalled: usize) {
    // They would take each other's time.
    static ONE: Mutex<()> = Mutex::new(());
    let _alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    // What the kernel's buffers take of a stalled client must not end the test, nor its full queue.
    let hub = Hub::builder()
        .heartbeat(None)
        .overflow(Overflow::DropOldest);
    let server = Running::start(hub.build().unwrap());
    let clients = runtime();
    clients.block_on(async {
        let base = Instant::now();
        let mut readers = Vec::with_capacity(CLIENTS);
        for n in stalled..CLIENTS {
            readers.push(server.connect(&format!("c{n}"), |call| call).await);
        }
        // A first round warms everything up.
        measure(&server, &mut readers, base).await;
        // The machine has other work too: only what shows three times is the library's doing.
        let mut tries = Vec::new();
        while tries.len() < 3 {
            let (without, with) = compare(&server, &mut readers, base, stalled).await;
            if with <= without.mul_f64(1.5) {
                return;
            }
            tries.push((without, with));
        }
        panic!("p99 delays without and with {stalled} stalled: {tries:?}");
    });
}

/// The medians of the p99 delays of interleaved runs without and with clients that are stalled.
async fn compare(
    server: &Running,
    readers: &mut Vec<StreamClient>,
    base: Instant,
    stalled: usize,
) -> (Duration, Duration) {
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(measure(server, readers, base).await);
        let silent = stall(server, stalled).await;
        with.push(measure(server, readers, base).await);
        let queued = server.hub.info().queued;
        assert!(
            queued > 0 && queued <= 101 * stalled as u64,
            "{queued} wait: at most a queue and a gap of each"
        );
        drop(silent);
    }
    (median(without), median(with))
}

/// Opens streams that nobody reads, and fills their kernel buffers and their queues.
async fn stall(server: &Running, count: usize) -> Vec<StreamClient> {
    let mut stalled = Vec::with_capacity(count);
    for _ in 0..count {
        let set = |call: Call| call.receive_buffer(4096);
        stalled.push(server.connect("stalled", set).await);
    }
    let target = Target::client(ClientId::new("stalled").unwrap());
    let filler = "x".repeat(10_000);
    let started = Instant::now();
    let mut in_vain = 0;
    while in_vain < 50 {
        // Publishing returns though nobody reads.
        let sent = server.hub.publish(target.clone(), Event::text(&*filler));
        let delivery = sent.await.unwrap().outcome().await.unwrap();
        let all = count as u32;
        assert_eq!((delivery.matched, delivery.queued), (all, all));
        let all_are_full = delivery.dropped == all;
        in_vain = if all_are_full { in_vain + 1 } else { 0 };
        assert!(started.elapsed() < PATIENCE, "their buffers never fill");
        // Lets the server write as much as the kernel takes.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stalled
}

/// The 99th percentile of the delay of a run of broadcasts to all readers.
async fn measure(server: &Running, readers: &mut Vec<StreamClient>, base: Instant) -> Duration {
    let mut reading = JoinSet::new();
    for mut reader in readers.drain(..) {
        reading.spawn(async move {
            let mut delays = Vec::with_capacity(EVENTS as usize);
            for _ in 0..EVENTS {
                let event = reader.next_event().await;
                let sent = Duration::from_nanos(event.data.parse().unwrap());
                delays.push(base.elapsed() - sent);
            }
            (reader, delays)
        });
    }
    let hub = server.hub.clone();
    let publishing = server.runtime.spawn(async move {
        let start = Instant::now();
        for n in 0..EVENTS {
            pace(start, n, PACE).await;
            let sent = base.elapsed().as_nanos();
            hub.broadcast(Event::text(sent.to_string())).await.unwrap();
        }
    });
    let mut delays = Vec::with_capacity(CLIENTS * EVENTS as usize);
    while let Some(read) = reading.join_next().await {
        let (reader, more) = read.unwrap();
        readers.push(reader);
        delays.extend(more);
    }
    publishing.await.unwrap();
    let at = delays.len() * 99 / 100;
    *delays.select_nth_unstable(at).1
}

fn median(mut figures: Vec<Duration>) -> Duration {
    figures.sort_unstable();
    figures[figures.len() / 2]
}
