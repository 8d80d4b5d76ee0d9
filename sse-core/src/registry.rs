//! Who is connected.

mod members;
mod memory;
#[cfg(all(test, shuttle))]
mod models;
mod shards;
mod table;

use std::{error::Error, fmt::Debug, sync::Arc};

use async_trait::async_trait;

pub use self::memory::MemoryRegistry;
use crate::{Connection, ConnectionId, GroupName, GroupRule, Target};

#[doc = include_str!("docs/registry.md")]
#[doc = "```"]
#[doc = include_str!("docs/list_registry.rs")]
#[doc = "```"]
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't a registry",
    note = "implement `Registry` for it, or use `MemoryRegistry`"
)]
#[async_trait]
pub trait Registry: Debug + Send + Sync + 'static {
    /// Takes a connection in.
    async fn insert(&self, connection: Arc<Connection>) -> Result<(), RegistryError>;

    /// Takes a connection out, with all that it is part of.
    async fn remove(&self, id: ConnectionId) -> Result<Option<Arc<Connection>>, RegistryError>;

    /// Puts a connection into a group; `false` if it was in it.
    async fn join(&self, id: ConnectionId, group: GroupName) -> Result<bool, RegistryError>;

    /// Takes a connection out of a group; `false` if it wasn't in it.
    async fn leave(&self, id: ConnectionId, group: &GroupName) -> Result<bool, RegistryError>;

    /// Calls `each` once for each of this node's connections that `target` means.
    fn visit(&self, target: &Target, each: &mut dyn FnMut(&Arc<Connection>));

    /// Which groups' events a member of a group gets: those by which [`visit`](Self::visit) finds
    /// it.
    fn group_rule(&self) -> GroupRule;

    /// How many there are.
    fn stats(&self) -> RegistryStats;
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<T: Registry + ?Sized> Registry for Arc<T> {
    async fn insert(&self, connection: Arc<Connection>) -> Result<(), RegistryError> {
        (**self).insert(connection).await
    }

    async fn remove(&self, id: ConnectionId) -> Result<Option<Arc<Connection>>, RegistryError> {
        (**self).remove(id).await
    }

    async fn join(&self, id: ConnectionId, group: GroupName) -> Result<bool, RegistryError> {
        (**self).join(id, group).await
    }

    async fn leave(&self, id: ConnectionId, group: &GroupName) -> Result<bool, RegistryError> {
        (**self).leave(id, group).await
    }

    fn visit(&self, target: &Target, each: &mut dyn FnMut(&Arc<Connection>)) {
        (**self).visit(target, each);
    }

    fn group_rule(&self) -> GroupRule {
        (**self).group_rule()
    }

    fn stats(&self) -> RegistryStats {
        (**self).stats()
    }
}

/// How many connections, clients and groups a registry has on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RegistryStats {
    /// Connections.
    pub connections: usize,
    /// Clients that have a connection.
    pub clients: usize,
    /// Groups that have a member.
    pub groups: usize,
}

/// Why a registry didn't do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The connection is there already.
    #[error("connection {0} is in the registry already")]
    Exists(ConnectionId),
    /// There is no such connection (any more).
    #[error("connection {0} isn't in the registry")]
    Unknown(ConnectionId),
    /// The registry won't do it, for a reason of its own; nothing changed.
    #[error("the registry refused")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
    /// The registry's backend failed; whether it did what it was asked isn't known.
    #[error("the registry's backend failed")]
    Backend(#[source] Box<dyn Error + Send + Sync>),
}

impl RegistryError {
    /// Why the registry won't do what it was asked.
    pub fn refused(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Refused(reason.into())
    }

    /// What a backend reports.
    pub fn backend(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Backend(error.into())
    }
}
