//! What the models share, which stand beside what they model: `cargo xtask models`.
//!
//! A model runs the real types under shuttle: a few tasks do at the same time what applications do
//! at the same time, and the model says what has to hold whatever happens first. Shuttle runs one
//! task at a time and chooses which one goes on: at random, or by random priorities that change a
//! few times (probabilistic concurrency testing). A model fails where a task panics, even if the
//! library catches it; where nothing can go on though not all have ended, which is what a lost
//! wake-up and a deadlock look like; and where it takes more steps than any sane run.
//!
//! # Why tokio's and std's own primitives stay as they are
//!
//! A task is preempted at the locks and atomics of [`sync`](crate::sync) and where it waits,
//! nowhere else. `Notify`, `Semaphore`, `oneshot`, `broadcast` and tokio's `Mutex` and `OnceCell`,
//! std's `Arc` and `OnceLock` use none of ours inside, so a call of theirs is one step: the models
//! take them to be linearizable, which they promise, and test what is built of them. They call
//! wakers after they have let go of their own locks, and shuttle's wakers only make a task
//! runnable, so nobody is ever preempted inside of them. They wake a task of a model as they would
//! one of a runtime's.
//!
//! # What the models don't see
//!
//! - Weak memory: every atomic counts as sequentially consistent. The orderings have to be right by
//!   themselves.
//! - Preemption between two steps of foreign primitives with neither a lock nor an atomic of ours
//!   between them, as when an `Arc` is dropped right after a `Notify` was notified.
//! - A reader that parking_lot would hold up behind a writer that waits: shuttle lets it pass.
//!   That would matter to a task that holds two read locks; none does, and one that read the same
//!   lock twice at once would fail.
//! - Time: the models' clock stands still, or is moved by hand.
//! - Every interleaving: a run is a sample, of the size that `SSE_MODEL_ITERATIONS` says. The
//!   smallest model of the sink is tried in all of them.
//!
//! A failure prints a schedule that `shuttle::replay` takes. It replays exactly where nothing else
//! is random: connection ids, the seeds of hash maps and the draws of `tokio::select!` are.

use std::{
    cell::Cell,
    env,
    future::{Future, poll_fn},
    panic::{self, AssertUnwindSafe},
    pin::pin,
    sync::{
        Arc, Once,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use shuttle::{
    Config, MaxSteps, Runner,
    scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler},
};
use sse_conformance::EventStream;

/// How often a model runs under each scheduler, unless `SSE_MODEL_ITERATIONS` says otherwise.
const ITERATIONS: usize = 5_000;

/// How many times the order of priorities changes in a run: few preemptions show most mistakes.
const DEPTH: usize = 4;

/// More steps than any run takes that doesn't turn in circles.
const STEPS: usize = 20_000;

thread_local! {
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// Runs a model through many interleavings.
pub(crate) fn check(model: impl Fn() + Send + Sync + 'static) {
    let asked = env::var("SSE_MODEL_ITERATIONS").ok();
    let times = asked.map_or(ITERATIONS, |times| times.parse().expect("a number"));
    let model = Arc::new(model);
    run("random", RandomScheduler::new(times), &model);
    run("priorities", PctScheduler::new(DEPTH, times), &model);
}

/// Runs a small model through all interleavings; how many those are.
pub(crate) fn check_all(model: impl Fn() + Send + Sync + 'static) -> usize {
    run("all", DfsScheduler::new(None, false), &Arc::new(model))
}

fn run<M: Fn() + Send + Sync + 'static>(
    name: &str,
    scheduler: impl Scheduler + 'static,
    model: &Arc<M>,
) -> usize {
    count_panics();
    let mut config = Config::new();
    // A hub's methods need more than shuttle's 60 KiB, unoptimized.
    config.stack_size = 256 * 1024;
    config.max_steps = MaxSteps::FailAfter(STEPS);
    // Said above.
    config.silence_warnings = true;
    let (model, runs) = (Arc::clone(model), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&runs);
    let runner = Runner::new(scheduler, config);
    let ended = panic::catch_unwind(AssertUnwindSafe(|| {
        runner.run(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            PANICS.set(0);
            model();
            assert_eq!(PANICS.get(), 0, "the library caught a panic");
        })
    }));
    ended.unwrap_or_else(|failure| {
        let runs = runs.load(Ordering::Relaxed);
        panic!("scheduler `{name}`, run {runs}: {}", reason(&*failure))
    })
}

fn reason(failure: &(dyn std::any::Any + Send)) -> &str {
    let owned = failure.downcast_ref::<String>().map(String::as_str);
    let text = owned.or_else(|| failure.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked")
}

fn count_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            before(info);
        }));
    });
}

/// Runs a future to its end, as a task of its own.
pub(crate) fn spawn<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> shuttle::future::JoinHandle<T> {
    shuttle::future::spawn(future)
}

/// Runs a future to its end here.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    shuttle::future::block_on(future)
}

/// Runs a future that never waits.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    wait(poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Pending => panic!("it waits"),
        ready => ready,
    }))
}

/// Lets others go on until it holds; a model in which it never does takes too many steps.
pub(crate) fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        shuttle::thread::yield_now();
    }
}

/// The data of each event of a stream, but of the library's own, with what they tell: `gap 2`.
pub(crate) fn texts(bytes: &[u8]) -> Vec<String> {
    let events = EventStream::new().push(bytes).into_iter();
    let texts = events.map(|event| match event.event.as_str() {
        "message" => event.data,
        "gap" => {
            let data: serde_json::Value = serde_json::from_str(&event.data).expect("JSON");
            format!("gap {}", data["dropped"])
        }
        name => name.to_owned(),
    });
    texts.collect()
}
