//! What a stranger tried, and what must stay so.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use crate::support::{Gate, open, panic_quietly, pass, poll, soon, subscribe, text, unread};
use sse_core::{
    BuildError, CloseReason, Event, EventSink, Frame, Hub, HubConfig, LocalRouter, ManualClock,
    NoticeConfig, Offer, PendingReceipt, Progress, PublishError, QueueLimits, QueueSink,
    RouteError, Router, SinkContext, SubscribeError, Target, WhenFull,
};
use tokio::runtime::{Builder, Runtime};

const SECOND: Duration = Duration::from_secs(1);

/// A sink that counts how often it is looked at.
#[derive(Debug, Default)]
struct Watched {
    looks: AtomicUsize,
    closed: AtomicBool,
    panics: bool,
}

impl EventSink for Watched {
    fn try_send(&self, _: &Frame, _: WhenFull) -> Offer {
        if self.panics {
            panic_quietly();
        }
        Offer::QUEUED
    }

    fn wake(&self) {}

    fn poll_room(&self, _: &mut Context<'_>, _: usize) -> Poll<bool> {
        Poll::Ready(true)
    }

    fn progress(&self) -> Progress {
        self.looks.fetch_add(1, Ordering::SeqCst);
        Progress::default()
    }

    fn close(&self, _: CloseReason) {
        self.closed.store(true, Ordering::SeqCst);
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}

fn hub() -> (Hub, ManualClock) {
    let clock = ManualClock::new();
    let hub = Hub::builder().clock(clock.clone()).build().unwrap();
    (hub, clock)
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[tokio::test]
async fn churn_makes_nobody_be_looked_at_more_often() {
    let clock = ManualClock::new();
    let hub = Hub::builder()
        .clock(clock.clone())
        .heartbeat(None)
        .build()
        .unwrap();
    let _stays = open(&hub, "stays", &[]).await;
    for _ in 0..500 {
        drop(open(&hub, "comes and goes", &[]).await);
    }
    let watched = Arc::new(Watched::default());
    let sink: Arc<dyn EventSink> = Arc::<Watched>::clone(&watched);
    let attached = hub.attach(subscribe("watched", &[]), sink).await.unwrap();
    attached.note_polled();
    pass(&clock, 60 * SECOND).await;
    let looks = watched.looks.load(Ordering::SeqCst);
    assert!(
        (10..=13).contains(&looks),
        "{looks} looks in 60 s, one every 5 s"
    );
}

#[tokio::test]
async fn a_sink_that_closed_itself_is_noticed() {
    let (hub, clock) = hub();
    let watched = Arc::new(Watched::default());
    let sink: Arc<dyn EventSink> = Arc::<Watched>::clone(&watched);
    let _attached = hub.attach(subscribe("ada", &[]), sink).await.unwrap();
    watched.close(CloseReason::SinkFailed);
    pass(&clock, 6 * SECOND).await;
    assert_eq!(
        (hub.info().connections, hub.info().ended.sink_failed),
        (0, 1)
    );
}

#[tokio::test]
async fn a_sink_that_panics_at_the_opening_is_closed() {
    let (hub, _clock) = hub();
    let panics = true;
    let sink = Arc::new(Watched {
        panics,
        ..Watched::default()
    });
    let dyn_sink: Arc<dyn EventSink> = Arc::<Watched>::clone(&sink);
    let attached = hub.attach(subscribe("ada", &[]), dyn_sink).await.unwrap();
    assert!(sink.is_closed());
    assert_eq!(hub.info().connections, 0);
    soon(attached.handle().closed()).await;
}

#[test]
fn notices_that_nobody_reads_are_bounded() {
    let context = SinkContext::default();
    let queue = QueueSink::new(QueueLimits::default(), context.clone());
    let gap = context.gap(1);
    for n in 0..1_000 {
        let event = Frame::new(&text(n.to_string()), None);
        assert_eq!(queue.try_send(&gap, WhenFull::Refuse), Offer::QUEUED);
        assert_eq!(queue.try_send(&gap, WhenFull::Refuse), Offer::QUEUED);
        queue.try_send(&event, WhenFull::DropOldest);
    }
    let waiting = queue.progress().waiting;
    assert!(
        waiting <= 202,
        "{waiting} wait: 100 events, a notice each, a gap"
    );
}

#[tokio::test]
async fn a_first_byte_leaves_at_once_without_an_opening_event() {
    let mut notices = NoticeConfig::default();
    notices.opening = false;
    let hub = Hub::builder().notices(notices).build().unwrap();
    let stream = hub.subscribe(subscribe("ada", &[])).await.unwrap();
    let mut body = stream.into_body();
    let first = futures_util::StreamExt::next(&mut body);
    let first = futures_util::FutureExt::now_or_never(first)
        .flatten()
        .unwrap();
    assert_eq!(first.unwrap(), "\n", "it means nothing to any client");
}

#[test]
fn the_task_comes_back_at_the_first_use_of_whatever_kind() {
    let (hub, clock) = hub();
    let first = runtime();
    let mut reader = first.block_on(open(&hub, "ada", &["g"]));
    drop(first);
    runtime().block_on(async {
        hub.broadcast(text("x")).await.unwrap();
        assert_eq!(reader.read(), ["x"]);
        pass(&clock, 31 * SECOND).await;
        assert_eq!(reader.read(), ["heartbeat"]);
    });
}

#[test]
fn a_runtime_without_a_timer_is_an_error_at_once() {
    let hub = Hub::builder().build().unwrap();
    let runtime = Builder::new_current_thread().build().unwrap();
    let refused = runtime.block_on(hub.subscribe(subscribe("ada", &[])));
    assert!(matches!(refused, Err(SubscribeError::NoRuntime)));
    assert_eq!(hub.info().connections, 0);
}

/// A hub whose worker is held up within a runtime that nobody drives, with 70 publications queued.
struct LeftAlone {
    hub: Hub,
    router: Arc<LocalRouter>,
    queued: Vec<PendingReceipt>,
    let_go: Box<dyn FnOnce()>,
}

fn left_alone() -> LeftAlone {
    let router = Arc::new(LocalRouter::default());
    let hub = Hub::builder().router(Arc::clone(&router)).build().unwrap();
    let undriven = runtime();
    let (gate, keeper) = Gate::new();
    let attached = undriven.block_on(hub.attach(subscribe("gate", &[]), gate));
    let attached = attached.unwrap();
    let working = {
        let (hub, runtime) = (hub.clone(), undriven.handle().clone());
        std::thread::spawn(move || {
            let _within = runtime.enter();
            drop(hub.try_publish(Target::everybody(), text("first")).unwrap());
        })
    };
    keeper.wait();
    let queued = (0..70).map(|_| {
        hub.try_publish(Target::everybody(), text("queued"))
            .unwrap()
    });
    LeftAlone {
        queued: queued.collect(),
        hub,
        router,
        let_go: Box::new(move || {
            drop(keeper);
            working.join().unwrap();
            // Never driven again, and never dropped: dropping it would do the work.
            std::mem::forget((undriven, attached));
        }),
    }
}

#[test]
fn no_turn_is_lost_to_a_runtime_that_nobody_drives() {
    let left = left_alone();
    (left.let_go)();
    runtime().block_on(soon(async {
        left.hub.broadcast(text("later")).await.unwrap();
        for pending in left.queued {
            pending.await.unwrap();
        }
    }));
    assert_eq!(left.hub.info().published.broadcast, 72);
}

#[test]
fn a_shutdown_that_waits_already_does_what_is_left_to_nobody() {
    let left = left_alone();
    let router = Arc::clone(&left.router);
    let mut shutdown = router.shutdown();
    assert!(poll(shutdown.as_mut()).is_pending());
    (left.let_go)();
    runtime().block_on(soon(shutdown));
    assert_eq!(left.hub.info().published.broadcast, 71);
}

#[tokio::test]
async fn a_router_belongs_to_one_hub() {
    let router = Arc::new(LocalRouter::default());
    let build = || Hub::builder().router(Arc::clone(&router)).build().unwrap();
    let (one, two) = (build(), build());
    let mut reader = open(&one, "ada", &[]).await;
    assert!(matches!(
        two.broadcast(text("two's")).await,
        Err(PublishError::Router(RouteError::Started))
    ));
    one.broadcast(text("one's")).await.unwrap();
    assert_eq!(reader.read(), ["one's"]);
}

#[tokio::test]
async fn presence_ends_with_the_hub_though_its_router_is_kept() {
    let router = Arc::new(LocalRouter::default());
    let hub = Hub::builder().router(Arc::clone(&router)).build().unwrap();
    let mut presence = hub.presence();
    hub.broadcast(text("x")).await.unwrap();
    drop(hub);
    assert_eq!(soon(presence.next()).await, None);
}

#[tokio::test]
async fn a_key_is_refused_where_it_would_be_without_effect() {
    let (hub, _clock) = hub();
    let keyed = Event::text("x").idempotency_key("k");
    let refused = hub.send_where(|_| true, keyed).await;
    assert!(matches!(refused, Err(PublishError::KeyedPredicate)));
}

#[test]
fn settings_that_make_no_sense_are_errors() {
    let build = |set: fn(&mut HubConfig)| {
        let mut config = HubConfig::default();
        set(&mut config);
        Hub::builder().config(config).build().map(drop)
    };
    assert_eq!(
        build(|config| config.presence_backlog = usize::MAX),
        Err(BuildError::TooLarge {
            what: "presence_backlog",
            max: 1 << 20
        })
    );
    assert_eq!(
        build(|config| config.reap_after = Duration::from_micros(999)),
        Err(BuildError::Zero("reap_after"))
    );
}

#[tokio::test]
async fn a_batch_wakes_each_reader_once() {
    let (hub, _clock) = hub();
    let notebook = Arc::new(crate::support::Notebook::default());
    let sink: Arc<dyn EventSink> = Arc::<crate::support::Notebook>::clone(&notebook);
    let _attached = hub.attach(subscribe("ada", &[]), sink).await.unwrap();
    let _other = unread(&hub, subscribe("bob", &[])).await;
    let before = notebook.wakes.load(Ordering::SeqCst);
    let batch = (0..100).map(|n| (Target::everybody(), text(n.to_string())));
    hub.publish_many(batch).await.unwrap();
    assert_eq!(notebook.wakes.load(Ordering::SeqCst) - before, 1);
    assert_eq!(notebook.read().len(), 101);
}
