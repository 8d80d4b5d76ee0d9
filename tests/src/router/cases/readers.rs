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
    CloseReason, Event, EventSink, Frame, Hub, Offer, Pending, Progress, RouteError, Subscribe,
    WhenFull,
};
use tokio::time::timeout;

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

/// Publishes to a reader that does `call` when it is woken.
async fn woken(router: &Subject, call: impl FnOnce() + Send + 'static) {
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
    let _attached = hub
        .attach(reader, Arc::<Calling>::clone(&sink))
        .await
        .expect("a sink can be attached");
    // A hub ignores a first position that isn't after the head, which is another case.
    publish(router, to("nobody")).await;
    *sink.call.lock().expect("no call panicked") = Some(Box::new(call));
    let publisher = hub.clone();
    elsewhere("waking a reader that publishes", move || {
        let pending = publisher.try_publish(client("reader"), built(Event::text("x")));
        drop(pending.expect("a free router isn't busy"));
    })
    .await;
    let called = || sink.called.load(Ordering::SeqCst);
    eventually("a wake-up", PATIENCE, called).await;
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
    let (left, call) = tries(&router);
    woken(&router, call).await;
    end_try(left).await;
}

pub(crate) async fn a_woken_reader_may_publish(router: Subject) {
    let (left, call) = polls(&router);
    woken(&router, call).await;
    end_poll(left).await;
}

pub(crate) async fn a_delivery_may_publish(router: Subject) {
    let recorder = started(&router).await;
    let ((tried, tries), (polled, polls)) = (tries(&router), polls(&router));
    recorder.inside_next(move || {
        tries();
        polls();
    });
    elsewhere("a delivery that publishes", move || {
        drop(router.try_publish(to("ada").into()));
    })
    .await;
    recorder.until("ada").await;
    end_try(tried).await;
    end_poll(polled).await;
}

pub(crate) async fn debug_waits_for_no_delivery(router: Subject) {
    let recorder = started(&router).await;
    let inside = Arc::clone(&router);
    recorder.inside_next(move || drop(format!("{inside:?}")));
    elsewhere("a delivery that formats the router", move || {
        drop(router.try_publish(to("ada").into()));
    })
    .await;
    recorder.until("ada").await;
}
