use std::sync::Arc;

use async_trait::async_trait;
use smallvec::SmallVec;

use super::{
    Registry, RegistryError, RegistryStats,
    members::{Circle, Members, OfClient, OfGroup},
    shards::Shards,
    table::Keyed,
};
use crate::{Connection, ConnectionId, GroupName, GroupRule, Scope, Target};

/// The default registry: everything in memory, spread over several locks.
///
/// Its futures never wait. A change to a connection holds that connection's lock while it takes
/// those of its client and groups one after the other, so that no change to it gets in between;
/// a visit holds one lock at a time.
#[derive(Debug, Default)]
pub struct MemoryRegistry {
    connections: Shards<Record>,
    clients: Shards<OfClient>,
    groups: Shards<OfGroup>,
}

#[derive(Debug)]
struct Record {
    connection: Arc<Connection>,
    groups: SmallVec<[GroupName; 1]>,
}

impl Keyed for Record {
    type Key = ConnectionId;

    fn key(&self) -> &ConnectionId {
        self.connection.key()
    }

    fn look(&self) {
        self.connection.look();
    }
}

impl MemoryRegistry {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn is_in(&self, id: ConnectionId, group: &GroupName) -> bool {
        let is_in = |record: &Record| record.groups.contains(group);
        self.connections.read(&id, is_in).unwrap_or(false)
    }

    fn visit_scope(&self, scope: &Scope, each: &mut dyn FnMut(&Arc<Connection>)) {
        match scope {
            Scope::Client(client) => visit_members(&self.clients, client, each),
            Scope::Clients(clients) => {
                for client in &**clients {
                    visit_members(&self.clients, client, each);
                }
            }
            Scope::Connection(id) => {
                self.connections.read(id, |record| each(&record.connection));
            }
            Scope::Group(group) => visit_members(&self.groups, group, each),
            Scope::Everybody | Scope::Matching(_) => {
                self.connections.for_each(|record| each(&record.connection));
            }
        }
    }
}

#[async_trait]
impl Registry for MemoryRegistry {
    async fn insert(&self, connection: Arc<Connection>) -> Result<(), RegistryError> {
        let id = connection.id();
        let mut place = self.connections.lock(&id);
        if place.get().is_some() {
            return Err(RegistryError::Exists(id));
        }
        let groups: SmallVec<_> = connection.groups().into();
        add_member(&self.clients, connection.client(), &connection);
        for group in &groups {
            add_member(&self.groups, group, &connection);
        }
        place.fill(Record { connection, groups });
        Ok(())
    }

    async fn remove(&self, id: ConnectionId) -> Result<Option<Arc<Connection>>, RegistryError> {
        let mut place = self.connections.lock(&id);
        let Some(Record { connection, groups }) = place.take() else {
            return Ok(None);
        };
        remove_member(&self.clients, connection.client(), id);
        for group in &groups {
            remove_member(&self.groups, group, id);
        }
        Ok(Some(connection))
    }

    async fn join(&self, id: ConnectionId, group: GroupName) -> Result<bool, RegistryError> {
        let mut place = self.connections.lock(&id);
        let record = place.get().ok_or(RegistryError::Unknown(id))?;
        if record.groups.contains(&group) {
            return Ok(false);
        }
        add_member(&self.groups, &group, &record.connection);
        record.groups.push(group);
        Ok(true)
    }

    async fn leave(&self, id: ConnectionId, group: &GroupName) -> Result<bool, RegistryError> {
        let mut place = self.connections.lock(&id);
        let record = place.get().ok_or(RegistryError::Unknown(id))?;
        let Some(at) = record.groups.iter().position(|other| other == group) else {
            return Ok(false);
        };
        record.groups.swap_remove(at);
        remove_member(&self.groups, group, id);
        Ok(true)
    }

    fn visit(&self, target: &Target, each: &mut dyn FnMut(&Arc<Connection>)) {
        let Some(group) = target.group_within() else {
            return self.visit_scope(target.scope(), each);
        };
        if let Scope::Everybody | Scope::Matching(_) = target.scope() {
            return visit_members(&self.groups, group, each);
        }
        // Membership is under the connection's lock, which comes before the others: look first,
        // then ask.
        let mut found = SmallVec::<[_; 4]>::new();
        self.visit_scope(target.scope(), &mut |c| found.push(Arc::clone(c)));
        found.retain(|connection| self.is_in(connection.id(), group));
        found.iter().for_each(each);
    }

    fn group_rule(&self) -> GroupRule {
        GroupRule::exact()
    }

    fn stats(&self) -> RegistryStats {
        RegistryStats {
            connections: self.connections.len(),
            clients: self.clients.len(),
            groups: self.groups.len(),
        }
    }
}

fn visit_members<C: Circle>(
    circles: &Shards<C>,
    key: &C::Key,
    each: &mut dyn FnMut(&Arc<Connection>),
) {
    circles.read(key, |circle| circle.members().for_each(each));
}

fn add_member<C: Circle>(circles: &Shards<C>, key: &C::Key, connection: &Arc<Connection>) {
    let mut place = circles.lock(key);
    let connection = Arc::clone(connection);
    match place.get() {
        Some(circle) => circle.members_mut().add(connection),
        None => place.fill(C::new(key, Members::new(connection))),
    }
}

fn remove_member<C: Circle>(circles: &Shards<C>, key: &C::Key, id: ConnectionId) {
    let mut place = circles.lock(key);
    if let Some(circle) = place.get()
        && !circle.members_mut().remove(id)
    {
        place.take();
    }
}
