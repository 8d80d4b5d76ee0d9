//! Where a connection's events go.

mod body;
mod context;
#[cfg(all(test, shuttle))]
mod models;
mod queue;
mod waiting;

use std::{
    fmt::{self, Debug},
    sync::Arc,
    task::{Context, Poll},
};

use serde::Serialize;

pub(crate) use self::queue::{QueueShared, Wakers};
pub(crate) use self::waiting::{Entry, Gone, Held, Terms, Waiting};
pub use self::{
    body::EventBody,
    context::SinkContext,
    queue::{QueueLimits, QueueSink},
};
use crate::Frame;

#[doc = include_str!("docs/event_sink.md")]
#[doc = "```"]
#[doc = include_str!("docs/log_sink.rs")]
#[doc = "```"]
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't a sink for events",
    note = "implement `EventSink` for it, or use `QueueSink`"
)]
pub trait EventSink: Debug + Send + Sync + 'static {
    /// Offers a frame, and says what to do where it doesn't fit.
    fn try_send(&self, frame: &Frame, full: WhenFull) -> Offer;

    /// Makes whoever reads look again.
    fn wake(&self);

    /// Whether a frame of `next` bytes would be taken now; `false` once the sink is closed.
    ///
    /// Where it would not, the task of `cx` is woken when that changes.
    fn poll_room(&self, cx: &mut Context<'_>, next: usize) -> Poll<bool>;

    /// How far the transport has come.
    fn progress(&self) -> Progress;

    /// Takes nothing more, and ends the transport.
    fn close(&self, reason: CloseReason);

    /// Whether it was closed, by either side.
    fn is_closed(&self) -> bool;
}

#[deny(clippy::missing_trait_methods)]
impl<T: EventSink + ?Sized> EventSink for Arc<T> {
    fn try_send(&self, frame: &Frame, full: WhenFull) -> Offer {
        (**self).try_send(frame, full)
    }

    fn wake(&self) {
        (**self).wake();
    }

    fn poll_room(&self, cx: &mut Context<'_>, next: usize) -> Poll<bool> {
        (**self).poll_room(cx, next)
    }

    fn progress(&self) -> Progress {
        (**self).progress()
    }

    fn close(&self, reason: CloseReason) {
        (**self).close(reason);
    }

    fn is_closed(&self) -> bool {
        (**self).is_closed()
    }
}

/// What a sink does with a frame for which it has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// Answer [`Offer::Full`]; nothing changes.
    Refuse,
    /// Drop the oldest frames until there is room.
    DropOldest,
    /// Drop this frame.
    DropThis,
}

/// What became of a frame that was offered to a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Offer {
    /// It was taken.
    Queued {
        /// How many waiting frames of the same conflation key it took the place of.
        replaced: u32,
        /// How many older frames were dropped to make room.
        dropped: u32,
    },
    /// There was no room; this frame was dropped.
    Dropped,
    /// There was no room; nothing changed.
    Full,
    /// The sink is closed.
    Closed,
}

impl Offer {
    /// Taken, at nobody's cost.
    pub const QUEUED: Self = Self::Queued {
        replaced: 0,
        dropped: 0,
    };
}

/// How far a sink's transport has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// How many frames the transport has taken since the beginning, of every kind.
    pub taken: u64,
    /// How many frames wait.
    pub waiting: usize,
    /// How many bytes of the application's frames wait.
    pub bytes: usize,
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CloseReason {
    /// The client went away: the response was dropped.
    ClientGone,
    /// The application disconnected it; an EventSource will come back.
    Disconnected,
    /// Its queue was full, or it held the oldest waiting event when the byte budget was used up; and
    /// the policy is to disconnect.
    Overflow,
    /// Its reader took nothing for too long while something waited.
    Stalled,
    /// Its body wasn't polled for too long after subscribing.
    Unread,
    /// Its sink was closed from the other side, or panicked.
    SinkFailed,
    /// It missed something, and the application couldn't tell how things stand; an EventSource
    /// will come back.
    NoFreshState,
    /// A newer connection of its client took its place.
    Replaced,
    /// Its client was ended for good.
    Final,
    /// Its lifetime is over; an EventSource will come back.
    Expired,
    /// What it was permitted by was taken back, or has run out.
    Revoked,
    /// The hub was shut down; an EventSource will come back.
    Draining,
    /// The hub is gone.
    HubClosed,
}

impl CloseReason {
    pub(crate) const ALL: [Self; 13] = [
        Self::ClientGone,
        Self::Disconnected,
        Self::Overflow,
        Self::Stalled,
        Self::Unread,
        Self::SinkFailed,
        Self::NoFreshState,
        Self::Replaced,
        Self::Final,
        Self::Expired,
        Self::Revoked,
        Self::Draining,
        Self::HubClosed,
    ];

    /// Whether what still waits is thrown away rather than delivered: nobody would read it, or is to.
    #[must_use]
    pub const fn discards(self) -> bool {
        match self {
            Self::Disconnected
            | Self::NoFreshState
            | Self::Replaced
            | Self::Final
            | Self::Expired
            | Self::Draining
            | Self::HubClosed => false,
            Self::ClientGone
            | Self::Overflow
            | Self::Stalled
            | Self::Unread
            | Self::SinkFailed
            | Self::Revoked => true,
        }
    }

    /// The reason as it stands in logs, metrics and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientGone => "client-gone",
            Self::Disconnected => "disconnected",
            Self::Overflow => "overflow",
            Self::Stalled => "stalled",
            Self::Unread => "unread",
            Self::SinkFailed => "sink-failed",
            Self::NoFreshState => "no-fresh-state",
            Self::Replaced => "replaced",
            Self::Final => "final",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Draining => "draining",
            Self::HubClosed => "hub-closed",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
