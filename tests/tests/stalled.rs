//! Clients that never read cost their own queues and nobody else anything.

#[path = "support/delays.rs"]
mod delays;
mod support;

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use delays::{Run, median};
use sse_conformance::{Call, StreamClient};
use sse_core::{ClientId, Event, Hub, Overflow, Target};
use support::{PATIENCE, Running, runtime};

const CLIENTS: usize = 1000;
const ROUNDS: usize = 5;
const RUN: Run = Run {
    events: 100,
    pace: Duration::from_millis(10),
};

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
        let mut readers = Vec::with_capacity(CLIENTS);
        for n in stalled..CLIENTS {
            readers.push(server.connect(&format!("c{n}"), |call| call).await);
        }
        // A first round warms everything up.
        measure(&server, &mut readers).await;
        // The machine has other work too: only what shows three times is the library's doing.
        let mut tries = Vec::new();
        while tries.len() < 3 {
            let (without, with) = compare(&server, &mut readers, stalled).await;
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
    stalled: usize,
) -> (Duration, Duration) {
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(measure(server, readers).await);
        let silent = stall(server, stalled).await;
        with.push(measure(server, readers).await);
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

async fn measure(server: &Running, readers: &mut Vec<StreamClient>) -> Duration {
    RUN.p99(&server.hub, server.runtime.handle(), readers).await
}
