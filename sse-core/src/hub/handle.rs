use std::sync::{Arc, Weak};

use http::Extensions;

use super::{
    Hub, HubShared, core::Core, membership::MembershipError, outcome::Receipt,
    publish::PublishError,
};
use crate::{
    ClientId, Connection, ConnectionId, GroupName, IntoEvent, NameError, Progress, Target,
};

/// A weak handle to one connection: for the task that feeds it, or for a list of who is there.
///
/// Cheap to clone. It keeps neither the connection nor the hub alive; once one of them is gone,
/// sending matches nobody or fails with `Closed`.
#[derive(Debug, Clone)]
pub struct ConnectionHandle {
    id: ConnectionId,
    hub: Weak<HubShared>,
    connection: Weak<Connection>,
}

impl ConnectionHandle {
    pub(super) fn new(hub: Weak<HubShared>, connection: &Arc<Connection>) -> Self {
        Self {
            id: connection.id(),
            hub,
            connection: Arc::downgrade(connection),
        }
    }

    /// The connection's own name.
    #[must_use]
    pub const fn id(&self) -> ConnectionId {
        self.id
    }

    /// Whose it is; none once it is gone.
    #[must_use]
    pub fn client(&self) -> Option<ClientId> {
        self.with(|connection| connection.client().clone())
    }

    /// The groups that it is in; none once it is gone.
    #[must_use]
    pub fn groups(&self) -> Vec<GroupName> {
        self.with(Connection::groups).unwrap_or_default()
    }

    /// What the application attached to the subscription; empty once it is gone.
    #[must_use]
    pub fn attributes(&self) -> Extensions {
        self.with(|connection| connection.attributes().clone())
            .unwrap_or_default()
    }

    /// How far its reader has come, and what waits for it; none once it is gone.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        self.with(Core::progress).flatten()
    }

    /// Sends an event to this connection alone.
    ///
    /// # Errors
    ///
    /// As [`Hub::publish`]; `Closed` once the hub is gone.
    ///
    /// # Cancel safety
    ///
    /// As [`Hub::publish`].
    pub async fn send(&self, event: impl IntoEvent) -> Result<Receipt, PublishError> {
        let hub = self.hub().ok_or(PublishError::Closed)?;
        hub.publish(Target::connection(self.id), event).await
    }

    /// Puts the connection into `group`; `false` if it was in it.
    ///
    /// # Errors
    ///
    /// As [`Hub::join`]; `Closed` once the hub is gone.
    pub async fn join(
        &self,
        group: impl TryInto<GroupName, Error: Into<NameError>>,
    ) -> Result<bool, MembershipError> {
        let hub = self.hub().ok_or(MembershipError::Closed)?;
        hub.join(self.id, group).await
    }

    /// Takes the connection out of `group`; `false` if it wasn't in it.
    ///
    /// # Errors
    ///
    /// As [`Hub::leave`]; `Closed` once the hub is gone.
    pub async fn leave(
        &self,
        group: impl TryInto<GroupName, Error: Into<NameError>>,
    ) -> Result<bool, MembershipError> {
        let hub = self.hub().ok_or(MembershipError::Closed)?;
        hub.leave(self.id, group).await
    }

    /// Waits until the connection has ended. Cancel safe.
    pub async fn closed(&self) {
        if let Some(ended) = self.with(Connection::ended) {
            ended.await;
        }
    }

    /// Does `work` until the connection ends; what it comes to if that is sooner. For the task that feeds
    /// one stream:
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use sse_core::{Event, Hub, PublishError, Subscribe};
    /// # async fn open(hub: Hub) -> Result<sse_core::EventBody, Box<dyn std::error::Error>> {
    /// let subscription = hub.subscribe(Subscribe::client_id("user-17")?).await?;
    /// let handle = subscription.handle();
    /// tokio::spawn(async move {
    ///     let feed = async {
    ///         for count in 0.. {
    ///             tokio::time::sleep(Duration::from_secs(1)).await;
    ///             handle.send(Event::json(&count).event("count")).await?;
    ///         }
    ///         Ok::<_, PublishError>(())
    ///     };
    ///     handle.while_open(feed).await
    /// });
    /// # Ok(subscription.into_body())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops `work`.
    pub async fn while_open<F: Future>(&self, work: F) -> Option<F::Output> {
        tokio::select! {
            // First: nothing is begun for a connection that has ended.
            biased;
            () = self.closed() => None,
            done = work => Some(done),
        }
    }

    fn hub(&self) -> Option<Hub> {
        self.hub.upgrade().map(|shared| Hub { shared })
    }

    fn with<T>(&self, read: impl FnOnce(&Connection) -> T) -> Option<T> {
        self.connection
            .upgrade()
            .map(|connection| read(&connection))
    }
}
