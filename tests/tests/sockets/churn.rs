//! A server that is used in every way for long is as large at the end as after the beginning.
//!
//! `SSE_SOAK_SECONDS=1200 cargo test --release -p sse-conformance --test sockets churn -- --ignored
//! --nocapture`, which `cargo xtask soak` runs.

use std::{
    env, fs,
    net::SocketAddr,
    time::{Duration, Instant},
};

use sse_conformance::{Call, StreamClient, eventually};
use sse_core::{ClientId, Event, GroupName, Hub, Limits, MemoryHistory, Overflow, Target};
use tokio::{runtime::Handle, task::JoinSet, time::sleep};

use crate::{
    alone,
    dead::kernel,
    ways::{ANY_PORT, Way, serve_at},
};

/// How many clients come and go.
const CLIENTS: usize = 300;
const REAP_AFTER: Duration = Duration::from_secs(3);
/// How often it is measured.
const SAMPLES: u32 = 20;
/// By how much memory may grow from the first half to the end: an allocator's breath.
const GROWTH: f64 = 1.10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes 20 minutes"]
async fn nothing_grows() {
    let _alone = alone().await;
    let seconds = env::var("SSE_SOAK_SECONDS").ok();
    let seconds = seconds.map_or(1200, |seconds| seconds.parse().expect("a number"));
    churn(Duration::from_secs(seconds)).await;
}

/// What a run is measured by.
#[derive(Debug, Clone, Copy)]
struct Size {
    kilobytes: u64,
    descriptors: usize,
    tasks: usize,
}

impl Size {
    fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = rss.and_then(|rss| rss.split_whitespace().next()?.parse().ok());
        Self {
            kilobytes: kilobytes.expect("a number"),
            descriptors: fs::read_dir("/proc/self/fd").unwrap().count(),
            tasks: Handle::current().metrics().num_alive_tasks(),
        }
    }
}

#[expect(clippy::print_stdout, reason = "it is the evidence")]
async fn churn(time: Duration) {
    let mut limits = Limits::default();
    (limits.connections, limits.per_client) = (Some(2 * CLIENTS), Some(2));
    let hub = Hub::builder()
        .heartbeat(Duration::from_secs(1))
        .reap_after(REAP_AFTER)
        .reap_check(Duration::from_millis(250))
        .history(MemoryHistory::last(2_000))
        .overflow(Overflow::Disconnect)
        .retry_after_cut(Duration::from_millis(1), Duration::from_millis(10))
        .limits(limits)
        .max_event_bytes(8 * 1024)
        .byte_budget(512 * 1024)
        .build()
        .unwrap();
    let ways = [Way::Poem, Way::PoemOnSseNet, Way::Warp, Way::WarpOnSseNet];
    let addrs = ways.map(|way| serve_at(ANY_PORT, &hub, way, REAP_AFTER));
    let before = Size::now();
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..CLIENTS {
        let (hub, addr) = (hub.clone(), addrs[number % addrs.len()]);
        tasks.spawn(async move { come_and_go(&hub, addr, number).await });
    }
    for number in 0..4 {
        let hub = hub.clone();
        tasks.spawn(async move { publish(&hub, number).await });
    }
    let mut sizes = Vec::new();
    for sample in 1..=SAMPLES {
        sleep((start + time * sample / SAMPLES).saturating_duration_since(Instant::now())).await;
        if let Some(ended) = tasks.try_join_next() {
            panic!("one stopped: {ended:?}");
        }
        let size = Size::now();
        println!(
            "{:>5} s: {size:?} {}",
            start.elapsed().as_secs(),
            told(&hub)
        );
        sizes.push(size);
    }
    tasks.shutdown().await;
    let patience = REAP_AFTER * 4;
    eventually("all are gone", patience, || hub.info().connections == 0).await;
    let gone = || {
        addrs
            .iter()
            .all(|addr| kernel::sockets_of(*addr).is_empty())
    };
    eventually("their sockets too", patience, gone).await;
    let tasks = || Size::now().tasks <= before.tasks + 1;
    eventually("and their tasks", patience, tasks).await;
    let after = Size::now();
    println!("after: {after:?} (before: {before:?}) {}", told(&hub));
    let info = hub.info();
    assert_eq!((info.clients, info.groups, info.queued), (0, 0, 0));
    assert_eq!((info.waiting_bytes, info.ending), (Some(0), 0));
    let ended = info.ended;
    for (what, count) in [
        ("delivered", info.delivered),
        ("replayed", info.replayed),
        ("made to give way", info.gave_way),
        ("resumed", info.resumes),
        ("refused", info.refused),
        ("left", ended.client_gone),
        ("disconnected", ended.disconnected),
        ("stalled or cut", ended.stalled + ended.overflow),
    ] {
        assert!(count > 0, "nobody was {what}: {info:?}");
    }
    assert!(after.descriptors <= before.descriptors + 1, "{after:?}");
    let (first, second) = sizes[1..].split_at(sizes.len() / 2);
    let most = |sizes: &[Size]| sizes.iter().map(|size| size.kilobytes).max().unwrap();
    let (early, late) = (most(first), most(second));
    assert!(
        late as f64 <= early as f64 * GROWTH,
        "{early} kB in the first half, {late} kB in the second"
    );
}

fn told(hub: &Hub) -> String {
    serde_json::to_string(&hub.info()).unwrap()
}

/// A client that connects again and again, and ends in another way each time.
async fn come_and_go(hub: &Hub, addr: SocketAddr, number: usize) {
    let client = format!("client-{}", number % (CLIENTS * 2 / 3));
    let mut last = String::new();
    for round in number.. {
        let set = |call: Call| call.receive_buffer(4096).header("last-event-id", &last);
        let opened = set(StreamClient::open(addr, &format!("/{client}")));
        let Ok(mut stream) = opened.timeout(Duration::from_secs(30)).try_open().await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        for _ in 0..round % 50 {
            let Some(event) = stream.try_next(Duration::from_millis(500)).await else {
                break;
            };
            if !event.last_event_id.is_empty() {
                last = event.last_event_id;
            }
        }
        match round % 6 {
            0 => drop(stream),
            1 => stream.reset(),
            2 => drop(stream.half_close().await),
            // It reads nothing until it is cut, or reaped.
            3 => sleep(REAP_AFTER * 2).await,
            4 => {
                let client = Target::client(ClientId::new(&*client).unwrap());
                hub.disconnect(&client);
                while stream.try_next(Duration::from_secs(1)).await.is_some() {}
            }
            _ => {
                let group = GroupName::new(format!("group-{}", round % 20)).unwrap();
                let id = ClientId::new(&*client).unwrap();
                drop(hub.join_client(id.clone(), group.clone()).await);
                drop(stream.try_next(Duration::from_millis(100)).await);
                if round % 4 == 1 {
                    for connection in hub.connections(&Target::client(id)) {
                        drop(connection.leave(group.clone()).await);
                    }
                }
            }
        }
    }
}

/// Publishes in every mode.
async fn publish(hub: &Hub, number: usize) {
    for round in number.. {
        let event = Event::text("x".repeat(100 + round % 4_000));
        let event = match round % 4 {
            0 => event.conflation_key(format!("key-{}", round % 16)),
            1 => event.transient(),
            _ => event,
        };
        let sent = match round % 3 {
            0 => {
                hub.send_to(format!("client-{}", round % CLIENTS), event)
                    .await
            }
            1 => hub.send_group(format!("group-{}", round % 20), event).await,
            _ => hub.broadcast(event).await,
        };
        sent.unwrap();
        sleep(Duration::from_millis(4)).await;
    }
}
