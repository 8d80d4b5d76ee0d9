use std::{
    borrow::Cow,
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

use parking_lot::RwLock;
use sse_core::{
    ClientId, Connection, ConnectionId, GroupName, GroupRule, Registry, RegistryError,
    RegistryStats, Scope, Target, async_trait,
};

use crate::pattern::{is_pattern, matches};

/// A registry whose groups may be patterns: a member of `orders.*` is meant by `orders.eu`.
///
/// Parts are separated by dots; `*` stands for any one part. Sending to a pattern reaches the
/// members of that very pattern and no others.
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
    patterns: HashSet<GroupName>,
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

    /// The members that sending to `name` means: its own, and those of the patterns that match it.
    /// A pattern means its own alone.
    fn members(&self, name: &GroupName) -> Cow<'_, HashSet<ConnectionId>> {
        let own = self.groups.get(name).map(Cow::Borrowed);
        let mut members = own.unwrap_or_default();
        if !is_pattern(name.as_str()) {
            let matching = self
                .patterns
                .iter()
                .filter(|pattern| matches(pattern.as_str(), name.as_str()));
            for pattern in matching {
                members.to_mut().extend(&self.groups[pattern]);
            }
        }
        members
    }

    fn of_client(&self, client: &ClientId) -> impl Iterator<Item = &ConnectionId> {
        self.clients.get(client).into_iter().flatten()
    }
}

/// Whether a member of `joined` gets what is for `addressed`.
fn covers(joined: &GroupName, addressed: &GroupName) -> bool {
    let (joined, addressed) = (joined.as_str(), addressed.as_str());
    joined == addressed || !is_pattern(addressed) && matches(joined, addressed)
}

#[async_trait]
impl Registry for WildcardRegistry {
    async fn insert(&self, connection: Arc<Connection>) -> Result<(), RegistryError> {
        let id = connection.id();
        let mut state = self.0.write();
        let state = &mut *state;
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
        let mut state = self.0.write();
        let state = &mut *state;
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
        let mut state = self.0.write();
        let state = &mut *state;
        let member = state.connections.get_mut(&id);
        let member = member.ok_or(RegistryError::Unknown(id))?;
        let joined = member.groups.insert(group.clone());
        if joined {
            state.add(id, group);
        }
        Ok(joined)
    }

    async fn leave(&self, id: ConnectionId, group: &GroupName) -> Result<bool, RegistryError> {
        let mut state = self.0.write();
        let state = &mut *state;
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
        let within = target.group_within().map(|group| state.members(group));
        let visit = |id: &ConnectionId| {
            let meant = within.as_ref().is_none_or(|members| members.contains(id));
            if let Some(member) = state.connections.get(id).filter(|_| meant) {
                each(&member.connection);
            }
        };
        match target.scope() {
            Scope::Client(client) => state.of_client(client).for_each(visit),
            Scope::Clients(clients) => {
                let connections = clients.iter().flat_map(|client| state.of_client(client));
                connections.for_each(visit);
            }
            Scope::Connection(id) => [id].into_iter().for_each(visit),
            Scope::Group(group) => state.members(group).iter().for_each(visit),
            // Of a predicate's scope everybody is visited: the hub asks it.
            _ => state.connections.keys().for_each(visit),
        }
    }

    fn group_rule(&self) -> GroupRule {
        GroupRule::new(covers)
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
