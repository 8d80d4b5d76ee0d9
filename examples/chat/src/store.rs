use std::{error::Error, fmt};

use async_trait::async_trait;

use crate::{Draft, Message, Nickname};

/// How many of the latest public messages a store keeps, and how many of somebody's private ones besides
/// those that he hasn't read.
pub const KEPT: usize = 50;

/// How many private messages wait for somebody at the most.
pub const UNREAD: usize = 500;

/// Where the messages of a room are.
///
/// A store is implemented by whoever brings a backend. The room calls it; nobody else does.
///
/// # Contract
///
/// What an implementer must do:
///
/// - R1: the ids of messages increase strictly in the order of the calls to [`append`](Self::append), also over
///   a restart. There may be gaps.
/// - R2: a message that `append` returned is there in the next [`recent`](Self::recent); one that it refused
///   never is.
/// - R3: the latest [`KEPT`] public messages are kept.
/// - R4: a private message waits for whom it is to until he has read it. Where [`UNREAD`] wait, `append`
///   refuses the next with [`StoreError::MailboxFull`]; where the store has no room for private messages,
///   whoever they are to, with [`StoreError::Full`].
/// - R5: of those that he has read or sent, the latest [`KEPT`] in all are kept for him.
/// - R6: nobody gets the private messages of two others.
/// - R7: after [`forget`](Self::forget) nothing private is kept for that name. With whom he wrote to keeps what
///   is his, and public messages stay.
///
/// What it may assume:
///
/// - A1: one call is made at a time, and the next once that has ended or was dropped.
/// - A2: of the names that differ only in case, one at the most has private messages at a time.
///
/// # Concurrency
///
/// None, by A1. A room waits while its store does.
///
/// # Ordering
///
/// By id. `recent` is sorted.
///
/// # Cancel safety
///
/// `append` and `forget` are never dropped midway, unless the runtime ends; whether they took place is open then.
/// `recent` and `read` may be, by whoever asked and went away: `read` has taken place or not.
///
/// # Errors
///
/// [`StoreError::MailboxFull`] and [`StoreError::Full`] are the sender's to see. A failure of the backend is
/// [`StoreError::Backend`]: whoever asked is told to come later, and nothing is published.
///
/// # Panics
///
/// A panic costs the request that it happened in.
///
/// # Example
///
/// ```
/// use async_trait::async_trait;
/// use chat::{Draft, MemoryStore, Message, Nickname, Store, StoreError};
///
/// /// Says what it is asked for.
/// #[derive(Debug, Default)]
/// struct Traced(MemoryStore);
///
/// #[async_trait]
/// impl Store for Traced {
///     async fn append(&self, draft: Draft) -> Result<Message, StoreError> {
///         tracing::debug!(from = %draft.from, "append");
///         self.0.append(draft).await
///     }
///
///     async fn recent(&self, whose: &Nickname) -> Result<Vec<Message>, StoreError> {
///         self.0.recent(whose).await
///     }
///
///     async fn read(&self, whose: &Nickname, up_to: u64) -> Result<usize, StoreError> {
///         self.0.read(whose, up_to).await
///     }
///
///     async fn forget(&self, whose: &Nickname) -> Result<(), StoreError> {
///         self.0.forget(whose).await
///     }
/// }
/// ```
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Keeps what somebody says, and gives it its id.
    async fn append(&self, draft: Draft) -> Result<Message, StoreError>;

    /// What there is for somebody: public messages and his private ones.
    async fn recent(&self, whose: &Nickname) -> Result<Vec<Message>, StoreError>;

    /// Notes that somebody has read his private messages up to that id; how many he hasn't.
    async fn read(&self, whose: &Nickname, up_to: u64) -> Result<usize, StoreError>;

    /// Drops what is private of somebody who leaves.
    async fn forget(&self, whose: &Nickname) -> Result<(), StoreError>;
}

/// Why a store didn't do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// As many private messages wait for him as may.
    #[error("{UNREAD} messages wait for him already")]
    MailboxFull,
    /// There is no room for more private messages, whoever they are to.
    #[error(
        "the room has no space for more private messages until some are read, or somebody leaves"
    )]
    Full,
    /// What the store is kept in failed.
    #[error("the messages can't be had just now")]
    Backend(#[source] Box<dyn Error + Send + Sync>),
}

impl StoreError {
    /// A failure of what the store is kept in.
    pub fn backend(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Backend(cause.into())
    }
}
