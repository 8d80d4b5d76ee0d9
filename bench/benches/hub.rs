//! What the hub itself costs, without sockets: each group answers the question above it.
//!
//! `cargo bench -p sse-bench`

use std::{
    hint::black_box,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use criterion::{Bencher, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::Stream;
use sse_core::{Event, EventBody, Frame, GroupName, Hub, HubConfig, Subscribe};
use tokio::{
    runtime::{Builder, Runtime},
    sync::broadcast,
};

/// A hub without history, so that nothing but delivery is measured.
fn hub() -> Hub {
    let mut config = HubConfig::default();
    config.history_events = 0;
    config.heartbeat = None;
    Hub::builder().config(config).build().unwrap()
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Measures what `round` says that it took: what it does besides isn't counted.
fn timed(bencher: &mut Bencher<'_>, mut round: impl FnMut() -> Duration) {
    bencher.iter_custom(|rounds| (0..rounds).map(|_| round()).sum());
}

/// Takes all that waits.
fn drain(body: &mut EventBody) -> usize {
    let mut cx = Context::from_waker(Waker::noop());
    let mut pieces = 0;
    while let Poll::Ready(Some(piece)) = Pin::new(&mut *body).poll_next(&mut cx) {
        black_box(piece.unwrap());
        pieces += 1;
    }
    pieces
}

/// So many streams, each of a client of its own, in groups of ten, of which all is read.
async fn streams(hub: &Hub, count: usize) -> Vec<EventBody> {
    let mut bodies = Vec::with_capacity(count);
    for n in 0..count {
        let subscribe = Subscribe::client_id(format!("c{n}")).unwrap();
        let subscribe = subscribe.group(GroupName::new(format!("g{}", n / 10)).unwrap());
        let mut body = hub.subscribe(subscribe).await.unwrap().into_body();
        drain(&mut body);
        bodies.push(body);
    }
    bodies
}

fn event() -> sse_core::EventBuilder {
    Event::text("x".repeat(100)).event("news")
}

/// How many queues does a broadcast fill in a second? What the readers do then isn't counted. A
/// thousand stay in the processor's caches; a hundred thousand don't.
fn fan_out(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fan-out");
    for count in [1_000, 100_000] {
        let (runtime, hub) = (runtime(), hub());
        let mut bodies = runtime.block_on(streams(&hub, count));
        group.throughput(Throughput::Elements(count as u64));
        group.sample_size(if count > 1_000 { 10 } else { 100 });
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            timed(bencher, || {
                let event = event();
                let start = Instant::now();
                runtime.block_on(hub.broadcast(event)).unwrap();
                let time = start.elapsed();
                for body in &mut bodies {
                    assert_eq!(drain(body), 1);
                }
                time
            });
        });
    }
    group.finish();
}

/// Does an event for one client cost more the more clients there are; and how does it compare with
/// ten sends to a broadcast channel that nobody contends for?
fn unicast(criterion: &mut Criterion) {
    /// So many are sent before they are read.
    const TOGETHER: usize = 64;
    let mut group = criterion.benchmark_group("unicast");
    group.throughput(Throughput::Elements(TOGETHER as u64));
    for count in [100, 1_000, 10_000, 100_000] {
        let (runtime, hub) = (runtime(), hub());
        let mut bodies = runtime.block_on(streams(&hub, count));
        let mut at = 0;
        group.bench_function(BenchmarkId::new("one of", count), |bencher| {
            timed(bencher, || {
                // Far from each other, in memory too.
                let next = |at: &mut usize| {
                    *at = (*at + 7_919) % count;
                    (format!("c{at}"), event())
                };
                let first = at;
                let sends: Vec<_> = (0..TOGETHER).map(|_| next(&mut at)).collect();
                let start = Instant::now();
                runtime.block_on(async {
                    for (client, event) in sends {
                        hub.send_to(client, event).await.unwrap();
                    }
                });
                let time = start.elapsed();
                at = first;
                for _ in 0..TOGETHER {
                    drop(next(&mut at));
                    assert_eq!(drain(&mut bodies[at]), 1);
                }
                time
            });
        });
    }
    let (sender, mut receiver) = broadcast::channel(16 * TOGETHER);
    group.bench_function("ten sends to a broadcast channel", |bencher| {
        timed(bencher, || {
            let sends: Vec<String> = (0..10 * TOGETHER).map(|_| "x".repeat(100)).collect();
            let start = Instant::now();
            for data in sends {
                sender.send(data).unwrap();
            }
            let time = start.elapsed();
            while receiver.try_recv().is_ok() {}
            time
        });
    });
    group.finish();
}

/// How does a group of ten compare, among ten thousand connections?
fn group_of_ten(criterion: &mut Criterion) {
    let (runtime, hub) = (runtime(), hub());
    let mut bodies = runtime.block_on(streams(&hub, 10_000));
    let mut at = 0;
    let mut group = criterion.benchmark_group("group");
    group.throughput(Throughput::Elements(10));
    group.bench_function("of ten", |bencher| {
        timed(bencher, || {
            at = (at + 79) % 1_000;
            let (group, event) = (format!("g{at}"), event());
            let start = Instant::now();
            runtime.block_on(hub.send_group(group, event)).unwrap();
            let time = start.elapsed();
            for body in &mut bodies[at * 10..(at + 1) * 10] {
                assert_eq!(drain(body), 1);
            }
            time
        });
    });
    group.finish();
}

/// Do eight that publish at the same time get less done together than one alone? (That all of it comes
/// in one order is for the core's tests to show.)
fn publishers(criterion: &mut Criterion) {
    const EVENTS: usize = 1_000;
    let mut group = criterion.benchmark_group("publishers");
    group.throughput(Throughput::Elements(EVENTS as u64));
    for count in [1, 8] {
        let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
        let mut config = HubConfig::default();
        config.history_events = 0;
        config.queue_events = EVENTS + 1;
        let hub = Hub::builder().config(config).build().unwrap();
        let mut bodies = runtime.block_on(streams(&hub, 10));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            timed(bencher, || {
                let start = Instant::now();
                runtime.block_on(async {
                    let mut all = tokio::task::JoinSet::new();
                    for _ in 0..count {
                        let hub = hub.clone();
                        all.spawn(async move {
                            for _ in 0..EVENTS / count {
                                hub.broadcast(event()).await.unwrap();
                            }
                        });
                    }
                    while let Some(done) = all.join_next().await {
                        done.unwrap();
                    }
                });
                let time = start.elapsed();
                for body in &mut bodies {
                    drain(body);
                }
                time
            });
        });
    }
    group.finish();
}

/// What does it cost to make the bytes of an event, once for all that it goes to?
fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    for len in [100, 10_000] {
        let event = Event::text("x".repeat(len)).build().unwrap();
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(BenchmarkId::from_parameter(len), |bencher| {
            bencher.iter(|| Frame::new(black_box(&event), None));
        });
    }
    group.finish();
}

/// What does it cost to take a stream in, and out again?
fn subscribe(criterion: &mut Criterion) {
    let (runtime, hub) = (runtime(), hub());
    let _others = runtime.block_on(streams(&hub, 10_000));
    criterion.bench_function("subscribe and leave", |bencher| {
        bencher.iter(|| {
            let subscribe = Subscribe::client_id("one more").unwrap();
            let subscribed = runtime.block_on(hub.subscribe(subscribe));
            drop(black_box(subscribed.unwrap().into_body()));
        });
    });
}

criterion_group!(
    benches,
    fan_out,
    unicast,
    group_of_ten,
    publishers,
    encode,
    subscribe
);
criterion_main!(benches);
