use std::{hash::RandomState, sync::Arc};

use super::table::{Keyed, Table};
use crate::{ClientId, Connection, ConnectionId, GroupName};

/// The connections of a client or a group: at least one, and most clients have no other.
#[derive(Debug)]
pub(super) struct Members {
    first: Arc<Connection>,
    others: Option<Box<Table<Arc<Connection>>>>,
}

impl Keyed for Arc<Connection> {
    type Key = ConnectionId;

    fn key(&self) -> &ConnectionId {
        self.id_ref()
    }

    fn look(&self) {
        self.as_ref().look();
    }
}

impl Members {
    pub(super) const fn new(first: Arc<Connection>) -> Self {
        Self {
            first,
            others: None,
        }
    }

    /// Adds one that isn't there.
    pub(super) fn add(&mut self, connection: Arc<Connection>) {
        let others = self
            .others
            .get_or_insert_with(|| Box::new(Table::new(RandomState::new())));
        others.insert(others.hash(connection.key()), connection);
    }

    /// Takes one out; `false` if it is the only one, which stays.
    pub(super) fn remove(&mut self, id: ConnectionId) -> bool {
        let others = self.others.as_mut();
        if self.first.id() != id {
            others.map(|others| others.take(others.hash(&id), &id));
        } else {
            let next = others.and_then(|others| others.pop());
            let Some(next) = next else {
                return false;
            };
            self.first = next;
        }
        self.others.take_if(|others| others.len() == 0);
        true
    }

    pub(super) fn for_each(&self, each: &mut dyn FnMut(&Arc<Connection>)) {
        if let Some(others) = &self.others {
            others.for_each(&mut *each);
        }
        // Last: should all be taken out in this order, nobody has to take its place before.
        each(&self.first);
    }
}

/// Connections that have in common what they are found by.
pub(super) trait Circle: Keyed {
    fn new(key: &Self::Key, members: Members) -> Self;

    fn members(&self) -> &Members;

    fn members_mut(&mut self) -> &mut Members;
}

/// The connections of a client: each of them knows whose it is.
#[derive(Debug)]
pub(super) struct OfClient(Members);

impl Keyed for OfClient {
    type Key = ClientId;

    fn key(&self) -> &ClientId {
        self.0.first.client()
    }

    fn look(&self) {
        self.0.first.look();
    }
}

impl Circle for OfClient {
    fn new(_: &ClientId, members: Members) -> Self {
        Self(members)
    }

    fn members(&self) -> &Members {
        &self.0
    }

    fn members_mut(&mut self) -> &mut Members {
        &mut self.0
    }
}

/// The connections in a group.
#[derive(Debug)]
pub(super) struct OfGroup {
    name: GroupName,
    members: Members,
}

impl Keyed for OfGroup {
    type Key = GroupName;

    fn key(&self) -> &GroupName {
        &self.name
    }

    fn look(&self) {
        self.members.first.look();
    }
}

impl Circle for OfGroup {
    fn new(name: &GroupName, members: Members) -> Self {
        let name = name.clone();
        Self { name, members }
    }

    fn members(&self) -> &Members {
        &self.members
    }

    fn members_mut(&mut self) -> &mut Members {
        &mut self.members
    }
}
