use std::{
    collections::{BTreeSet, HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

use parking_lot::RwLock;
use sse_core::{
    ClientId, Connection, ConnectionId, GroupName, Registry, RegistryError, RegistryStats, Scope,
    Target, async_trait,
};

use crate::pattern::{is_pattern, matches};

/// A registry whose groups may be patterns: a member of `orders.*` is meant by `orders.eu`.
///
/// Parts are separated by dots; `*` stands for any one part. Sending to a pattern reaches the
/// members of that very pattern.
///
/// Everything is behind one lock, which makes the contract easy to keep: a change is whole, and a
/// visit sees it or doesn't. Sending to a group costs a look at each pattern in use.
#[derive(Debug, Default)]
pub struct WildcardRegistry(RwLock<State>);

#[derive(Debug, Default)]
struct State {
    connections: HashMap<ConnectionId, Member>,
    clients: HashMap<ClientId, HashSet<ConnectionId>>,
    groups: HashMap<GroupName, HashSet<ConnectionId>>,
    /// The groups with members whose names are patterns.
    patterns: BTreeSet<GroupName>,
}

#[derive(Debug)]
struct Member {
    connection: Arc<Connection>,
    groups: HashSet<GroupName>,
}

impl WildcardRegistry {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl State {
    fn add(&mut self, id: ConnectionId, group: GroupName) {
        if is_pattern(group.as_str()) {
            self.patterns.insert(group.clone());
        }
        self.groups.entry(group).or_default().insert(id);
    }

    fn take_out(&mut self, id: ConnectionId, group: &GroupName) {
        if let Some(members) = self.groups.get_mut(group) {
            members.remove(&id);
            if members.is_empty() {
                self.groups.remove(group);
                self.patterns.remove(group);
            }
        }
    }

    /// The groups that sending to `name` means: itself, and the patterns that match it.
    fn meant(&self, name: &GroupName) -> impl Iterator<Item = &HashSet<ConnectionId>> {
        let patterns = self
            .patterns
            .iter()
            .filter(move |pattern| *pattern != name && matches(pattern.as_str(), name.as_str()));
        let itself = self.groups.get(name);
        itself
            .into_iter()
            .chain(patterns.map(|pattern| &self.groups[pattern]))
    }

    fn is_in(&self, id: ConnectionId, name: &GroupName) -> bool {
        self.meant(name).any(|members| members.contains(&id))
    }

    /// The connections of a scope, each once.
    fn of(&self, scope: &Scope) -> Vec<ConnectionId> {
        match scope {
            Scope::Client(client) => self.of_client(client).collect(),
            Scope::Clients(clients) => clients.iter().flat_map(|c| self.of_client(c)).collect(),
            Scope::Connection(id) => vec![*id],
            Scope::Group(group) => {
                let members: HashSet<_> = self.meant(group).flatten().copied().collect();
                members.into_iter().collect()
            }
            // Of a predicate's scope everybody is visited: the hub asks it.
            _ => self.connections.keys().copied().collect(),
        }
    }

    fn of_client(&self, client: &ClientId) -> impl Iterator<Item = ConnectionId> {
        self.clients.get(client).into_iter().flatten().copied()
    }
}

#[async_trait]
impl Registry for WildcardRegistry {
    async fn insert(&self, connection: Arc<Connection>) -> Result<(), RegistryError> {
        let id = connection.id();
        let state = &mut *self.0.write();
        let Entry::Vacant(place) = state.connections.entry(id) else {
            return Err(RegistryError::Exists(id));
        };
        let groups: HashSet<_> = connection.groups().into_iter().collect();
        let client = connection.client().clone();
        place.insert(Member {
            connection,
            groups: groups.clone(),
        });
        state.clients.entry(client).or_default().insert(id);
        for group in groups {
            state.add(id, group);
        }
        Ok(())
    }

    async fn remove(&self, id: ConnectionId) -> Result<Option<Arc<Connection>>, RegistryError> {
        let state = &mut *self.0.write();
        let Some(Member { connection, groups }) = state.connections.remove(&id) else {
            return Ok(None);
        };
        if let Some(connections) = state.clients.get_mut(connection.client()) {
            connections.remove(&id);
            if connections.is_empty() {
                state.clients.remove(connection.client());
            }
        }
        for group in groups {
            state.take_out(id, &group);
        }
        Ok(Some(connection))
    }

    async fn join(&self, id: ConnectionId, group: GroupName) -> Result<bool, RegistryError> {
        let state = &mut *self.0.write();
        let member = state.connections.get_mut(&id);
        let member = member.ok_or(RegistryError::Unknown(id))?;
        let joined = member.groups.insert(group.clone());
        if joined {
            state.add(id, group);
        }
        Ok(joined)
    }

    async fn leave(&self, id: ConnectionId, group: &GroupName) -> Result<bool, RegistryError> {
        let state = &mut *self.0.write();
        let member = state.connections.get_mut(&id);
        let member = member.ok_or(RegistryError::Unknown(id))?;
        let left = member.groups.remove(group);
        if left {
            state.take_out(id, group);
        }
        Ok(left)
    }

    fn visit(&self, target: &Target, each: &mut dyn FnMut(&Arc<Connection>)) {
        let state = self.0.read();
        for id in state.of(target.scope()) {
            let meant = target
                .group_within()
                .is_none_or(|group| state.is_in(id, group));
            if let Some(member) = state.connections.get(&id).filter(|_| meant) {
                each(&member.connection);
            }
        }
    }

    fn stats(&self) -> RegistryStats {
        let state = self.0.read();
        RegistryStats {
            connections: state.connections.len(),
            clients: state.clients.len(),
            groups: state.groups.len(),
        }
    }
}
