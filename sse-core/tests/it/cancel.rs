//! Publishing is all or nothing, wherever it is dropped; ingress is bounded and loses no room.

use std::{future::Future, num::NonZeroUsize, pin::Pin, sync::Arc, task::Poll, thread::JoinHandle};

use crate::support::{Gate, Keeper, Reader, open, poll, soon, subscribe, text};
use futures_util::FutureExt;
use sse_core::{
    Attached, Event, Hub, LocalRouter, PublishError, QueueLimits, Receipt, Router, Target,
};

/// How many batches wait for their turn.
const PLACES: usize = 1_024;

fn roomy() -> QueueLimits {
    QueueLimits {
        events: NonZeroUsize::new(10_000).unwrap(),
        ..QueueLimits::default()
    }
}

type Publish = Pin<Box<dyn Future<Output = Result<Receipt, PublishError>> + Send>>;

/// A hub whose ordered section can be held up, and one connection that sees what gets through.
struct Busy {
    hub: Hub,
    router: Arc<LocalRouter>,
    keeper: Keeper,
    gate: Attached,
    reader: Reader,
    at_work: Option<JoinHandle<()>>,
}

impl Busy {
    async fn new() -> Self {
        let router = Arc::new(LocalRouter::default());
        let hub = Hub::builder()
            .queue(roomy())
            .router(Arc::clone(&router))
            .build()
            .unwrap();
        let reader = open(&hub, "reader", &[]).await;
        let (gate, keeper) = Gate::new();
        let gate = hub.attach(subscribe("gate", &[]), gate).await.unwrap();
        let mut busy = Self {
            hub,
            router,
            keeper,
            gate,
            reader,
            at_work: None,
        };
        busy.hold_up();
        busy
    }

    fn to_gate(&self) -> Target {
        Target::connection(self.gate.connection().id())
    }

    fn to_reader(&self) -> Target {
        Target::connection(self.reader.handle.id())
    }

    /// Holds up the section, on a thread of its own.
    fn hold_up(&mut self) {
        let (hub, target) = (self.hub.clone(), self.to_gate());
        self.at_work = Some(std::thread::spawn(move || {
            drop(hub.try_publish(target, text("held up")).unwrap());
        }));
        self.keeper.wait();
    }

    /// Lets go, and waits until all that was queued is done.
    fn let_go(&mut self) {
        self.keeper.let_go();
        self.at_work.take().unwrap().join().unwrap();
    }

    fn try_publish(&self, data: &str) -> Result<sse_core::PendingReceipt, PublishError> {
        self.hub.try_publish(self.to_reader(), text(data))
    }

    fn publish(&self, data: &str) -> Publish {
        let (hub, target, event) = (self.hub.clone(), self.to_reader(), text(data));
        Box::pin(async move { hub.publish(target, event).await })
    }

    /// Takes up every place that is left; how many those were.
    fn fill(&self, data: &str) -> usize {
        let mut places = 0;
        loop {
            match self.try_publish(data) {
                Ok(pending) => drop(pending),
                Err(PublishError::Busy) => return places,
                Err(error) => panic!("{error}"),
            }
            places += 1;
        }
    }
}

#[tokio::test]
async fn dropped_before_its_turn_it_leaves_no_trace_whenever_that_is() {
    let mut busy = Busy::new().await;
    for polls in 0..5 {
        for full in [false, true] {
            let before = if full { busy.fill("kept") } else { 0 };
            let target = busy.to_reader();
            let batch = ["1", "2", "3"].map(|data| (target.clone(), text(data)));
            let hub = busy.hub.clone();
            let mut publish = Box::pin(hub.publish_many(batch));
            for _ in 0..polls {
                assert!(poll(publish.as_mut()).is_pending());
            }
            drop(publish);
            assert_eq!(busy.fill("kept"), PLACES - before, "no place is lost");
            busy.let_go();
            assert_eq!(busy.reader.read(), vec!["kept"; PLACES], "{polls} {full}");
            busy.hold_up();
        }
    }
    busy.let_go();
    assert_eq!(busy.hub.info().published.unicast as usize, 10 * PLACES + 11);
}

#[tokio::test]
async fn polled_to_its_end_it_is_done_once_whenever_its_turn_came() {
    let mut busy = Busy::new().await;
    for polls in 0..5 {
        let mut publish = busy.publish("x");
        for _ in 0..polls {
            assert!(poll(publish.as_mut()).is_pending());
        }
        busy.let_go();
        let receipt = soon(publish).await.unwrap();
        assert_eq!(receipt.outcome().await.unwrap().queued, 1);
        assert_eq!(busy.reader.read(), ["x"]);
        busy.hold_up();
    }
    busy.let_go();
}

#[tokio::test]
async fn dropped_after_it_was_begun_it_is_done_as_a_whole() {
    let mut busy = Busy::new().await;
    let (reader, gate) = (busy.to_reader(), busy.to_gate());
    let batch = [
        (reader.clone(), text("1")),
        (gate, text("2")),
        (reader, text("3")),
    ];
    let hub = busy.hub.clone();
    let mut publish = Box::pin(hub.publish_many(batch));
    assert!(poll(publish.as_mut()).is_pending());
    busy.keeper.let_go();
    busy.keeper.wait();
    assert!(poll(publish.as_mut()).is_pending(), "it has been begun");
    drop(publish);
    busy.let_go();
    assert_eq!(busy.reader.read(), ["1", "3"]);
    busy.hold_up();
    assert_eq!(busy.fill("x"), PLACES, "no place is lost");
    busy.let_go();
}

#[tokio::test]
async fn thousands_of_cancellations_lose_no_place() {
    let mut busy = Busy::new().await;
    let mut futures: Vec<_> = (0..3_000).map(|_| busy.publish("cancelled")).collect();
    for future in &mut futures {
        assert!(poll(future.as_mut()).is_pending());
    }
    // From the middle outwards, so that those who wait for a place get one and lose it again.
    while let Some(middle) = futures.len().checked_sub(1) {
        drop(futures.swap_remove(middle / 2));
        for future in futures.iter_mut().step_by(701) {
            assert!(poll(future.as_mut()).is_pending());
        }
    }
    assert_eq!(busy.fill("kept"), PLACES);
    busy.let_go();
    assert_eq!(busy.reader.read(), vec!["kept"; PLACES]);
    for _ in 0..2 * PLACES {
        soon(busy.publish("after")).await.unwrap();
    }
    assert_eq!(busy.reader.read(), vec!["after"; 2 * PLACES]);
}

#[tokio::test]
async fn try_publish_is_busy_where_ingress_is_full_and_leaves_no_trace() {
    let mut busy = Busy::new().await;
    assert_eq!(busy.fill("x"), PLACES);
    for _ in 0..100 {
        assert!(matches!(
            busy.try_publish("refused"),
            Err(PublishError::Busy)
        ));
    }
    let mut waiting = busy.publish("waited");
    assert!(poll(waiting.as_mut()).is_pending(), "publish waits instead");
    busy.let_go();
    soon(waiting).await.unwrap();
    let mut expected = vec!["x"; PLACES];
    expected.push("waited");
    assert_eq!(busy.reader.read(), expected);
    assert_eq!(busy.hub.info().published.unicast as usize, PLACES + 2);
}

#[tokio::test]
async fn what_try_publish_returned_is_on_its_way_whether_it_is_awaited_or_not() {
    let mut busy = Busy::new().await;
    let first = busy.try_publish("1").unwrap();
    drop(busy.try_publish("2").unwrap());
    let mut third = busy.try_publish("3").unwrap();
    assert!(poll(Pin::new(&mut third)).is_pending());
    drop(third);
    busy.let_go();
    assert_eq!(busy.reader.read(), ["1", "2", "3"]);
    assert_eq!(first.await.unwrap().outcome().await.unwrap().queued, 1);
}

#[tokio::test]
async fn a_future_that_nobody_polls_any_more_stops_nobody() {
    let mut busy = Busy::new().await;
    let mut queued = busy.publish("queued");
    assert!(poll(queued.as_mut()).is_pending());
    assert_eq!(busy.fill("x"), PLACES - 1);
    let mut waits_for_a_place = busy.publish("waits");
    assert!(poll(waits_for_a_place.as_mut()).is_pending());
    let mut polled = busy.publish("polled");
    assert!(poll(polled.as_mut()).is_pending());
    busy.let_go();
    soon(polled).await.unwrap();
    busy.hub
        .publish(busy.to_reader(), text("after"))
        .await
        .unwrap();
    let read = busy.reader.read();
    assert_eq!(read[0], "queued", "its turn came");
    assert_eq!(read[PLACES..], ["polled", "after"]);
    drop((queued, waits_for_a_place));
    busy.hold_up();
    assert_eq!(busy.fill("x"), PLACES);
    busy.let_go();
}

#[tokio::test]
async fn shutdown_waits_for_what_was_queued_and_then_all_is_closed() {
    let mut busy = Busy::new().await;
    let mut queued = busy.publish("queued");
    assert!(poll(queued.as_mut()).is_pending());
    let places = busy.fill("x");
    let mut waits_for_a_place = busy.publish("never");
    assert!(poll(waits_for_a_place.as_mut()).is_pending());
    let router = Arc::clone(&busy.router);
    let mut shutdown = router.shutdown();
    let mut second = router.shutdown();
    assert_eq!(poll(shutdown.as_mut()), Poll::Pending);
    assert_eq!(poll(second.as_mut()), Poll::Pending);
    assert!(matches!(
        busy.try_publish("never"),
        Err(PublishError::Closed)
    ));
    let closed = busy.publish("never").now_or_never().expect("at once");
    assert!(matches!(closed, Err(PublishError::Closed)));

    busy.let_go();
    soon(async { tokio::join!(shutdown, second) }).await;
    let read = busy.reader.read();
    assert_eq!((&*read[0], read.len()), ("queued", places + 1));
    soon(queued).await.unwrap();
    assert!(matches!(
        soon(waits_for_a_place).await,
        Err(PublishError::Closed)
    ));
    assert_eq!(busy.router.shutdown().now_or_never(), Some(()), "again");
    let batch = [(busy.to_reader(), text("never"))];
    assert!(matches!(
        busy.hub.publish_many(batch).await,
        Err(PublishError::Closed)
    ));
    assert!(matches!(
        busy.hub.broadcast(text("never")).await,
        Err(PublishError::Closed)
    ));
    assert!(matches!(
        busy.try_publish("never"),
        Err(PublishError::Closed)
    ));
    assert!(matches!(
        busy.reader.handle.send(text("never")).await,
        Err(PublishError::Closed)
    ));
    assert_eq!((busy.reader.read(), busy.reader.ended), (vec![], false));
}

#[tokio::test]
async fn an_idempotency_key_is_not_used_up_by_a_publication_that_was_dropped() {
    let mut busy = Busy::new().await;
    let event = Event::text("x").idempotency_key("k").build().unwrap();
    let target = busy.to_reader();
    let mut dropped = Box::pin(busy.hub.publish(target.clone(), event.clone()));
    assert!(poll(dropped.as_mut()).is_pending());
    drop(dropped);
    busy.let_go();
    let receipt = busy.hub.publish(target, event).await.unwrap();
    assert!(!receipt.is_duplicate());
    assert_eq!(busy.reader.read(), ["x"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn batches_of_tasks_that_are_aborted_anywhere_are_whole() {
    for round in 0..20 {
        let hub = Hub::builder().queue(roomy()).build().unwrap();
        let mut reader = open(&hub, "reader", &[]).await;
        let tasks: Vec<_> = (0..200)
            .map(|task| {
                let hub = hub.clone();
                tokio::spawn(async move {
                    for n in 0..=(task + round) % 4 {
                        let batch = ["a", "b", "c"]
                            .map(|part| (Target::everybody(), text(format!("{task} {n} {part}"))));
                        hub.publish_many(batch).await.unwrap();
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks.iter().skip(round % 3).step_by(3) {
            task.abort();
            tokio::task::yield_now().await;
        }
        for task in tasks {
            // Whether it was aborted in time or not.
            let _ = soon(task).await;
        }
        hub.broadcast(text("end")).await.unwrap();
        let mut read = reader.read();
        assert_eq!(read.pop().unwrap(), "end");
        for batch in read.chunks(3) {
            let (name, _) = batch[0].rsplit_once(' ').unwrap();
            assert_eq!(batch, ["a", "b", "c"].map(|part| format!("{name} {part}")));
        }
    }
}
