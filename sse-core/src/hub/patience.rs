use std::time::{Duration, Instant};

use crate::{
    Clock, GapCause,
    hand_over::{Gap, Then},
};

/// How long to wait before a history is asked again that hasn't come as far as what was delivered, or
/// refused what it was asked for: twice as long each time.
const FIRST_WAIT: Duration = Duration::from_millis(10);
const LAST_WAIT: Duration = Duration::from_secs(1);

/// How often in a row a history may say that what it is asked for is gone.
const REFUSALS: u32 = 3;

/// Goes on without the history.
const GIVE_UP: Gap = Gap {
    cause: GapCause::Backend,
    then: Then::Head,
};

/// How much a catch-up puts up with from a history that gets it no further.
#[derive(Debug)]
pub(super) struct Patience {
    wait: Duration,
    refusals: u32,
    behind_since: Option<Instant>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            wait: FIRST_WAIT,
            refusals: 0,
            behind_since: None,
        }
    }
}

impl Patience {
    /// The history refused; what to tell the client of.
    pub(super) const fn refused(&mut self, gap: Gap) -> Gap {
        self.refusals += 1;
        // What is kept is gone each time before it is read.
        if self.refusals < REFUSALS {
            gap
        } else {
            GIVE_UP
        }
    }

    /// Whether it was the first refusal.
    pub(super) const fn is_fresh(&self) -> bool {
        self.refusals == 1
    }

    /// The history hasn't come as far as what was delivered; what to tell the client of, if that has
    /// gone on for as long as `deadline`.
    pub(super) fn behind(&mut self, now: Instant, deadline: Duration) -> Option<Gap> {
        let since = *self.behind_since.get_or_insert(now);
        let over = now.saturating_duration_since(since) >= deadline;
        over.then_some(GIVE_UP)
    }

    /// Waits before the history is asked again.
    pub(super) async fn pause(&mut self, clock: &dyn Clock) {
        clock.sleep_until(clock.now() + self.wait).await;
        self.wait = LAST_WAIT.min(self.wait * 2);
    }
}
