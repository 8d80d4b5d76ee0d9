use std::{
    fmt::Debug,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant, SystemTime},
};

use slab::Slab;

use crate::sync::Mutex;

/// A boxed future that ends when a clock has reached a deadline.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where a hub's time comes from: every timer, timeout and timestamp.
///
/// [`TokioClock`] is the default. [`ManualClock`] stands still until a test moves it. The monotonic
/// time never goes back; all methods may be called from any thread at once, and don't block.
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't a clock",
    note = "implement `Clock` for it, or use `TokioClock` or `ManualClock`"
)]
pub trait Clock: Debug + Send + Sync + 'static {
    /// The monotonic time, for measuring.
    fn now(&self) -> Instant;

    /// The calendar time, for telling.
    fn system_time(&self) -> SystemTime;

    /// Ends once [`now`](Self::now) has reached `deadline`. Dropping it is how to stop waiting.
    fn sleep_until(&self, deadline: Instant) -> Sleep;
}

#[deny(clippy::missing_trait_methods)]
impl<T: Clock + ?Sized> Clock for Arc<T> {
    fn now(&self) -> Instant {
        (**self).now()
    }

    fn system_time(&self) -> SystemTime {
        (**self).system_time()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        (**self).sleep_until(deadline)
    }
}

/// Tokio's clock and timer; follows `tokio::time::pause` in tests, but for the calendar time.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioClock;

impl Clock for TokioClock {
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn system_time(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Box::pin(tokio::time::sleep_until(deadline.into()))
    }
}

/// A clock for tests: it stands still until it is moved, and needs no runtime.
///
/// Clones are the same clock.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<Manual>>);

#[derive(Debug)]
struct Manual {
    now: Instant,
    system_time: SystemTime,
    sleepers: Slab<(Instant, Waker)>,
}

impl ManualClock {
    /// A clock that shows the present moment and stays there.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Manual {
            now: Instant::now(),
            system_time: SystemTime::now(),
            sleepers: Slab::new(),
        })))
    }

    /// Moves the clock on by `by` and wakes whoever slept until then.
    pub fn advance(&self, by: Duration) {
        let due = {
            let mut clock = self.0.lock();
            clock.now += by;
            clock.system_time += by;
            let now = clock.now;
            let sleepers = clock.sleepers.iter();
            let due = sleepers.filter(|(_, (at, _))| *at <= now);
            due.map(|(_, (_, waker))| waker.clone()).collect::<Vec<_>>()
        };
        due.into_iter().for_each(Waker::wake);
    }

    /// The earliest moment somebody sleeps until; none while nobody sleeps.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let clock = self.0.lock();
        clock.sleepers.iter().map(|(_, (at, _))| *at).min()
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        self.0.lock().now
    }

    fn system_time(&self) -> SystemTime {
        self.0.lock().system_time
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Box::pin(ManualSleep {
            clock: self.clone(),
            deadline,
            key: None,
        })
    }
}

struct ManualSleep {
    clock: ManualClock,
    deadline: Instant,
    key: Option<usize>,
}

impl Future for ManualSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut clock = this.clock.0.lock();
        if clock.now >= this.deadline {
            return Poll::Ready(());
        }
        let sleeper = (this.deadline, cx.waker().clone());
        match this.key {
            Some(key) => clock.sleepers[key] = sleeper,
            None => this.key = Some(clock.sleepers.insert(sleeper)),
        }
        Poll::Pending
    }
}

impl Drop for ManualSleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.clock.0.lock().sleepers.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_manual_clock_moves_only_by_hand() {
        let clock = ManualClock::new();
        let start = (clock.now(), clock.system_time());
        let minute = Duration::from_secs(60);
        let mut sleep = clock.sleep_until(start.0 + minute);
        clock.advance(minute - Duration::from_nanos(1));
        assert_eq!((&mut sleep).now_or_never(), None);
        clock.advance(Duration::from_nanos(1));
        assert_eq!(sleep.now_or_never(), Some(()));
        assert_eq!(clock.now(), start.0 + minute);
        assert_eq!(clock.system_time(), start.1 + minute);
    }

    #[tokio::test]
    async fn a_manual_clock_wakes_its_sleepers() {
        let clock = ManualClock::new();
        let sleep = tokio::spawn(clock.sleep_until(clock.now() + Duration::from_secs(1)));
        while clock.next_deadline().is_none() {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(1));
        sleep.await.unwrap();
    }
}
