use std::sync::Arc;

use parking_lot::Mutex;
use sse_core::{
    Connection, ConnectionId, GroupName, GroupRule, Registry, RegistryError, RegistryStats, Scope,
    Target, async_trait,
};

#[derive(Debug, Default)]
struct ListRegistry(Mutex<Vec<(Arc<Connection>, Vec<GroupName>)>>);

#[async_trait]
impl Registry for ListRegistry {
    async fn insert(&self, connection: Arc<Connection>) -> Result<(), RegistryError> {
        let mut list = self.0.lock();
        if list.iter().any(|(other, _)| other.id() == connection.id()) {
            return Err(RegistryError::Exists(connection.id()));
        }
        let groups = connection.groups();
        list.push((connection, groups));
        Ok(())
    }

    async fn remove(&self, id: ConnectionId) -> Result<Option<Arc<Connection>>, RegistryError> {
        let mut list = self.0.lock();
        let at = list
            .iter()
            .position(|(connection, _)| connection.id() == id);
        Ok(at.map(|at| list.swap_remove(at).0))
    }

    async fn join(&self, id: ConnectionId, group: GroupName) -> Result<bool, RegistryError> {
        let mut list = self.0.lock();
        let entry = list
            .iter_mut()
            .find(|(connection, _)| connection.id() == id);
        let (_, groups) = entry.ok_or(RegistryError::Unknown(id))?;
        let new = !groups.contains(&group);
        if new {
            groups.push(group);
        }
        Ok(new)
    }

    async fn leave(&self, id: ConnectionId, group: &GroupName) -> Result<bool, RegistryError> {
        let mut list = self.0.lock();
        let entry = list
            .iter_mut()
            .find(|(connection, _)| connection.id() == id);
        let (_, groups) = entry.ok_or(RegistryError::Unknown(id))?;
        let before = groups.len();
        groups.retain(|other| other != group);
        Ok(groups.len() < before)
    }

    fn visit(&self, target: &Target, each: &mut dyn FnMut(&Arc<Connection>)) {
        for (connection, groups) in &*self.0.lock() {
            let meant = match target.scope() {
                Scope::Client(client) => client == connection.client(),
                Scope::Clients(clients) => clients.contains(connection.client()),
                Scope::Connection(id) => *id == connection.id(),
                Scope::Group(group) => groups.contains(group),
                Scope::Everybody | Scope::Matching(_) => true,
                _ => false,
            };
            if meant
                && target
                    .group_within()
                    .is_none_or(|group| groups.contains(group))
            {
                each(connection);
            }
        }
    }

    fn group_rule(&self) -> GroupRule {
        GroupRule::exact()
    }

    fn stats(&self) -> RegistryStats {
        let list = self.0.lock();
        let distinct = |mut names: Vec<String>| {
            names.sort();
            names.dedup();
            names.len()
        };
        let clients = list.iter().map(|(c, _)| c.client().to_string());
        let groups = list
            .iter()
            .flat_map(|(_, groups)| groups.iter().map(ToString::to_string));
        RegistryStats {
            connections: list.len(),
            clients: distinct(clients.collect()),
            groups: distinct(groups.collect()),
        }
    }
}
