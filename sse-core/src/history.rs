//! The recent past, for clients that reconnect.

mod index;
mod memory;
mod rule;
mod viewer;

use std::{error::Error, fmt::Debug, sync::Arc, time::SystemTime};

use async_trait::async_trait;

pub use self::{
    memory::{HistoryLimits, MemoryHistory},
    rule::GroupRule,
    viewer::Viewer,
};
use crate::{EventId, Frame, Position, Routed, Target};

#[doc = include_str!("docs/history.md")]
#[doc = "```"]
#[doc = include_str!("docs/list_history.rs")]
#[doc = "```"]
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't a history",
    note = "implement `History` for it, or use `MemoryHistory`"
)]
#[async_trait]
pub trait History: Debug + Send + Sync + 'static {
    /// What is kept right now.
    async fn bounds(&self) -> Result<Bounds, HistoryError>;

    /// Where the newest kept event with this id stands that `viewer` sees; none if there is none.
    async fn locate(&self, id: &EventId, viewer: &Viewer)
    -> Result<Option<Position>, HistoryError>;

    /// After which position those events begin that are `wanted`, of what `viewer` sees.
    async fn latest(&self, wanted: Latest, viewer: &Viewer) -> Result<Position, HistoryError>;

    /// What `viewer` sees after `after`, oldest first, and up to where that looked.
    async fn page(
        &self,
        after: Position,
        viewer: &Viewer,
        limit: PageLimit,
    ) -> Result<Page, HistoryError>;
}

/// A [`History`] that a router of this process writes: what [`LocalRouter`](crate::LocalRouter)
/// appends to.
///
/// Both methods are synchronous and do no I/O: they are called in the order of positions, one call
/// at a time, on the path of a delivery. They don't panic.
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't a history that a router can write",
    note = "implement `Keep` for it, or use `MemoryHistory`"
)]
pub trait Keep: History {
    /// Begins an epoch: what was kept before is forgotten, and later positions come after `head`.
    fn begin(&self, head: Position);

    /// Keeps an event, which has a position. Called before the event is delivered: what was
    /// delivered is found by every later [`page`](History::page).
    fn append(&self, routed: &Routed);
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<T: History + ?Sized> History for Arc<T> {
    async fn bounds(&self) -> Result<Bounds, HistoryError> {
        (**self).bounds().await
    }

    async fn locate(
        &self,
        id: &EventId,
        viewer: &Viewer,
    ) -> Result<Option<Position>, HistoryError> {
        (**self).locate(id, viewer).await
    }

    async fn latest(&self, wanted: Latest, viewer: &Viewer) -> Result<Position, HistoryError> {
        (**self).latest(wanted, viewer).await
    }

    async fn page(
        &self,
        after: Position,
        viewer: &Viewer,
        limit: PageLimit,
    ) -> Result<Page, HistoryError> {
        (**self).page(after, viewer, limit).await
    }
}

#[deny(clippy::missing_trait_methods)]
impl<T: Keep + ?Sized> Keep for Arc<T> {
    fn begin(&self, head: Position) {
        (**self).begin(head);
    }

    fn append(&self, routed: &Routed) {
        (**self).append(routed);
    }
}

/// What a history holds at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Every event after this position is still kept.
    pub floor: Position,
    /// The position of the newest event; `floor` where none is kept.
    pub newest: Position,
    /// How many events are kept.
    pub events: u64,
    /// How much they take, in bytes, as the history counts them.
    pub bytes: u64,
}

/// An event as it is kept: what it said on the wire, and whom it was for.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Whom it is for.
    pub target: Target,
    /// The event, encoded, with its position.
    pub frame: Frame,
}

impl From<&Routed> for Kept {
    fn from(routed: &Routed) -> Self {
        Self {
            target: routed.target.clone(),
            frame: routed.frame.clone(),
        }
    }
}

/// A part of what a viewer sees.
#[derive(Debug, Clone)]
pub struct Page {
    /// The events, oldest first.
    pub events: Vec<Kept>,
    /// Up to where the history looked: nothing that the viewer sees stands between the page's
    /// start and this position but what is in `events`.
    pub looked_to: Position,
}

/// How much a page may hold. One event is always allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimit {
    /// How many events.
    pub events: usize,
    /// How many bytes of frames.
    pub bytes: usize,
}

/// Which of the latest events are wanted, by who has seen none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latest {
    /// The last so many.
    Events(usize),
    /// Those that were published at this time or later.
    Since(SystemTime),
}

/// Why a history has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// Events after the position are gone. Begin again after `floor`.
    #[error("events after the position are no longer kept")]
    Evicted {
        /// Every event after this position is still kept.
        floor: Position,
    },
    /// The position is of another epoch. Begin again after `floor`.
    #[error("the position is of another epoch")]
    Epoch {
        /// Every event after this position is still kept.
        floor: Position,
    },
    /// The position comes after the newest event.
    #[error("the position is ahead of the history")]
    Ahead,
    /// The history's backend failed.
    #[error("the history's backend failed")]
    Backend(#[source] Box<dyn Error + Send + Sync>),
}

impl HistoryError {
    /// What a backend reports.
    pub fn backend(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Backend(error.into())
    }
}
