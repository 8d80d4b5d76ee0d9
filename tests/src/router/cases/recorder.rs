//! The kit's side of a router: it notes what is delivered, and can hold a delivery up.

use std::{
    fmt,
    pin::pin,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sse_core::{Deliver, Delivered, Lost, Position, Routed, Scope};
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    task::block_in_place,
    time::{sleep, timeout},
};

use crate::suite::gets_on;

/// How long of real time a case waits for what a right router does at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// After which a delivery goes on though nobody lets it: longer than any case lasts.
const HELD_AT_MOST: Duration = Duration::from_secs(120);

/// How often a case looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Waits for `what` until the count `done` has stood still for as long as [`PATIENCE`]; none then.
pub(crate) async fn while_getting_on<T>(
    done: impl Fn() -> usize,
    what: impl Future<Output = T>,
) -> Option<T> {
    let mut what = pin!(what);
    loop {
        let before = done();
        if let Ok(output) = timeout(PATIENCE, &mut what).await {
            return Some(output);
        }
        if done() == before {
            return None;
        }
        gets_on();
    }
}

/// Clients whose names begin so are the kit's own, and no part of what a case looks at.
pub(crate) const MARKER: &str = "marker-";

/// Notes every call. An event is known by the client that it is for.
#[derive(Default)]
pub(crate) struct Recorder {
    log: Mutex<Log>,
    let_go: Condvar,
}

#[derive(Default)]
struct Log {
    calls: Vec<Vec<Routed>>,
    /// How many calls have returned.
    returned: usize,
    /// How many calls are being made.
    inside: usize,
    overlapped: bool,
    lost: usize,
    hold: Hold,
    inside_next: Option<Box<dyn FnOnce() + Send>>,
}

/// Whether a delivery is to be held up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Hold {
    #[default]
    None,
    Next,
    Held,
}

impl Recorder {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds the next delivery up until it is let go.
    pub(crate) fn hold_next(&self) {
        self.log().hold = Hold::Next;
    }

    pub(crate) fn is_held(&self) -> bool {
        self.log().hold == Hold::Held
    }

    pub(crate) fn let_go(&self) {
        self.log().hold = Hold::None;
        self.let_go.notify_all();
    }

    /// Has the next delivery do this.
    pub(crate) fn inside_next(&self, act: impl FnOnce() + Send + 'static) {
        self.log().inside_next = Some(Box::new(act));
    }

    /// Everything that was delivered.
    pub(crate) fn routed(&self) -> Vec<Routed> {
        let log = self.log();
        let routed = log.calls.iter().flatten();
        routed.filter(|r| !is_marker(r)).cloned().collect()
    }

    /// Whom each call was for.
    pub(crate) fn calls(&self) -> Vec<Vec<String>> {
        let log = self.log();
        let calls = log
            .calls
            .iter()
            .map(|call| call.iter().filter(|r| !is_marker(r)).map(name_of).collect());
        calls.filter(|call: &Vec<_>| !call.is_empty()).collect()
    }

    /// Whom everything was for.
    pub(crate) fn names(&self) -> Vec<String> {
        self.calls().concat()
    }

    pub(crate) fn knows(&self, name: &str) -> bool {
        let log = self.log();
        let mut routed = log.calls.iter().flatten();
        routed.any(|routed| name_of(routed) == name)
    }

    /// Whether any call is being made.
    pub(crate) fn is_inside(&self) -> bool {
        self.log().inside > 0
    }

    /// How many calls were begun.
    pub(crate) fn begun(&self) -> usize {
        let log = self.log();
        log.returned + log.inside
    }

    /// How many publications calls have brought so far.
    pub(crate) fn brought(&self) -> usize {
        self.log().calls.iter().map(Vec::len).sum()
    }

    pub(crate) fn has_overlapped(&self) -> bool {
        self.log().overlapped
    }

    pub(crate) fn losses(&self) -> usize {
        self.log().lost
    }

    /// Waits until `name` was delivered, and no call is being made.
    pub(crate) async fn until(&self, name: &str) {
        let delivered = async {
            while !self.knows(name) || self.is_inside() {
                sleep(LOOK_EVERY).await;
            }
        };
        let delivered = while_getting_on(|| self.brought(), delivered).await;
        assert!(
            delivered.is_some(),
            "a whole delivery to {name}: not so within {PATIENCE:?}"
        );
    }

    fn enter(&self) -> MutexGuard<'_, Log> {
        let mut log = self.log();
        log.overlapped |= log.inside > 0;
        log.inside += 1;
        log
    }

    fn leave(&self) {
        let mut log = self.log();
        log.inside -= 1;
        log.returned += 1;
    }
}

impl Deliver for Recorder {
    fn deliver(&self, routed: &[Routed]) -> Delivered {
        let mut log = self.enter();
        log.calls.push(routed.to_vec());
        if routed.is_empty() {
            // Which a router may do at any time, and is no delivery to hold up.
            drop(log);
            self.leave();
            return Delivered::default();
        }
        if log.hold == Hold::Next {
            log.hold = Hold::Held;
            let held = |log: &mut Log| log.hold == Hold::Held;
            let waited = blocking(|| self.let_go.wait_timeout_while(log, HELD_AT_MOST, held));
            log = waited.unwrap_or_else(PoisonError::into_inner).0;
            if log.hold == Hold::Held {
                log.hold = Hold::None;
            }
        }
        let act = log.inside_next.take();
        drop(log);
        if let Some(act) = act {
            act();
        }
        self.leave();
        Delivered::default()
    }

    fn lost(&self, _: Option<Position>, _: Lost) {
        self.enter().lost += 1;
        self.leave();
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

/// Blocks this thread, of whichever runtime it is.
fn blocking<T>(wait: impl FnOnce() -> T) -> T {
    let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    if matches!(flavor, Ok(RuntimeFlavor::MultiThread)) {
        // It may be a worker of the case's runtime, which would take the timers along.
        block_in_place(wait)
    } else {
        // A thread of the router's own, which can't be left to others.
        wait()
    }
}

fn is_marker(routed: &Routed) -> bool {
    matches!(routed.target.scope(), Scope::Client(client) if client.as_str().starts_with(MARKER))
}

fn name_of(routed: &Routed) -> String {
    match routed.target.scope() {
        Scope::Client(client) => client.as_str().to_owned(),
        other => format!("{other:?}"),
    }
}
