use std::sync::Arc;

use super::{ConnectionHandle, Hub, core::Core};
use crate::{
    ClientId, CloseReason, Connection, ConnectionId, GroupName, NameError, RegistryError, Target,
};

/// Why a connection didn't join or leave a group.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MembershipError {
    /// The name isn't valid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There is no such connection (any more).
    #[error("there is no connection {0}")]
    Unknown(ConnectionId),
    /// The connection is in as many groups as it may be in: so many.
    #[error("the connection is in {0} groups, which is the limit")]
    TooManyGroups(usize),
    /// The group has as many connections as it may have.
    #[error("the group has as many connections as it may have")]
    GroupFull,
    /// The hub is closed.
    #[error("the hub is closed")]
    Closed,
    /// The registry refused or failed. Where it failed, whether it did what it was asked isn't
    /// known.
    #[error("the registry didn't do it")]
    Registry(#[source] RegistryError),
}

impl From<RegistryError> for MembershipError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Unknown(id) => Self::Unknown(id),
            error => Self::Registry(error),
        }
    }
}

/// A place in a group, which is given back unless it is kept.
struct Place<'a> {
    core: &'a Core,
    group: &'a GroupName,
}

impl<'a> Place<'a> {
    /// None where the group is full.
    fn take(core: &'a Core, group: &'a GroupName) -> Option<Self> {
        core.slots.join(group).then(|| Self { core, group })
    }

    fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.core.slots.leave(self.group);
    }
}

/// Who is connected, and in which groups.
///
/// A join or leave that returned is in effect for every event that is published afterwards on this
/// node. Dropped midway, it has happened or not, and is told (by [`ConnectionHandle::groups`], by
/// presence) at the latest when it is asked for again.
impl Hub {
    /// Puts a connection into `group` for as long as it lives; `false` if it was in it.
    ///
    /// # Errors
    ///
    /// [`MembershipError`].
    pub async fn join(
        &self,
        connection: ConnectionId,
        group: impl TryInto<GroupName, Error: Into<NameError>>,
    ) -> Result<bool, MembershipError> {
        let group = group.try_into().map_err(Into::into)?;
        let connection = self.find(connection)?;
        self.join_one(&connection, group).await
    }

    /// Takes a connection out of `group`; `false` if it wasn't in it.
    ///
    /// # Errors
    ///
    /// [`MembershipError`].
    pub async fn leave(
        &self,
        connection: ConnectionId,
        group: impl TryInto<GroupName, Error: Into<NameError>>,
    ) -> Result<bool, MembershipError> {
        let group = group.try_into().map_err(Into::into)?;
        let connection = self.find(connection)?;
        self.leave_one(&connection, &group).await
    }

    /// Puts every connection that `client` has on this node into `group`; how many joined that
    /// weren't in it. One that the client opens later isn't in it.
    ///
    /// # Errors
    ///
    /// [`MembershipError`]; those before it have joined.
    pub async fn join_client(
        &self,
        client: impl TryInto<ClientId, Error: Into<NameError>>,
        group: impl TryInto<GroupName, Error: Into<NameError>>,
    ) -> Result<usize, MembershipError> {
        let client: ClientId = client.try_into().map_err(Into::into)?;
        let group: GroupName = group.try_into().map_err(Into::into)?;
        let mut joined = 0;
        for connection in self.active(&Target::client(client)) {
            joined += changed(self.join_one(&connection, group.clone()).await)?;
        }
        Ok(joined)
    }

    /// Takes every connection that `client` has on this node out of `group`; how many left that were
    /// in it.
    ///
    /// # Errors
    ///
    /// [`MembershipError`]; those before it have left.
    pub async fn leave_client(
        &self,
        client: impl TryInto<ClientId, Error: Into<NameError>>,
        group: impl TryInto<GroupName, Error: Into<NameError>>,
    ) -> Result<usize, MembershipError> {
        let client: ClientId = client.try_into().map_err(Into::into)?;
        let group: GroupName = group.try_into().map_err(Into::into)?;
        let mut left = 0;
        for connection in self.active(&Target::client(client)) {
            left += changed(self.leave_one(&connection, &group).await)?;
        }
        Ok(left)
    }

    /// Ends every connection on this node that `target` means, after what waits in their queues;
    /// how many those were. An EventSource comes back by itself.
    ///
    /// Events that were accepted before are delivered first.
    pub fn disconnect(&self, target: &Target) -> usize {
        let core = self.core();
        core.disconnect(target, CloseReason::Disconnected)
    }

    /// The connections on this node that `target` means, in no order.
    #[must_use]
    pub fn connections(&self, target: &Target) -> Vec<ConnectionHandle> {
        let active = self.active(target).into_iter();
        active
            .map(|connection| ConnectionHandle::new(Arc::downgrade(&self.shared), &connection))
            .collect()
    }

    /// Whether there is any such connection on this node. It looks at each.
    #[must_use]
    pub fn has_connections(&self, target: &Target) -> bool {
        let mut has = false;
        self.core().visit_active(target, &mut |_, _| has = true);
        has
    }

    async fn join_one(
        &self,
        connection: &Arc<Connection>,
        group: GroupName,
    ) -> Result<bool, MembershipError> {
        let core = self.core();
        let _turn = core.changes.of(connection.id()).await;
        let groups = connection.groups();
        let max = core.slots.limits().groups;
        let is_in = groups.contains(&group);
        if groups.len() >= max && !is_in {
            return Err(MembershipError::TooManyGroups(max));
        }
        let place = match is_in {
            true => None,
            false => Some(Place::take(core, &group).ok_or(MembershipError::GroupFull)?),
        };
        let joined = core.registry.join(connection.id(), group.clone()).await?;
        if core.presence.joined(connection, group.clone())
            && let Some(place) = place
        {
            place.keep();
        }
        core.note_join(connection, group.clone());
        Ok(joined)
    }

    async fn leave_one(
        &self,
        connection: &Arc<Connection>,
        group: &GroupName,
    ) -> Result<bool, MembershipError> {
        let core = self.core();
        let _turn = core.changes.of(connection.id()).await;
        let left = core.registry.leave(connection.id(), group).await?;
        if core.presence.left(connection, group.clone()) {
            core.slots.leave(group);
        }
        core.note_leave(connection, group);
        Ok(left)
    }

    fn find(&self, id: ConnectionId) -> Result<Arc<Connection>, MembershipError> {
        let found = self.active(&Target::connection(id)).pop();
        found.ok_or(MembershipError::Unknown(id))
    }

    fn active(&self, target: &Target) -> Vec<Arc<Connection>> {
        let mut found = Vec::new();
        let core = self.core();
        core.visit_active(target, &mut |connection, _| {
            found.push(Arc::clone(connection))
        });
        found
    }
}

/// How many connections have changed by one's join or leave: none where it went away meanwhile.
fn changed(done: Result<bool, MembershipError>) -> Result<usize, MembershipError> {
    match done {
        Ok(changed) => Ok(usize::from(changed)),
        Err(MembershipError::Unknown(_)) => Ok(0),
        Err(error) => Err(error),
    }
}

/// Who catches up is in a group from a position on, up to a position. Both come after the registry
/// knows: what is published after them is for it, or isn't.
impl Core {
    fn note_join(&self, connection: &Connection, group: GroupName) {
        let section = self.section.lock();
        connection.catching_up(|it| it.join(group, section.head()));
    }

    fn note_leave(&self, connection: &Connection, group: &GroupName) {
        let section = self.section.lock();
        connection.catching_up(|it| it.leave(group, section.head()));
    }
}
