use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{Mutex, Notify};

use super::{
    Hub,
    core::{AGES, Core, millis},
    wakes::Wakes,
};
use crate::{
    CloseReason, Connection,
    connection::{LetGo, Stage},
    foreign::caught_future,
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        task::yield_now,
    },
};

/// How often streams are ended on the way: so many at once at the least that all are in time.
const TICK: Duration = Duration::from_millis(10);

/// How many streams are ended before other tasks get their turn.
const CHUNK: usize = 256;

/// How long the last stream has to be read to its end, even if the deadline is over.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How long the router may take for its own shutdown.
const FAREWELL: Duration = Duration::from_secs(5);

/// How a hub comes to its end: see [`Hub::shutdown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// Over which time the ends of the streams are spread, so that their clients don't all come back
    /// at once; 2 s by default, and never longer than the deadline.
    pub over: Duration,
    /// How long from the beginning a stream may take to be read to its end; 5 s by default. Then it
    /// is cut off. The last has 200 ms in any case.
    pub deadline: Duration,
    /// When clients are told to come back: each at a time of its own from here on, up to twice as
    /// late. 2 s by default.
    pub retry: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            over: Duration::from_secs(2),
            deadline: Duration::from_secs(5),
            retry: Duration::from_secs(2),
        }
    }
}

/// What a shutdown came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Drained {
    /// How many streams were read to their end, the farewell included. Those that had ended before,
    /// with something left to read, count too.
    pub clean: usize,
    /// How many weren't, by the deadline or because their clients left before.
    pub cut: usize,
}

/// How far a hub is on its way to its end.
#[derive(Debug, Default)]
pub(super) struct Farewell {
    begun: AtomicBool,
    retry_ms: AtomicU64,
    /// One at a time.
    progress: Mutex<Progress>,
    /// A transport has let go of a connection.
    let_go: Notify,
}

/// How far a shutdown has come, also if it was dropped midway.
#[derive(Debug, Default)]
struct Progress {
    /// The connections that it has ended, and those that had ended before and had something to read.
    ended: Vec<Arc<Connection>>,
    /// What it came to, once it is over.
    drained: Option<Drained>,
}

impl Hub {
    /// Ends the hub gracefully, so that nobody misses anything that is kept and not all clients come
    /// back at once. A server calls it first, and then its framework's own graceful shutdown, which
    /// finishes by itself because no stream is left.
    ///
    /// From now on new streams are [refused](crate::SubscribeError::Refused). Each open one is ended
    /// at a time of its own within [`Drain::over`]: what waits in its queue is delivered, then a
    /// `reconnect` that tells its client when to come back, then the response ends. A replay ends
    /// where it is: its client goes on from there when it comes back. By the
    /// [deadline](Drain::deadline) what hasn't been read is cut off.
    ///
    /// Meanwhile publishing works: what is published reaches those whose turn hasn't come, and is
    /// kept for those who are gone. Once this returns it fails with `Closed`, and the hub's task has
    /// ended. A router or a registry that doesn't end is waited for, 5 s each.
    ///
    /// Called again, it waits for the same and returns the same.
    ///
    /// # Cancel safety
    ///
    /// Dropped midway, new streams stay refused, and those whose turn hasn't come stay open; called
    /// again, it goes on.
    pub async fn shutdown(&self, drain: Drain) -> Drained {
        let core = self.core();
        let mut progress = core.farewell.progress.lock().await;
        if let Some(drained) = progress.drained {
            return drained;
        }
        core.refuse_from_now_on(drain.retry);
        let done = core.drain(drain, &mut progress.ended).await;
        let router = caught_future(self.shared.router.shutdown());
        tokio::select! {
            _ = router => {}
            () = core.clock.sleep_until(core.clock.now() + FAREWELL) => {
                tracing::warn!("the router doesn't end");
            }
        }
        core.close();
        tokio::select! {
            () = core.pulse.ended() => {}
            // It waits for the registry for a while itself; and its runtime may stand still.
            () = core.clock.sleep_until(core.clock.now() + FAREWELL * 2) => {
                tracing::warn!("the hub's task doesn't end");
            }
        }
        tracing::info!(clean = done.clean, cut = done.cut, "drained");
        progress.drained = Some(done);
        done
    }

    /// Whether the hub is on its way to its end, or there: so from the first moment of a
    /// [`shutdown`](Self::shutdown) on, for ever.
    ///
    /// What is published from then on misses those who are gone, unless it is kept for them elsewhere:
    /// a history in memory ends with its process. A server whose clients come back to another process
    /// therefore takes no publication any more once this is true, and asks again after the
    /// [outcome](crate::Receipt::outcome) of each: where it is still false, the event stands in the
    /// queue of every live stream that it was for, before its farewell; where it isn't, some may have
    /// gone without it, and it is to be published again where they come back.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.shared.core.is_draining()
    }
}

impl Core {
    pub(super) fn is_draining(&self) -> bool {
        self.farewell.begun.load(Ordering::Acquire)
    }

    /// When clients come back that are refused because of it, or later.
    pub(super) fn drain_retry(&self) -> Duration {
        Duration::from_millis(self.farewell.retry_ms.load(Ordering::Relaxed))
    }

    /// A transport has let go of a connection.
    pub(super) fn note_let_go(&self) {
        if self.is_draining() {
            self.farewell.let_go.notify_one();
        }
    }

    fn refuse_from_now_on(&self, retry: Duration) {
        let retry_ms = millis(retry);
        self.farewell.retry_ms.store(retry_ms, Ordering::Relaxed);
        // Who is being activated is active when this returns, or sees it.
        let _section = self.section.lock();
        self.farewell.begun.store(true, Ordering::Release);
    }

    async fn drain(self: &Arc<Self>, drain: Drain, ended: &mut Vec<Arc<Connection>>) -> Drained {
        let start = self.clock.now();
        self.send_off(drain, start, ended).await;
        // The last has time to be read whatever the deadline.
        let deadline = start + drain.deadline.min(AGES);
        let deadline = deadline.max(self.clock.now() + LAST_WORDS);
        tokio::select! {
            biased;
            () = self.all_let_go(ended) => {}
            () = self.clock.sleep_until(deadline) => {}
        }
        let (mut drained, mut wakes) = (Drained::default(), Wakes::new(self));
        for connection in ended {
            match connection.let_go() {
                LetGo::Clean => drained.clean += 1,
                LetGo::Unread => drained.cut += 1,
                LetGo::Not => {
                    drained.cut += 1;
                    self.give_up(connection, &mut wakes);
                }
            }
        }
        drained
    }

    /// Ends all connections, one after the other; adds those to `ended` that have something to read.
    async fn send_off(
        self: &Arc<Self>,
        drain: Drain,
        start: Instant,
        ended: &mut Vec<Arc<Connection>>,
    ) {
        let mut leaving = Vec::new();
        let known: HashSet<_> = ended.iter().map(|connection| connection.id()).collect();
        for connection in self.roster.all() {
            match connection.stage() {
                Stage::Live | Stage::CatchingUp | Stage::Ahead => leaving.push(connection),
                // Who isn't active yet has nobody to tell.
                Stage::Dormant => {
                    let mut wakes = Wakes::new(self);
                    self.end(&connection, CloseReason::Draining, &mut wakes);
                }
                Stage::Ended if connection.let_go() != LetGo::Not => {}
                Stage::Ended => {
                    ended.extend((!known.contains(&connection.id())).then_some(connection))
                }
            }
        }
        let over = drain.over.min(drain.deadline);
        let mut done = 0;
        while done < leaving.len() {
            let elapsed = self.clock.now().saturating_duration_since(start);
            let due = due_by(elapsed, over, leaving.len());
            for chunk in leaving[done..due].chunks(CHUNK) {
                let mut wakes = Wakes::new(self);
                let has_to_read = |connection: &&Arc<Connection>| {
                    let reason = CloseReason::Draining;
                    // Or it has ended meanwhile, with something left to read.
                    self.send_away(connection, reason, drain.retry, &mut wakes)
                        || self.roster.has(connection)
                };
                ended.extend(chunk.iter().filter(has_to_read).map(Arc::clone));
                drop(wakes);
                yield_now().await;
            }
            done = due;
            if done < leaving.len() {
                self.clock.sleep_until(self.clock.now() + TICK).await;
            }
        }
    }

    /// Waits until no transport has any of them.
    async fn all_let_go(&self, connections: &[Arc<Connection>]) {
        let mut rest = connections.iter();
        while let Some(connection) = rest.as_slice().first() {
            if connection.let_go() == LetGo::Not {
                self.farewell.let_go.notified().await;
            } else {
                rest.next();
            }
        }
    }
}

/// How many of `all` are to have been ended after so much of the time.
fn due_by(elapsed: Duration, over: Duration, all: usize) -> usize {
    if elapsed >= over {
        return all;
    }
    let share = elapsed.as_secs_f64() / over.as_secs_f64();
    ((all as f64 * share) as usize).min(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_flat_over_the_window() {
        let over = Duration::from_secs(2);
        let due = |ms| due_by(Duration::from_millis(ms), over, 1_000);
        assert_eq!(
            [due(0), due(500), due(1_000), due(1_999)],
            [0, 250, 500, 999]
        );
        assert_eq!([due(2_000), due(9_000)], [1_000, 1_000]);
        assert_eq!(due_by(Duration::ZERO, Duration::ZERO, 7), 7, "no window");
        assert_eq!(due_by(Duration::ZERO, over, 0), 0);
    }
}
