//! What outlives a gateway: which tokens were revoked, and which events wait for an acknowledgement.

mod memory;
mod redis;

use std::{
    fmt::Debug,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sse_core::{ClientId, Position};
use tokio::sync::mpsc;
use uuid::Uuid;

pub(crate) use self::{memory::MemoryStore, redis::RedisStore};
use crate::tokens::TokenId;

/// What outlives a gateway. [`MemoryStore`] lives as long as its process, [`RedisStore`] longer.
///
/// # Contract
///
/// - **R1** A token that was revoked stays so for as long as was said.
/// - **R2** That a token may have been revoked, by whomever, is told to the [`Changes`] at once where that
///   can be; and where something may have been missed, all may have been.
/// - **R3** [`keep`](Self::keep) is all or nothing, and never more than the limit for a user.
/// - **R4** What is kept stays until it is discarded or too old, in the order of its ids. What is too old
///   doesn't count.
/// - **R5** It is one gateway's: once another has begun, the first is [refused](StoreError::Superseded) whatever
///   has to do with what is kept. So what was kept in another epoch was so before the present one began.
///
/// # Cancel safety
///
/// Dropped midway, a change has happened or not.
#[async_trait]
pub(crate) trait Store: Debug + Send + Sync + 'static {
    /// Which of these tokens are revoked.
    async fn revoked(&self, tokens: &[TokenId]) -> Result<Vec<TokenId>, StoreError>;

    /// Revokes a token, for as long as it would be valid.
    async fn revoke(&self, token: &TokenId, left: Duration) -> Result<(), StoreError>;

    /// Keeps an event for each of these users.
    async fn keep(&self, users: &[ClientId], mail: &Mail) -> Result<(), StoreError>;

    /// Notes where an event stands, for those of these users for whom it is still kept.
    async fn place(&self, users: &[ClientId], mail: &Mail) -> Result<(), StoreError>;

    /// What is kept for a user, oldest first.
    async fn mail(&self, user: &ClientId) -> Result<Vec<Mail>, StoreError>;

    /// Keeps these no more for these users.
    async fn discard(&self, users: &[ClientId], mail: &[MailId]) -> Result<(), StoreError>;
}

/// Why a store didn't do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// There is no more room for these users; nothing was kept.
    #[error("as much waits as may for {}", names(.0))]
    Full(Vec<ClientId>),
    /// Another gateway has taken it over.
    #[error("another gateway has taken over")]
    Superseded,
    /// It can't be reached now.
    #[error("the store can't be reached")]
    Unavailable,
    /// It failed.
    #[error("the store failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

fn names(users: &[ClientId]) -> String {
    let names: Vec<_> = users.iter().map(|user| user.as_str()).collect();
    names.join(", ")
}

/// Which tokens may have been revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Token(TokenId),
    /// Any: something may have been missed.
    Any,
}

/// Where a store tells of changes.
pub(crate) type Changes = mpsc::UnboundedSender<Change>;

/// The name of an event that is kept: they sort by time.
pub(crate) type MailId = Uuid;

/// An event that is kept for a user until he acknowledges it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mail {
    #[serde(skip)]
    pub(crate) id: MailId,
    pub(crate) event: String,
    pub(crate) data: String,
    /// Where it stands among all events: whoever has come further, or is in a later epoch, was given it.
    #[serde(with = "as_text")]
    pub(crate) position: Position,
}

impl Mail {
    /// An event that isn't published yet, in this epoch: nobody has come as far.
    pub(crate) fn unplaced(event: String, data: String, epoch: u64) -> Self {
        Self {
            id: Uuid::now_v7(),
            event,
            data,
            position: Position::new(epoch, u64::MAX),
        }
    }
}

/// The least id that isn't of an event that is older than `age`.
fn first_young(age: Duration) -> MailId {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let since = now.unwrap_or_default().saturating_sub(age).as_millis();
    // A time in milliseconds, and the least of all that may follow (RFC 9562, 5.7).
    let millis = u64::try_from(since).unwrap_or(u64::MAX);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use sse_core::Position;

    pub(super) fn serialize<S: Serializer>(position: &Position, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(position)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Position, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(D::Error::custom)
    }
}
