//! A thousand clients, a thousand broadcasts: everything arrives in order, and nothing is left.

mod support;

use std::{
    alloc::System,
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use sse_conformance::eventually;
use sse_core::{Event, Hub, Info, MemoryHistory, QueueLimits};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use support::{PATIENCE, Running, runtime};
use tokio::{sync::Barrier, time::sleep_until};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CLIENTS: usize = 1000;
const EVENTS: u32 = 1000;
/// 100 a second.
const PACE: Duration = Duration::from_millis(10);

/// How many bytes are allocated now.
fn live_bytes() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

#[test]
fn a_thousand_clients_get_a_thousand_broadcasts_in_order_and_leave_nothing_behind() {
    // After the first round the history is as large as it gets; and no queue is full, however busy
    // the machine is.
    let queue = QueueLimits {
        events: NonZeroUsize::new(EVENTS as usize).unwrap(),
        ..QueueLimits::default()
    };
    let hub = Hub::builder()
        .history(MemoryHistory::last(100))
        .queue(queue);
    let server = Running::start(hub.build().unwrap());
    round(&server);
    let warm = live_bytes();
    round(&server);
    let after = live_bytes();

    let difference = after.abs_diff(warm);
    assert!(
        difference * 100 <= warm,
        "{after} bytes are live after the second round, {warm} were after the first"
    );
    assert_eq!(
        server.hub.info().delivered,
        2 * CLIENTS as u64 * u64::from(EVENTS)
    );
}

/// All connect, get every event, and go; on a runtime of their own, which is gone afterwards.
fn round(server: &Running) {
    let clients = runtime();
    clients.block_on(async {
        let ready = Arc::new(Barrier::new(CLIENTS + 1));
        let mut readers = Vec::with_capacity(CLIENTS);
        for n in 0..CLIENTS {
            let mut client = server.connect(&format!("c{n}"), |call| call).await;
            let ready = Arc::clone(&ready);
            readers.push(tokio::spawn(async move {
                ready.wait().await;
                for expected in 0..EVENTS {
                    let event = client.next_event().await;
                    assert_eq!(event.data, expected.to_string(), "c{n}");
                }
            }));
        }
        ready.wait().await;
        assert_eq!(server.hub.info().connections, CLIENTS);
        publish(server).await;
        for reader in readers {
            reader.await.unwrap();
        }
    });
    drop(clients);
    let gone = eventually("everything is gone", PATIENCE, || {
        let Info {
            connections,
            clients,
            groups,
            queued,
            ..
        } = server.hub.info();
        (connections, clients, groups, queued) == (0, 0, 0, 0)
    });
    server.runtime.block_on(gone);
}

async fn publish(server: &Running) {
    let hub = server.hub.clone();
    let published = server.runtime.spawn(async move {
        let start = Instant::now();
        for n in 0..EVENTS {
            sleep_until((start + PACE * n).into()).await;
            hub.broadcast(Event::text(n.to_string())).await.unwrap();
        }
    });
    published.await.unwrap();
}
