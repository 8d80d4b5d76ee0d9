use std::{num::NonZeroUsize, time::Duration};

use serde::{Deserialize, Serialize};

use super::Limits;
use crate::{
    HistoryLimits, KeyMemory, NoticeConfig, QueueLimits, TrustedProxies, WhenFull, wire::ID_LINE,
};

/// A hub's settings, as they stand in a configuration file.
///
/// Durations are texts such as `30s` or `1m 30s`. What is left out has its default; what isn't
/// known is an error.
///
/// ```
/// use sse_core::{Hub, HubConfig};
///
/// let config: HubConfig = serde_json::from_str(r#"{"heartbeat": "15s", "queue_events": 50}"#)?;
/// let hub = Hub::builder().config(config).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct HubConfig {
    /// How many events wait in a connection's queue; 100 by default.
    pub queue_events: usize,
    /// How many bytes of events wait in a connection's queue; 1 MiB by default.
    pub queue_bytes: usize,
    /// How many bytes of events wait in all queues together; no limit by default. An event counts
    /// once, in however many of them it waits. Over it the connection that holds the oldest waiting
    /// event overflows, and so on until what waits is within it. At least `max_event_bytes` and
    /// 64 more.
    pub byte_budget: Option<usize>,
    /// What happens where a queue is full. By default the connection is closed where there is a
    /// history, so that its client comes back for what it missed, and the oldest event is dropped
    /// where there is none.
    pub overflow: Option<Overflow>,
    /// When a client is told to come back whose connection was closed because its queue was full;
    /// 2 s by default, and twice as late each time in a row.
    #[serde(with = "humantime_serde")]
    pub retry_after_cut: Duration,
    /// As late as that at most, but for up to a quarter that keeps apart those who were cut together;
    /// 60 s by default. A cut three times as long after the last doesn't count as in a row.
    #[serde(with = "humantime_serde")]
    pub retry_after_cut_most: Duration,
    /// Whether an `EventSource` that isn't taken is answered with a status too; off by default: it is
    /// told by an event when to come back, because at a status it gives up for good.
    pub refuse_by_status: bool,
    /// When a client is told to come back that isn't taken because of a limit; 5 s by default. Each
    /// comes at a time of its own, up to twice as late.
    #[serde(with = "humantime_serde")]
    pub refusal_retry: Duration,
    /// How many connections there may be; no limit by default.
    pub limits: Limits,
    /// After how long every connection is ended, up to a quarter earlier, by the connection, at the
    /// latest a second later; its client is told to come back. Never by default.
    #[serde(with = "humantime_serde")]
    pub max_lifetime: Option<Duration>,
    /// The proxies in front whose word on where a request came from is taken; none by default.
    pub trusted_proxies: TrustedProxies,
    /// How large an event may be on the wire, in bytes; 4 MiB by default.
    pub max_event_bytes: usize,
    /// After how long without anything to read a connection gets a periodic heartbeat; 30 s by
    /// default, none for never. The first after something else is up to a quarter early, so that
    /// what comes to many at once doesn't bring their heartbeats together.
    #[serde(with = "humantime_serde")]
    pub heartbeat: Option<Duration>,
    /// Whether periodic heartbeats go to connections that had something to read, too; off by
    /// default.
    pub heartbeat_to_all: bool,
    /// Whether a heartbeat follows right after the opening event; off by default.
    pub initial_heartbeat: bool,
    /// How often a connection gets a healthcheck whatever its traffic; never by default.
    #[serde(with = "humantime_serde")]
    pub healthcheck: Option<Duration>,
    /// After how long a connection is closed whose reader takes nothing though something waits, or
    /// whose body isn't polled after subscribing; 90 s by default.
    #[serde(with = "humantime_serde")]
    pub reap_after: Duration,
    /// How often each connection is checked for that; 5 s by default.
    #[serde(with = "humantime_serde")]
    pub reap_check: Duration,
    /// How many idempotency keys are remembered; 100,000 by default.
    pub idempotency_keys: usize,
    /// How long an idempotency key is remembered; 10 minutes by default.
    #[serde(with = "humantime_serde")]
    pub idempotency_age: Duration,
    /// How many events are kept for clients that come back; 10,000 by default, 0 for no history.
    pub history_events: usize,
    /// How many bytes of them; 64 MiB by default.
    pub history_bytes: usize,
    /// For how long they are kept; for ever by default.
    #[serde(with = "humantime_serde")]
    pub history_age: Option<Duration>,
    /// How long the history may take to answer; 10 s by default. Then it counts as failed.
    #[serde(with = "humantime_serde")]
    pub history_deadline: Duration,
    /// How long the application may take to tell how things stand after a gap; 10 s by default.
    #[serde(with = "humantime_serde")]
    pub fresh_state_deadline: Duration,
    /// How many presence notices a reader may fall behind; 1,024 by default, 1,048,576 at the most.
    pub presence_backlog: usize,
    /// What the library's own events are called, and what they tell.
    pub notices: NoticeConfig,
}

impl Default for HubConfig {
    fn default() -> Self {
        let (queue, memory) = (QueueLimits::default(), KeyMemory::default());
        let history = HistoryLimits::default();
        Self {
            queue_events: queue.events.get(),
            queue_bytes: queue.bytes.get(),
            byte_budget: None,
            overflow: None,
            retry_after_cut: Duration::from_secs(2),
            retry_after_cut_most: Duration::from_secs(60),
            refuse_by_status: false,
            refusal_retry: Duration::from_secs(5),
            limits: Limits::default(),
            max_lifetime: None,
            trusted_proxies: TrustedProxies::default(),
            max_event_bytes: 4 * 1024 * 1024,
            heartbeat: Some(Duration::from_secs(30)),
            heartbeat_to_all: false,
            initial_heartbeat: false,
            healthcheck: None,
            reap_after: Duration::from_secs(90),
            reap_check: Duration::from_secs(5),
            idempotency_keys: memory.keys.get(),
            idempotency_age: memory.age,
            history_events: history.events.get(),
            history_bytes: history.bytes.get(),
            history_age: history.age,
            history_deadline: Duration::from_secs(10),
            fresh_state_deadline: Duration::from_secs(10),
            presence_backlog: 1024,
            notices: NoticeConfig::default(),
        }
    }
}

/// What happens to a slow reader, whose queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Overflow {
    /// Its connection is closed.
    Disconnect,
    /// The oldest waiting events are dropped, and a `gap` tells it.
    DropOldest,
    /// The new event is dropped, and a `gap` tells it.
    DropNewest,
}

impl From<Overflow> for WhenFull {
    fn from(overflow: Overflow) -> Self {
        match overflow {
            Overflow::Disconnect => Self::Refuse,
            Overflow::DropOldest => Self::DropOldest,
            Overflow::DropNewest => Self::DropThis,
        }
    }
}

/// Why a hub can't be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A limit is zero, or an interval less than a millisecond.
    #[error("{0} must not be zero")]
    Zero(&'static str),
    /// A limit is larger than what could be held.
    #[error("{what} must not be more than {max}")]
    TooLarge {
        /// Which setting.
        what: &'static str,
        /// What it may be.
        max: usize,
    },
    /// Of two settings, the one that is to be the smaller isn't.
    #[error("{what} must not be more than {most}")]
    OutOfOrder {
        /// Which is to be the smaller.
        what: &'static str,
        /// Which is to be the larger.
        most: &'static str,
    },
    /// A router that was given has no use for this: it keeps events itself, if it does, and is
    /// given as a log then.
    #[error("a router of one's own has no use for {0}")]
    Unused(&'static str),
    /// This needs a history.
    #[error("{0} needs a history")]
    NeedsHistory(&'static str),
}

impl HubConfig {
    /// The shortest time between two looks at a connection; what is shorter would only burn time.
    pub(crate) const MIN_TICK: Duration = Duration::from_millis(10);

    /// The room for presence notices is taken at once.
    const MAX_BACKLOG: usize = 1 << 20;

    pub(super) fn check(&self) -> Result<(), BuildError> {
        let numbers = [
            ("max_event_bytes", self.max_event_bytes),
            ("presence_backlog", self.presence_backlog),
        ];
        let durations = [
            ("heartbeat", self.heartbeat),
            ("healthcheck", self.healthcheck),
            ("retry_after_cut", Some(self.retry_after_cut)),
            ("refusal_retry", Some(self.refusal_retry)),
            ("max_lifetime", self.max_lifetime),
            ("reap_after", Some(self.reap_after)),
            ("reap_check", Some(self.reap_check)),
            ("history_age", self.history_age),
            ("history_deadline", Some(self.history_deadline)),
            ("fresh_state_deadline", Some(self.fresh_state_deadline)),
        ];
        let number = numbers.into_iter().find(|(_, n)| *n == 0);
        let least = Duration::from_millis(1);
        let too_short = |duration: Option<Duration>| duration.is_some_and(|d| d < least);
        let duration = durations.into_iter().find(|(_, d)| too_short(*d));
        if self.retry_after_cut > self.retry_after_cut_most {
            return Err(BuildError::OutOfOrder {
                what: "retry_after_cut",
                most: "retry_after_cut_most",
            });
        }
        if self
            .byte_budget
            .is_some_and(|bytes| bytes < self.max_event_bytes.saturating_add(ID_LINE))
        {
            return Err(BuildError::OutOfOrder {
                what: "max_event_bytes",
                most: "byte_budget",
            });
        }
        if self.presence_backlog > Self::MAX_BACKLOG {
            return Err(BuildError::TooLarge {
                what: "presence_backlog",
                max: Self::MAX_BACKLOG,
            });
        }
        match (number, duration) {
            (Some((what, _)), _) | (_, Some((what, _))) => Err(BuildError::Zero(what)),
            _ => {
                self.limits.check()?;
                self.queue().and(self.key_memory()).map(drop)
            }
        }
    }

    pub(super) fn queue(&self) -> Result<QueueLimits, BuildError> {
        Ok(QueueLimits {
            events: non_zero("queue_events", self.queue_events)?,
            bytes: non_zero("queue_bytes", self.queue_bytes)?,
        })
    }

    pub(super) fn overflow_or_default(&self, has_history: bool) -> Overflow {
        self.overflow.unwrap_or(if has_history {
            Overflow::Disconnect
        } else {
            Overflow::DropOldest
        })
    }

    /// What a history of these settings keeps; none where it keeps nothing.
    pub(super) fn history(&self) -> Result<Option<HistoryLimits>, BuildError> {
        let Some(events) = NonZeroUsize::new(self.history_events) else {
            return Ok(None);
        };
        Ok(Some(HistoryLimits {
            events,
            bytes: non_zero("history_bytes", self.history_bytes)?,
            age: self.history_age,
        }))
    }

    pub(super) fn key_memory(&self) -> Result<KeyMemory, BuildError> {
        Ok(KeyMemory {
            keys: non_zero("idempotency_keys", self.idempotency_keys)?,
            age: self.idempotency_age,
        })
    }
}

fn non_zero(what: &'static str, number: usize) -> Result<NonZeroUsize, BuildError> {
    NonZeroUsize::new(number).ok_or(BuildError::Zero(what))
}
