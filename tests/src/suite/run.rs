use std::{
    any::Any,
    cell::RefCell,
    panic::{self, AssertUnwindSafe},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

use super::{
    Case, Violation,
    case::{BoxFuture, On},
};

/// After how long of real time a case that blocks its thread is given up.
const BLOCKED: Duration = Duration::from_secs(20);

/// After how long a case that waits counts as waiting for ever.
const WAITED: Duration = Duration::from_secs(10);

/// How often a case has told that it gets on.
type Progress = Arc<AtomicU64>;

thread_local! {
    /// Of the case that runs on this thread.
    static PROGRESS: RefCell<Progress> = RefCell::default();
}

/// Tells that the case on this thread gets on, however slowly: its limits begin anew.
pub(crate) fn gets_on() {
    PROGRESS.with_borrow(|progress| progress.fetch_add(1, Ordering::Relaxed));
}

/// Makes the fresh instance that a case gets.
pub(crate) type Make<S> = Arc<dyn Fn() -> BoxFuture<S> + Send + Sync>;

/// Runs the case of that name.
///
/// # Panics
///
/// The case found a violation, or there is no such case.
#[track_caller]
pub(crate) fn check_case<S>(cases: &'static [Case<S>], name: &str, make: Make<S>) {
    let case = cases.iter().find(|case| case.name() == name);
    let case = case.unwrap_or_else(|| panic!("there is no case `{name}`"));
    if let Err(violation) = run(case, make) {
        panic!("{violation}");
    }
}

/// Runs every case, each on a fresh instance.
pub(crate) fn violations_of<S>(cases: &'static [Case<S>], make: &Make<S>) -> Vec<Violation> {
    let broken = |case| run(case, Arc::clone(make)).err();
    cases.iter().filter_map(broken).collect()
}

/// Runs a case on a thread of its own, so that an implementation that blocks for ever is found
/// out; its thread is left behind.
fn run<S>(case: &'static Case<S>, make: Make<S>) -> Result<(), Violation> {
    let (done, ended) = mpsc::channel();
    let progress = Progress::default();
    let own_progress = Arc::clone(&progress);
    let thread = thread::Builder::new().name(case.name().to_owned());
    let spawned = thread.spawn(move || {
        PROGRESS.set(Arc::clone(&own_progress));
        let runtime = runtime(case.on);
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async {
                let run = async {
                    let subject = make().await;
                    (case.run)(subject).await;
                };
                ends(run, &own_progress).await
            })
        }));
        let outcome = match outcome {
            Ok(true) => Ok(()),
            Ok(false) => Err(case.broken("it waits for ever".to_owned())),
            Err(panic) => Err(case.broken(message(&*panic))),
        };
        // If nobody listens any more, it took too long.
        let _ = done.send(outcome);
        // What still runs on it may block.
        runtime.shutdown_background();
    });
    if let Err(error) = spawned {
        return Err(case.broken(format!("no thread: {error}")));
    }
    loop {
        let before = progress.load(Ordering::Relaxed);
        let outcome = ended.recv_timeout(BLOCKED);
        if outcome.is_err() && progress.load(Ordering::Relaxed) != before {
            continue;
        }
        return outcome.unwrap_or_else(|error| {
            Err(case.broken(match error {
                RecvTimeoutError::Timeout => format!("it has blocked its thread for {BLOCKED:?}"),
                RecvTimeoutError::Disconnected => {
                    "its thread has ended without an answer".to_owned()
                }
            }))
        });
    }
}

/// Whether a case ends before it has got on no more for as long as [`WAITED`].
async fn ends(case: impl Future<Output = ()>, progress: &Progress) -> bool {
    let mut case = pin!(case);
    loop {
        let before = progress.load(Ordering::Relaxed);
        if timeout(WAITED, &mut case).await.is_ok() {
            return true;
        }
        if progress.load(Ordering::Relaxed) == before {
            return false;
        }
    }
}

fn runtime(on: On) -> Runtime {
    let mut builder = match on {
        On::OneThread => Builder::new_current_thread(),
        On::Threads => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(2);
            builder
        }
    };
    let built = builder.enable_all().build();
    built.unwrap_or_else(|error| panic!("no runtime: {error}"))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_owned()
}
