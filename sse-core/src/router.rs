//! In which order events happen.

mod ingress;
mod local;
mod memory;
#[cfg(all(test, shuttle))]
mod models;
mod pending;
mod publication;
mod slot;
mod worker;

use std::{error::Error, fmt::Debug, sync::Arc};

use async_trait::async_trait;

pub use self::{
    local::LocalRouter,
    memory::KeyMemory,
    pending::Pending,
    publication::{Accepted, Batch, Publication, Routed, Ticket},
};
use crate::{Position, hub::Delivered};

#[doc = include_str!("docs/router.md")]
#[doc = "```"]
#[doc = include_str!("docs/plain_router.rs")]
#[doc = "```"]
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't a router",
    note = "implement `Router` for it, or use `LocalRouter`"
)]
#[async_trait]
pub trait Router: Debug + Send + Sync + 'static {
    /// Learns where to deliver; says where the order of kept events stands.
    async fn start(&self, to: Arc<dyn Deliver>) -> Result<Position, RouteError>;

    /// Accepts a batch as a whole, waiting for its turn where ingress is full.
    async fn publish(&self, batch: Batch) -> Result<Vec<Accepted>, RouteError>;

    /// As [`publish`](Self::publish), but fails with [`RouteError::Busy`] where it would wait for
    /// its turn. The batch is on its way whether the answer is awaited or not.
    fn try_publish(&self, batch: Batch) -> Result<Pending, RouteError>;

    /// Accepts nothing more, and returns once all that was accepted is delivered.
    async fn shutdown(&self);
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<T: Router + ?Sized> Router for Arc<T> {
    async fn start(&self, to: Arc<dyn Deliver>) -> Result<Position, RouteError> {
        (**self).start(to).await
    }

    async fn publish(&self, batch: Batch) -> Result<Vec<Accepted>, RouteError> {
        (**self).publish(batch).await
    }

    fn try_publish(&self, batch: Batch) -> Result<Pending, RouteError> {
        (**self).try_publish(batch)
    }

    async fn shutdown(&self) {
        (**self).shutdown().await;
    }
}

/// The hub's side of a [`Router`]: offers events to this node's connections.
///
/// Called in the order of positions, one call at a time. Synchronous and without I/O; never
/// panics.
pub trait Deliver: Debug + Send + Sync {
    /// Offers events that follow one another to whom they are for, in one ordered section.
    ///
    /// Readers are woken when the answer is dropped: drop it after the router's own locks.
    fn deliver(&self, routed: &[Routed]) -> Delivered;

    /// Says that events after `after` were lost on their way to this node; `after` is none where
    /// nothing is kept. Every live connection is told by a `gap`; where there is a history it catches
    /// up again, from where it is.
    fn lost(&self, after: Option<Position>, cause: Lost);
}

/// Why events don't reach this node any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lost {
    /// The log dropped them before they were read.
    Evicted,
    /// The log was replaced by another.
    Epoch,
    /// The backend lost them.
    Backend,
}

/// Why a router didn't take a batch.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// Ingress is full: try again, or use [`Router::publish`].
    #[error("too many publications are waiting")]
    Busy,
    /// The router was shut down.
    #[error("the router is closed")]
    Closed,
    /// The router isn't started, and starting it takes time: see
    /// [`Hub::start`](crate::Hub::start).
    #[error("the router isn't started")]
    NotStarted,
    /// The router was started by another hub: it belongs to one.
    #[error("the router belongs to another hub")]
    Started,
    /// The router's backend failed; whether the batch was accepted isn't known.
    #[error("the router's backend failed")]
    Backend(#[source] Box<dyn Error + Send + Sync>),
}

impl RouteError {
    /// What a backend reports.
    pub fn backend(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Backend(error.into())
    }
}
