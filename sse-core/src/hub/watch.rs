//! What the hub remembers of a connection from one look to the next.

use std::{num::NonZeroU64, time::Duration};

use super::core::{Core, millis};
use crate::{CloseReason, Connection, Progress, Subscribe};

/// What the pulse remembers of a connection from one look to the next. Times are milliseconds of the
/// hub's time.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(super) subscribed: u64,
    /// When the last periodic heartbeat was due, and what was the last to read then.
    heartbeat: Option<(NonZeroU64, u64)>,
    pub(super) healthcheck_due: u64,
    /// When its lifetime is over.
    pub(super) expires: u64,
    /// Until when it is permitted.
    pub(super) valid_until: u64,
    /// Since when something has waited while this many frames had been taken.
    stalled: Option<(NonZeroU64, u64)>,
}

/// For how long a subscription asks for its connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    lifetime: Option<Duration>,
    valid_for: Option<Duration>,
}

impl Terms {
    pub(super) const fn of(subscribe: &Subscribe) -> Self {
        Self {
            lifetime: subscribe.lifetime,
            valid_for: subscribe.valid_for,
        }
    }
}

/// When something that happens every `interval` is due after `since`.
pub(super) fn due_after(since: u64, interval: Option<Duration>) -> u64 {
    interval.map_or(u64::MAX, |interval| since.saturating_add(millis(interval)))
}

impl Watch {
    /// What is remembered of a connection that subscribes now.
    pub(super) fn new(core: &Core, connection: &Connection, asked: Terms, now: u64) -> Self {
        // So that those who came together don't come back together.
        let longest = core.config.max_lifetime.map(|longest| {
            let early = (longest / 1024).saturating_mul(u32::from(connection.id().phase()));
            longest - early
        });
        let lifetime = asked.lifetime.into_iter().chain(longest).min();
        Self {
            subscribed: now,
            heartbeat: None,
            healthcheck_due: due_after(now, core.config.healthcheck),
            expires: due_after(now, lifetime),
            valid_until: due_after(now, asked.valid_for),
            stalled: None,
        }
    }

    /// When to look next.
    pub(super) fn due(&self, core: &Core, connection: &Connection, now: u64) -> u64 {
        let check = due_after(now, Some(core.config.reap_check));
        // Early enough to see an event before the heartbeat that it puts off.
        let half = due_after(now, core.config.heartbeat.map(|interval| interval / 2));
        let heartbeat = self.heartbeat_due(core, connection).min(half.max(now + 1));
        let due = check.min(heartbeat).min(self.healthcheck_due);
        due.min(self.expires).min(self.valid_until)
    }

    /// When the next periodic heartbeat is due: an interval after the last, or after what there was
    /// to read since.
    ///
    /// After something else than a heartbeat it is up to a quarter of the interval early, by the
    /// connection's id: what comes to many at once would otherwise bring their heartbeats together
    /// for ever.
    pub(super) fn heartbeat_due(&self, core: &Core, connection: &Connection) -> u64 {
        let Some(interval) = core.config.heartbeat.map(millis) else {
            return u64::MAX;
        };
        let (to_all, touched) = (core.config.heartbeat_to_all, connection.touched());
        let after = match self.heartbeat {
            Some((at, then)) if to_all || then == touched => {
                return at.get().saturating_add(interval);
            }
            None if to_all => self.subscribed,
            _ => touched.max(self.subscribed),
        };
        let early = interval / 4 * u64::from(connection.id().phase()) / 256;
        after.saturating_add(interval - early)
    }

    /// Notes that a periodic heartbeat was due.
    pub(super) fn note_heartbeat(&mut self, connection: &Connection, now: u64) {
        self.heartbeat = NonZeroU64::new(now).map(|now| (now, connection.touched()));
    }

    /// Notes how far the reader has come; why the connection is to be reaped, if it is.
    pub(super) fn reap(
        &mut self,
        core: &Core,
        connection: &Connection,
        progress: Progress,
        now: u64,
    ) -> Option<CloseReason> {
        let reap_after = millis(core.config.reap_after);
        let stalled = if progress.waiting == 0 {
            self.stalled = None;
            false
        } else {
            self.takes_nothing(core, progress, now)
        };
        if !connection.is_polled() && now >= self.subscribed.saturating_add(reap_after) {
            return Some(CloseReason::Unread);
        }
        stalled.then_some(CloseReason::Stalled)
    }

    /// Notes how far the reader has come; whether it has taken nothing for too long.
    pub(super) fn takes_nothing(&mut self, core: &Core, progress: Progress, now: u64) -> bool {
        let since = match self.stalled {
            Some((since, taken)) if taken == progress.taken => since.get(),
            _ => now,
        };
        self.stalled = NonZeroU64::new(since).map(|since| (since, progress.taken));
        now - since >= millis(core.config.reap_after)
    }
}
