use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;

use super::{Hub, core::Core, wakes::Wakes};
use crate::{CloseReason, Connection, ConnectionId, Frame};

/// Why a new connection isn't taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RefusalReason {
    /// The hub is draining, or has drained.
    Draining,
    /// There are as many connections as there may be.
    Connections,
    /// Its client has as many connections as it may have.
    PerClient,
    /// One of its groups has as many connections as it may have.
    PerGroup,
    /// There are as many connections from its address as there may be.
    PerAddress,
    /// It asks to be in more groups than a connection may be in.
    Groups,
    /// What the application needs to judge it isn't there: see
    /// [`ClientRequest::refuse`](crate::ClientRequest::refuse).
    Unavailable,
}

impl RefusalReason {
    /// The reason as it stands in events, logs and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::Connections => "connections",
            Self::PerClient => "per-client",
            Self::PerGroup => "per-group",
            Self::PerAddress => "per-address",
            Self::Groups => "groups",
            Self::Unavailable => "unavailable",
        }
    }
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A connection that isn't taken now, and may be later.
#[derive(Debug, Clone)]
pub struct Refusal {
    reason: RefusalReason,
    retry: Duration,
    event: Frame,
    by_status: bool,
}

impl Refusal {
    /// Why it isn't taken.
    #[must_use]
    pub const fn reason(&self) -> RefusalReason {
        self.reason
    }

    /// When the client is to come back. Each is told another time, so that they don't come together.
    #[must_use]
    pub const fn retry(&self) -> Duration {
        self.retry
    }

    /// What tells an `EventSource` of it: a whole stream of one event, `refused`, with the retry.
    #[must_use]
    pub fn event(&self) -> Bytes {
        self.event.bytes().clone()
    }

    /// Whether an `EventSource` is answered with a [status](Self::status) too, at which it gives up
    /// for good: as the hub is set.
    #[must_use]
    pub const fn is_by_status(&self) -> bool {
        self.by_status
    }

    /// What tells other clients of it.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self.reason {
            RefusalReason::Draining
            | RefusalReason::Connections
            | RefusalReason::PerGroup
            | RefusalReason::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            RefusalReason::PerClient | RefusalReason::PerAddress | RefusalReason::Groups => {
                StatusCode::TOO_MANY_REQUESTS
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no new stream is taken: {}", self.reason)
    }
}

impl std::error::Error for Refusal {}

impl Hub {
    /// Refuses a connection that the application can't judge now.
    pub(crate) fn refuse(&self) -> Result<Refusal, getrandom::Error> {
        let id = ConnectionId::random()?;
        Ok(self.core().refusal(id, RefusalReason::Unavailable))
    }
}

impl Core {
    /// Refuses a connection whose client is to come back after `retry`, or up to twice as late.
    pub(super) fn refusal(&self, id: ConnectionId, reason: RefusalReason) -> Refusal {
        let retry = spread(self.retry_of(reason), id);
        self.counters.refused.add(1);
        tracing::debug!(%reason, "a connection is refused");
        Refusal {
            reason,
            retry,
            event: self.sinks.notices().refused(reason.as_str(), retry),
            by_status: self.config.refuse_by_status,
        }
    }

    fn retry_of(&self, reason: RefusalReason) -> Duration {
        match reason {
            RefusalReason::Draining => self.drain_retry(),
            _ => self.config.refusal_retry,
        }
    }

    /// Ends a connection whose client is to come back after `retry`, or up to twice as late: what
    /// waits is delivered, and then it is told. `false` if it had ended before.
    pub(super) fn send_away(
        &self,
        connection: &Arc<Connection>,
        reason: CloseReason,
        retry: Duration,
        wakes: &mut Wakes,
    ) -> bool {
        let retry = spread(retry, connection.id());
        let reconnect = self.sinks.notices().reconnect(reason.as_str(), retry);
        let _section = self.section.lock();
        if connection.stage().is_active() {
            // What was sent to it alone goes first, as far as there is room.
            self.push_own_in(connection, 0, wakes);
            self.notify(connection, &reconnect, wakes);
        }
        self.end(connection, reason, wakes)
    }
}

/// When a client comes back whose connection the hub had to end.
pub(super) const COME_BACK: Duration = Duration::from_secs(2);

/// From `least` on, up to twice as late: each connection by its id.
pub(super) fn spread(least: Duration, id: ConnectionId) -> Duration {
    let extra = (least / 256).saturating_mul(u32::from(id.phase()));
    least.saturating_add(extra)
}
