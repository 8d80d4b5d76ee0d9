//! Cases of what is called back: readers that are woken, and code that runs inside a delivery.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use sse_core::{
    Attached, CloseReason, Event, EventSink, Frame, Hub, Offer, Pending, Progress, RouteError,
    Subscribe, WhenFull,
};
use tokio::{runtime::Handle, time::timeout};

use super::{
    recorder::PATIENCE,
    support::{
        Publishing, Subject, built, client, elsewhere, poll, publish, publishing, started, to,
    },
};
use crate::eventually;

/// A sink that calls when it is woken, once.
struct Calling {
    call: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    called: AtomicBool,
}

impl fmt::Debug for Calling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calling").finish_non_exhaustive()
    }
}

impl EventSink for Calling {
    fn try_send(&self, _: &Frame, _: WhenFull) -> Offer {
        Offer::QUEUED
    }

    fn wake(&self) {
        let call = self.call.lock().expect("no call panicked").take();
        if let Some(call) = call {
            call();
            self.called.store(true, Ordering::SeqCst);
        }
    }

    fn poll_room(&self, _: &mut Context<'_>, _: usize) -> Poll<bool> {
        Poll::Ready(true)
    }

    fn progress(&self) -> Progress {
        Progress::default()
    }

    fn close(&self, _: CloseReason) {}

    fn is_closed(&self) -> bool {
        false
    }
}

/// How something is published.
#[derive(Debug, Clone, Copy)]
enum Way {
    Publish,
    Try,
}

const WAYS: [Way; 2] = [Way::Try, Way::Publish];

/// A reader that publishes when it is woken.
struct Reader {
    hub: Hub,
    sink: Arc<Calling>,
    _attached: Attached,
}

impl Reader {
    async fn attached(router: &Subject) -> Self {
        let hub = Hub::builder()
            .router(Arc::clone(router))
            .heartbeat(None)
            .build();
        let hub = hub.expect("a valid hub");
        let sink = Arc::new(Calling {
            call: Mutex::default(),
            called: AtomicBool::new(false),
        });
        let reader = Subscribe::client_id("reader").expect("a valid client id");
        let attached = hub
            .attach(reader, Arc::<Calling>::clone(&sink))
            .await
            .expect("a sink can be attached");
        // A hub ignores a first position that isn't after the head, which is another case.
        publish(router, to("nobody")).await;
        Self {
            hub,
            sink,
            _attached: attached,
        }
    }

    /// Publishes to it; it does `call` when it is woken.
    async fn woken(&self, way: Way, call: impl FnOnce() + Send + 'static) {
        self.sink.called.store(false, Ordering::SeqCst);
        *self.sink.call.lock().expect("no call panicked") = Some(Box::new(call));
        let (hub, runtime) = (self.hub.clone(), Handle::current());
        let publish = move || {
            let (target, event) = (client("reader"), built(Event::text("x")));
            match way {
                Way::Publish => drop(runtime.block_on(hub.publish(target, event))),
                Way::Try => drop(hub.try_publish(target, event)),
            }
        };
        elsewhere(&format!("waking a reader ({way:?})"), publish).await;
        let called = || self.sink.called.load(Ordering::SeqCst);
        eventually("a wake-up", PATIENCE, called).await;
    }
}

/// Publishes on a thread that the delivery must not block.
async fn deliver(router: &Subject, way: Way, name: &str) {
    let (router, runtime, publication) = (Arc::clone(router), Handle::current(), to(name));
    elsewhere(
        &format!("a delivery that calls ({way:?})"),
        move || match way {
            Way::Publish => drop(runtime.block_on(router.publish(publication.into()))),
            Way::Try => drop(router.try_publish(publication.into())),
        },
    )
    .await;
}

/// What a call from inside came to, for the outside to look at.
type Left<T> = Arc<Mutex<Option<T>>>;

/// A call of `try_publish`.
fn tries(
    router: &Subject,
) -> (
    Left<Result<Pending, RouteError>>,
    impl FnOnce() + Send + use<>,
) {
    let (router, left) = (Arc::clone(router), Left::default());
    let leave = Arc::clone(&left);
    (left, move || {
        let taken = router.try_publish(to("nobody").into());
        *leave.lock().expect("nobody panicked") = Some(taken);
    })
}

async fn end_try(left: Left<Result<Pending, RouteError>>) {
    let taken = left.lock().expect("nobody panicked").take();
    match taken.expect("it was called") {
        Ok(pending) => {
            let answer = timeout(PATIENCE, pending).await.expect("its turn comes");
            answer.expect("what was taken is accepted");
        }
        Err(error) => assert!(matches!(error, RouteError::Busy), "it answered {error:?}"),
    }
}

/// A first poll of `publish`.
fn polls(router: &Subject) -> (Left<Publishing>, impl FnOnce() + Send + use<>) {
    let (mut publishing, left) = (publishing(router, to("nobody")), Left::default());
    let leave = Arc::clone(&left);
    (left, move || {
        if poll(publishing.as_mut()).is_pending() {
            *leave.lock().expect("nobody panicked") = Some(publishing);
        }
    })
}

async fn end_poll(left: Left<Publishing>) {
    let publishing = left.lock().expect("nobody panicked").take();
    if let Some(publishing) = publishing {
        let answer = timeout(PATIENCE, publishing).await.expect("its turn comes");
        answer.expect("a started router accepts");
    }
}

pub(crate) async fn a_woken_reader_may_try_to_publish(router: Subject) {
    let reader = Reader::attached(&router).await;
    for way in WAYS {
        let (left, call) = tries(&router);
        reader.woken(way, call).await;
        end_try(left).await;
    }
}

pub(crate) async fn a_woken_reader_may_publish(router: Subject) {
    let reader = Reader::attached(&router).await;
    for way in WAYS {
        let (left, call) = polls(&router);
        reader.woken(way, call).await;
        end_poll(left).await;
    }
}

pub(crate) async fn a_delivery_may_publish(router: Subject) {
    let recorder = started(&router).await;
    for (way, name) in WAYS.into_iter().zip(["ada", "bob"]) {
        let ((tried, tries), (polled, polls)) = (tries(&router), polls(&router));
        recorder.inside_next(move || {
            tries();
            polls();
        });
        deliver(&router, way, name).await;
        recorder.until(name).await;
        end_try(tried).await;
        end_poll(polled).await;
    }
}

pub(crate) async fn debug_waits_for_no_delivery(router: Subject) {
    let recorder = started(&router).await;
    for (way, name) in WAYS.into_iter().zip(["ada", "bob"]) {
        let inside = Arc::clone(&router);
        recorder.inside_next(move || drop(format!("{inside:?}")));
        deliver(&router, way, name).await;
        recorder.until(name).await;
    }
}
