use std::{collections::hash_map::Entry, hash::Hash, sync::Arc};

use async_trait::async_trait;
use smallvec::SmallVec;

use super::{Registry, RegistryError, RegistryStats, members::Members, shards::Shards};
use crate::{ClientId, Connection, ConnectionId, GroupName, GroupRule, Scope, Target};

/// The default registry: everything in memory, spread over several locks.
///
/// Its futures never wait. A change to a connection holds that connection's lock while it takes
/// those of its client and groups one after the other, so that no change to it gets in between;
/// a visit holds one lock at a time.
#[derive(Debug, Default)]
pub struct MemoryRegistry {
    connections: Shards<ConnectionId, Record>,
    clients: Shards<ClientId, Members>,
    groups: Shards<GroupName, Members>,
}

#[derive(Debug)]
struct Record {
    connection: Arc<Connection>,
    groups: SmallVec<[GroupName; 1]>,
}

impl MemoryRegistry {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn is_in(&self, id: ConnectionId, group: &GroupName) -> bool {
        let shard = self.connections.of(&id).read();
        shard.get(&id).is_some_and(|r| r.groups.contains(group))
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
                if let Some(record) = self.connections.of(id).read().get(id) {
                    each(&record.connection);
                }
            }
            Scope::Group(group) => visit_members(&self.groups, group, each),
            Scope::Everybody | Scope::Matching(_) => {
                for shard in self.connections.iter() {
                    shard.read().values().for_each(|r| each(&r.connection));
                }
            }
        }
    }
}

#[async_trait]
impl Registry for MemoryRegistry {
    async fn insert(&self, connection: Arc<Connection>) -> Result<(), RegistryError> {
        let id = connection.id();
        let mut shard = self.connections.of(&id).write();
        let Entry::Vacant(place) = shard.entry(id) else {
            return Err(RegistryError::Exists(id));
        };
        let groups: SmallVec<_> = connection.groups().into();
        add_member(&self.clients, connection.client(), &connection);
        for group in &groups {
            add_member(&self.groups, group, &connection);
        }
        place.insert(Record { connection, groups });
        Ok(())
    }

    async fn remove(&self, id: ConnectionId) -> Result<Option<Arc<Connection>>, RegistryError> {
        let mut shard = self.connections.of(&id).write();
        let Some(Record { connection, groups }) = Shards::take(&mut shard, &id) else {
            return Ok(None);
        };
        remove_member(&self.clients, connection.client(), id);
        for group in &groups {
            remove_member(&self.groups, group, id);
        }
        Ok(Some(connection))
    }

    async fn join(&self, id: ConnectionId, group: GroupName) -> Result<bool, RegistryError> {
        let mut shard = self.connections.of(&id).write();
        let record = shard.get_mut(&id).ok_or(RegistryError::Unknown(id))?;
        if record.groups.contains(&group) {
            return Ok(false);
        }
        add_member(&self.groups, &group, &record.connection);
        record.groups.push(group);
        Ok(true)
    }

    async fn leave(&self, id: ConnectionId, group: &GroupName) -> Result<bool, RegistryError> {
        let mut shard = self.connections.of(&id).write();
        let record = shard.get_mut(&id).ok_or(RegistryError::Unknown(id))?;
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

fn visit_members<K: Hash + Eq>(
    map: &Shards<K, Members>,
    key: &K,
    each: &mut dyn FnMut(&Arc<Connection>),
) {
    if let Some(members) = map.of(key).read().get(key) {
        members.for_each(each);
    }
}

fn add_member<K: Hash + Eq + Clone>(
    map: &Shards<K, Members>,
    key: &K,
    connection: &Arc<Connection>,
) {
    let mut shard = map.of(key).write();
    let members = shard.entry(key.clone()).or_default();
    members.add(Arc::clone(connection));
}

fn remove_member<K: Hash + Eq>(map: &Shards<K, Members>, key: &K, id: ConnectionId) {
    let mut shard = map.of(key).write();
    if let Some(members) = shard.get_mut(key) {
        members.remove(id);
        if members.is_empty() {
            Shards::take(&mut shard, key);
        }
    }
}
