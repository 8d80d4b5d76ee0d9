//! What a connection and a delivery cost, counted: the allocator is that of the process.

use std::{
    alloc::System,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use futures_util::Stream;
use sse_core::{Clock, Event, EventBody, GroupName, Hub, Sleep, Subscribe, TokioClock};
use stats_alloc::{INSTRUMENTED_SYSTEM, Stats, StatsAlloc};
use tokio::runtime::Builder;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Runs `test` while nobody else allocates: also what is left of it is freed before the next.
fn alone(test: impl Future<Output = ()>) {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(test);
}

fn live_bytes(stats: &Stats) -> usize {
    stats.bytes_allocated - stats.bytes_deallocated
}

/// The next piece, if there is one: otherwise the body waits.
fn read(body: &mut EventBody) -> Option<Bytes> {
    let mut cx = Context::from_waker(Waker::noop());
    match pin!(body).poll_next(&mut cx) {
        Poll::Ready(Some(Ok(piece))) => Some(piece),
        Poll::Ready(None) => panic!("the stream has ended"),
        Poll::Pending => None,
    }
}

/// Streams of as many clients, in one group, of which all is read that there is.
async fn open(hub: &Hub, bodies: &mut Vec<EventBody>, count: usize) {
    for n in 0..count {
        let subscribe = Subscribe::client_id(format!("user-{n:05}")).unwrap();
        let subscribe = subscribe.group(GroupName::new("everyone").unwrap());
        let mut body = hub.subscribe(subscribe).await.unwrap().into_body();
        while read(&mut body).is_some() {}
        bodies.push(body);
    }
}

#[test]
fn an_idle_connection_has_at_most_512_bytes() {
    alone(async {
        const CONNECTIONS: usize = 10_000;
        let hub = Hub::builder().build().unwrap();
        let mut bodies = Vec::with_capacity(CONNECTIONS + 1);
        // What there is once.
        open(&hub, &mut bodies, 1).await;
        let before = live_bytes(&ALLOCATOR.stats());
        open(&hub, &mut bodies, CONNECTIONS).await;
        let all = live_bytes(&ALLOCATOR.stats()) - before;
        let each = all / CONNECTIONS + size_of::<EventBody>();
        assert!(each <= 512, "{each} bytes a connection");
    });
}

/// Publishing and reading allocate for the event, and nothing for each of those it goes to.
#[test]
fn a_delivery_to_an_empty_queue_allocates_nothing() {
    alone(async {
        const CONNECTIONS: usize = 1_000;
        const EVENTS: usize = 100;
        /// The event's text, its frame, a list of whom to wake that grows; and the history's share.
        const A_PUBLISH: usize = 40;
        let hub = Hub::builder().build().unwrap();
        let mut bodies = Vec::with_capacity(CONNECTIONS);
        open(&hub, &mut bodies, CONNECTIONS).await;
        let mut round = async || {
            hub.broadcast(Event::text("news")).await.unwrap();
            for body in &mut bodies {
                assert!(read(body).is_some());
                assert!(read(body).is_none());
            }
        };
        round().await;
        let before = ALLOCATOR.stats();
        for _ in 0..EVENTS {
            round().await;
        }
        let counted = ALLOCATOR.stats() - before;
        let each = (counted.allocations + counted.reallocations) / EVENTS;
        assert!(each <= A_PUBLISH, "{each} allocations an event");
    });
}

/// Counts those who sleep.
#[derive(Debug, Default)]
struct CountingClock(Arc<AtomicUsize>);

struct Sleeper(Arc<AtomicUsize>);

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Clock for CountingClock {
    fn now(&self) -> Instant {
        TokioClock.now()
    }

    fn system_time(&self) -> SystemTime {
        TokioClock.system_time()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        self.0.fetch_add(1, Ordering::SeqCst);
        let sleeper = Sleeper(Arc::clone(&self.0));
        let sleep = TokioClock.sleep_until(deadline);
        Box::pin(async move {
            let _sleeper = sleeper;
            sleep.await;
        })
    }
}

#[test]
fn one_timer_serves_all_connections() {
    alone(async {
        const CONNECTIONS: usize = 1_000;
        let clock = CountingClock::default();
        let sleepers = Arc::clone(&clock.0);
        let hub = Hub::builder().clock(clock).build().unwrap();
        let mut bodies = Vec::new();
        open(&hub, &mut bodies, CONNECTIONS).await;
        for _ in 0..120 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            for body in &mut bodies {
                while read(body).is_some() {}
            }
            assert_eq!(sleepers.load(Ordering::SeqCst), 1);
        }
        let heartbeats = hub.info().heartbeats as usize;
        assert!(heartbeats >= 3 * CONNECTIONS, "{heartbeats}");
    });
}
