//! Turns: no future or task that nobody polls holds up a publication.

use std::{sync::Arc, time::Duration};

use crate::support::{Gate, open, poll, settle, subscribe, text};
use sse_core::*;

const SECOND: Duration = Duration::from_secs(1);

fn big() -> QueueLimits {
    QueueLimits {
        events: 10_000.try_into().unwrap(),
        ..QueueLimits::default()
    }
}

#[tokio::test]
async fn futures_that_wait_for_a_place_and_are_never_polled_again_stop_nobody() {
    let hub = Hub::builder().queue(big()).build().unwrap();
    let reader = open(&hub, "reader", &[]).await;
    let (gate, keeper) = Gate::new();
    let gate = hub.attach(subscribe("gate", &[]), gate).await.unwrap();
    let (h, target) = (hub.clone(), Target::connection(gate.connection().id()));
    let at_work = std::thread::spawn(move || drop(h.try_publish(target, text("held up")).unwrap()));
    keeper.wait();
    let to = Target::connection(reader.handle.id());
    let mut abandoned = Vec::new();
    for _ in 0..2 * 1024 {
        let mut publish = Box::pin(hub.publish(to.clone(), text("x")));
        assert!(poll(publish.as_mut()).is_pending());
        abandoned.push(publish);
    }
    let (h, t) = (hub.clone(), to.clone());
    let polled = tokio::spawn(async move {
        h.publish(t, text("polled")).await.unwrap();
    });
    settle().await;
    keeper.let_go();
    at_work.join().unwrap();
    tokio::time::timeout(SECOND, polled)
        .await
        .expect("it is stopped by others")
        .unwrap();
}

#[test]
fn try_publish_beside_the_first_use_of_a_local_router_is_taken() {
    let mut refused = Vec::new();
    for _ in 0..20_000 {
        let hub = Hub::builder().build().unwrap();
        let start = std::sync::Barrier::new(2);
        let other = std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                start.wait();
                hub.try_publish(Target::everybody(), text("1")).err()
            });
            start.wait();
            let own = hub.try_publish(Target::everybody(), text("2")).err();
            own.or(other.join().unwrap())
        });
        refused.extend(other);
    }
    assert!(
        refused.is_empty(),
        "{} of 20,000: {:?}",
        refused.len(),
        refused[0]
    );
}

/// A hub whose router has left 200 - 16 jobs to a runtime that nobody drives.
struct Undriven {
    hub: Hub,
    router: Arc<LocalRouter>,
    reader: crate::support::Reader,
    own: tokio::runtime::Runtime,
    _gate: Attached,
}

fn undriven(main: &tokio::runtime::Runtime, last: impl FnOnce(&Hub, &Target)) -> Undriven {
    let router = Arc::new(LocalRouter::default());
    let hub = Hub::builder()
        .router(Arc::clone(&router))
        .queue(big())
        .build()
        .unwrap();
    let (reader, gate, keeper) = main.block_on(async {
        let reader = open(&hub, "reader", &[]).await;
        let (gate, keeper) = Gate::new();
        (
            reader,
            hub.attach(subscribe("gate", &[]), gate).await.unwrap(),
            keeper,
        )
    });
    let (h, target) = (hub.clone(), Target::connection(gate.connection().id()));
    let at_work = std::thread::spawn(move || {
        let own = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        own.block_on(async { h.publish(target, text("held up")).await.unwrap() });
        own // kept, but nobody drives it
    });
    keeper.wait();
    let to = Target::connection(reader.handle.id());
    for _ in 0..200 {
        drop(hub.try_publish(to.clone(), text("x")).unwrap());
    }
    last(&hub, &to);
    keeper.let_go();
    let own = at_work.join().unwrap();
    Undriven {
        hub,
        router,
        reader,
        own,
        _gate: gate,
    }
}

#[test]
fn shutdown_does_what_was_left_to_a_runtime_that_nobody_drives() {
    let main = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut it = undriven(&main, |_, _| {});
    let done = main.block_on(async {
        tokio::time::timeout(SECOND, it.router.shutdown())
            .await
            .is_ok()
    });
    let read = it.reader.read().len();
    drop((it.hub, it.own));
    assert_eq!((done, read), (true, 200));
}

#[test]
fn who_waits_behind_what_nobody_awaits_is_not_forgotten() {
    let main = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut waiting = None;
    let mut it = undriven(&main, |hub, to| {
        let (hub, to) = (hub.clone(), to.clone());
        waiting = Some(main.spawn(async move {
            hub.publish(to, text("last")).await.unwrap();
        }));
        main.block_on(settle());
    });
    let done =
        main.block_on(async { tokio::time::timeout(SECOND, waiting.unwrap()).await.is_ok() });
    let read = it.reader.read().len();
    drop((it.hub, it.own));
    assert_eq!((done, read), (true, 201));
}

/// What is left was left by a runtime that is driven, after one that isn't.
#[test]
fn a_runtime_that_nobody_drives_does_not_keep_another_from_its_work() {
    let main = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut it = undriven(&main, |_, _| {});
    let to = Target::connection(it.reader.handle.id());
    // Does what is left; the task on the runtime that isn't driven is still to come.
    main.block_on(async {
        for _ in 0..40 {
            it.hub.publish(to.clone(), text("after")).await.unwrap();
        }
    });
    assert_eq!(it.reader.read().len(), 240);
    // Now a hundred are queued while a driven one is at work.
    let (gate, keeper) = Gate::new();
    let gate = main
        .block_on(it.hub.attach(subscribe("gate", &[]), gate))
        .unwrap();
    let (h, target) = (it.hub.clone(), Target::connection(gate.connection().id()));
    let driven = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let at_work = driven.spawn(async move {
        h.publish(target, text("held up")).await.unwrap();
    });
    keeper.wait();
    for _ in 0..100 {
        drop(it.hub.try_publish(to.clone(), text("x")).unwrap());
    }
    keeper.let_go();
    driven.block_on(at_work).unwrap();
    let mut read = 0;
    let deadline = std::time::Instant::now() + 10 * SECOND;
    while read < 100 && std::time::Instant::now() < deadline {
        read += it.reader.read().len();
        std::thread::yield_now();
    }
    drop(it.own);
    assert_eq!(read, 100);
}
