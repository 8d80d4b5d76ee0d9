use std::{
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use sse_core::{
    Accepted, Batch, ClientId, Deliver, Event, EventBuilder, GroupName, Pending, Position,
    Publication, RouteError, Router, Target, Ticket,
};
use tokio::task::{JoinHandle, spawn_blocking, yield_now};

use super::recorder::{MARKER, PATIENCE, Recorder, while_getting_on};
use crate::eventually;

pub(crate) type Subject = Arc<dyn Router>;
pub(crate) type Answer = Result<Vec<Accepted>, RouteError>;

static TICKETS: AtomicU64 = AtomicU64::new(1);

pub(crate) fn client(name: &str) -> Target {
    Target::client(ClientId::new(name).expect("a valid client id"))
}

pub(crate) fn group(name: &str) -> GroupName {
    GroupName::new(name).expect("a valid group name")
}

pub(crate) fn built(event: EventBuilder) -> Event {
    event.build().expect("a valid event")
}

/// An event for `target`, with a ticket that no other has.
pub(crate) fn publication(target: Target, event: Event) -> Publication {
    let ticket = Ticket::new(TICKETS.fetch_add(1, Ordering::Relaxed));
    Publication::new(target, event, ticket)
}

/// A publication for a client, by which it is known again.
pub(crate) fn to(name: &str) -> Publication {
    publication(client(name), built(Event::text(name)))
}

pub(crate) fn keyed(name: &str, key: &str) -> Publication {
    let event = Event::text(name).idempotency_key(key);
    publication(client(name), built(event))
}

/// A publication for each of these.
pub(crate) fn batch<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Batch {
    names.into_iter().map(|name| to(name.as_ref())).collect()
}

pub(crate) fn numbered(prefix: &str, numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|n| format!("{prefix}{n}")).collect()
}

/// Starts the router, to deliver to what is returned.
pub(crate) async fn started(router: &Subject) -> Arc<Recorder> {
    let recorder = Arc::new(Recorder::default());
    start(router, &recorder).await;
    recorder
}

pub(crate) async fn start(router: &Subject, recorder: &Arc<Recorder>) -> Position {
    let to: Arc<dyn Deliver> = Arc::<Recorder>::clone(recorder);
    router.start(to).await.expect("a router starts")
}

pub(crate) async fn publish(router: &Subject, batch: impl Into<Batch>) -> Vec<Accepted> {
    let accepted = router.publish(batch.into()).await;
    accepted.expect("a started router accepts")
}

/// As [`publish`], by way of `try_publish`.
pub(crate) async fn take(router: &Subject, batch: impl Into<Batch>) -> Vec<Accepted> {
    let batch = batch.into();
    let deadline = Instant::now() + PATIENCE;
    let taken = loop {
        match router.try_publish(batch.iter().map(copy).collect()) {
            // What was answered before may still have to be delivered.
            Err(RouteError::Busy) if Instant::now() < deadline => yield_now().await,
            taken => break taken,
        }
    };
    let accepted = taken.expect("a free router isn't busy").await;
    accepted.expect("what was taken is accepted")
}

fn copy(publication: &Publication) -> Publication {
    let (target, event) = (publication.target().clone(), publication.event().clone());
    Publication::new(target, event, publication.ticket())
}

/// Waits until everything that was accepted has been delivered, and says whom it was for.
pub(crate) async fn settled(router: &Subject, recorder: &Recorder) -> Vec<String> {
    let marker = format!("{MARKER}{}", TICKETS.fetch_add(1, Ordering::Relaxed));
    publish(router, to(&marker)).await;
    recorder.until(&marker).await;
    // What a task of the router's still has to do, and shouldn't.
    for _ in 0..8 {
        yield_now().await;
    }
    recorder.names()
}

/// A delivery that is held up for as long as this lives.
pub(crate) struct Held {
    recorder: Arc<Recorder>,
    /// The answer to what is held up, for a router to know that it is awaited.
    _answer: JoinHandle<Result<Pending, RouteError>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.recorder.let_go();
    }
}

/// Has a delivery held up, on a thread of its own.
pub(crate) async fn held_up(router: &Subject, recorder: &Arc<Recorder>) -> Held {
    recorder.hold_next();
    let router = Arc::clone(router);
    let deadline = Instant::now() + PATIENCE;
    let held = Held {
        recorder: Arc::clone(recorder),
        _answer: spawn_blocking(move || {
            loop {
                match router.try_publish(to(&format!("{MARKER}held")).into()) {
                    // What came before may still have to be put away.
                    Err(RouteError::Busy) if Instant::now() < deadline => thread::yield_now(),
                    taken => break taken,
                }
            }
        }),
    };
    eventually("a delivery", PATIENCE, || recorder.is_held()).await;
    held
}

/// Has `try_publish` take publications to `prefix` and a number until it is busy, at the most
/// `most`; the answers to those that it took.
pub(crate) async fn taken(router: &Subject, prefix: &str, most: usize) -> Vec<Pending> {
    let (router, prefix) = (Arc::clone(router), prefix.to_owned());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let take = move || {
        let mut taken = Vec::new();
        while taken.len() < most {
            match router.try_publish(to(&format!("{prefix}{}", taken.len())).into()) {
                Ok(pending) => taken.push(pending),
                Err(RouteError::Busy) => break,
                Err(error) => panic!("try_publish answered {error:?}"),
            }
            counted.store(taken.len(), Ordering::Relaxed);
        }
        taken
    };
    elsewhere_while("try_publish", || count.load(Ordering::Relaxed), take).await
}

/// What was taken is accepted, all of it.
pub(crate) async fn all_accepted(taken: Vec<Pending>) {
    let count = AtomicUsize::new(0);
    let accepted = async {
        for pending in taken {
            pending.await.expect("what was taken is accepted");
            count.fetch_add(1, Ordering::Relaxed);
        }
    };
    let accepted = while_getting_on(|| count.load(Ordering::Relaxed), accepted).await;
    accepted.expect("what was taken is answered");
}

/// Does `act` on another thread, which it must not block.
pub(crate) async fn elsewhere<T: Send + 'static>(
    what: &str,
    act: impl FnOnce() -> T + Send + 'static,
) -> T {
    elsewhere_while(what, || 0, act).await
}

/// The same, where the count `done` tells that it gets on.
async fn elsewhere_while<T: Send + 'static>(
    what: &str,
    done: impl Fn() -> usize,
    act: impl FnOnce() -> T + Send + 'static,
) -> T {
    let acted = while_getting_on(done, spawn_blocking(act)).await;
    let acted = acted.unwrap_or_else(|| panic!("{what} has blocked its thread for {PATIENCE:?}"));
    acted.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(error) => panic!("{what}: {error}"),
    })
}

/// Waits until what was tried elsewhere is done, or seems to block: whether it does is the business
/// of a case of its own.
pub(crate) async fn tried_or_blocked(mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(1);
    while !done() && Instant::now() < deadline {
        yield_now().await;
    }
}

/// A publication that can be polled anywhere.
pub(crate) type Publishing = Pin<Box<dyn Future<Output = Answer> + Send>>;

pub(crate) fn publishing(router: &Subject, batch: impl Into<Batch>) -> Publishing {
    let (router, batch) = (Arc::clone(router), batch.into());
    Box::pin(async move { router.publish(batch).await })
}

pub(crate) fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls `future` up to `times` times, then drops it.
pub(crate) fn poll_and_drop<T>(future: impl Future<Output = T>, times: usize) {
    let mut future = pin!(future);
    let done = (0..times).any(|_| poll(future.as_mut()).is_ready());
    let _ = done;
}
