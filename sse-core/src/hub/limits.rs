use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{BuildError, RefusalReason, core::Core, wakes::Wakes};
use crate::{ClientId, CloseReason, Connection, GroupName, sync::Mutex};

/// How many connections a hub takes. What is `None` has no limit, and isn't counted.
///
/// A slot is free again in the same step in which its connection ends, however it ends: what a client
/// has left to read of it, for up to `reap_after` at a time, has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Connections in all; `None` by default.
    pub connections: Option<usize>,
    /// Connections of one client; `None` by default.
    pub per_client: Option<usize>,
    /// What happens to a connection over that limit; it is refused by default.
    pub over_client: OverClient,
    /// Connections in one group; `None` by default.
    pub per_group: Option<usize>,
    /// Connections from one remote address, where it is known: an IPv4 address, or an IPv6 network of
    /// 64 bits, which is what one subscriber has (RFC 6177); `None` by default.
    pub per_address: Option<usize>,
    /// Groups that one connection is in; 1,000 by default.
    pub groups: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: None,
            per_client: None,
            over_client: OverClient::Refuse,
            per_group: None,
            per_address: None,
            groups: 1_000,
        }
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), BuildError> {
        let limits = [
            ("limits.connections", self.connections),
            ("limits.per_client", self.per_client),
            ("limits.per_group", self.per_group),
            ("limits.per_address", self.per_address),
        ];
        let zero = limits.into_iter().find(|(_, limit)| *limit == Some(0));
        zero.map_or(Ok(()), |(what, _)| Err(BuildError::Zero(what)))
    }
}

/// What happens where a client opens one connection too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OverClient {
    /// It is refused.
    #[default]
    Refuse,
    /// The oldest of the others gets a `replaced`, and ends.
    ///
    /// A page has to stop then: two that come back would replace each other for ever.
    ReplaceOldest,
}

/// Who has a slot.
#[derive(Debug)]
pub(super) struct Slots {
    limits: Limits,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// Oldest first.
    clients: HashMap<ClientId, VecDeque<Arc<Connection>>>,
    groups: HashMap<GroupName, usize>,
    addresses: HashMap<IpAddr, usize>,
}

impl Slots {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            taken: Mutex::default(),
        }
    }

    pub(super) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Takes a slot; or says which limit is in the way.
    pub(super) fn take(&self, connection: &Arc<Connection>) -> Result<(), RefusalReason> {
        let groups = connection.groups();
        if groups.len() > self.limits.groups {
            return Err(RefusalReason::Groups);
        }
        let mut taken = self.taken.lock();
        let leaves = self.who_leaves_for(&taken, connection)?;
        let leaves = leaves.as_deref();
        let is_over = |count: usize, limit: Option<usize>, leaves: bool| {
            limit.is_some_and(|limit| count.saturating_sub(usize::from(leaves)) >= limit)
        };
        if is_over(taken.all, self.limits.connections, leaves.is_some()) {
            return Err(RefusalReason::Connections);
        }
        let address = connection.remote_addr().map(network_of);
        if let Some(address) = address {
            let count = count_of(&taken.addresses, &address);
            let leaves = leaves.and_then(Connection::remote_addr).map(network_of);
            if is_over(count, self.limits.per_address, leaves == Some(address)) {
                return Err(RefusalReason::PerAddress);
            }
        }
        let left = leaves.map(Connection::groups).unwrap_or_default();
        for group in &groups {
            let count = count_of(&taken.groups, group);
            if is_over(count, self.limits.per_group, left.contains(group)) {
                return Err(RefusalReason::PerGroup);
            }
        }
        taken.all += 1;
        if self.limits.per_client.is_some() {
            let client = connection.client().clone();
            let others = taken.clients.entry(client).or_default();
            others.push_back(Arc::clone(connection));
        }
        if self.limits.per_address.is_some()
            && let Some(address) = address
        {
            *taken.addresses.entry(address).or_default() += 1;
        }
        if self.limits.per_group.is_some() {
            for group in groups {
                *taken.groups.entry(group).or_default() += 1;
            }
        }
        Ok(())
    }

    /// Which connection is to end for this one, if one is.
    fn who_leaves_for(
        &self,
        taken: &Taken,
        connection: &Connection,
    ) -> Result<Option<Arc<Connection>>, RefusalReason> {
        let others = taken.clients.get(connection.client());
        match (others, self.limits.per_client) {
            (Some(others), Some(limit)) if others.len() >= limit => match self.limits.over_client {
                OverClient::Refuse => Err(RefusalReason::PerClient),
                OverClient::ReplaceOldest => Ok(others.front().cloned()),
            },
            _ => Ok(None),
        }
    }

    /// Gives a slot back, with the groups that the connection was in to the end.
    pub(super) fn give_back(&self, connection: &Arc<Connection>, groups: &[GroupName]) {
        let mut taken = self.taken.lock();
        taken.all -= 1;
        if self.limits.per_client.is_some()
            && let Entry::Occupied(mut others) = taken.clients.entry(connection.client().clone())
        {
            others
                .get_mut()
                .retain(|other| !Arc::ptr_eq(other, connection));
            if others.get().is_empty() {
                others.remove();
            }
        }
        if self.limits.per_address.is_some()
            && let Some(address) = connection.remote_addr()
        {
            discount(&mut taken.addresses, network_of(address));
        }
        if self.limits.per_group.is_some() {
            for group in groups {
                discount(&mut taken.groups, group.clone());
            }
        }
    }

    /// Takes a place in a group for a connection that is in it or isn't; `false` if it is full.
    pub(super) fn join(&self, group: &GroupName) -> bool {
        let Some(limit) = self.limits.per_group else {
            return true;
        };
        let mut taken = self.taken.lock();
        let count = taken.groups.entry(group.clone()).or_default();
        let fits = *count < limit;
        *count += usize::from(fits);
        fits
    }

    /// Gives a place in a group back.
    pub(super) fn leave(&self, group: &GroupName) {
        if self.limits.per_group.is_some() {
            discount(&mut self.taken.lock().groups, group.clone());
        }
    }

    /// The connections that are to end now that `newest` is there, oldest first.
    fn older_than(&self, newest: &Arc<Connection>) -> Vec<Arc<Connection>> {
        let (Some(limit), OverClient::ReplaceOldest) =
            (self.limits.per_client, self.limits.over_client)
        else {
            return Vec::new();
        };
        let taken = self.taken.lock();
        let Some(all) = taken.clients.get(newest.client()) else {
            return Vec::new();
        };
        let is_other =
            |other: &&Arc<Connection>| other.stage().is_active() && !Arc::ptr_eq(other, newest);
        let others: Vec<_> = all.iter().filter(is_other).map(Arc::clone).collect();
        let over = (others.len() + 1).saturating_sub(limit);
        others.into_iter().take(over).collect()
    }
}

impl Core {
    /// Ends the connections of the same client in whose place `newest` is. Inside the section.
    pub(super) fn replace_older(self: &Arc<Self>, newest: &Arc<Connection>, wakes: &mut Wakes) {
        for older in self.slots.older_than(newest) {
            let replaced = self.sinks.notices().replaced(newest.id());
            self.notify(&older, &replaced, wakes);
            self.end(&older, CloseReason::Replaced, wakes);
        }
    }
}

fn count_of<K: Eq + Hash>(counts: &HashMap<K, usize>, key: &K) -> usize {
    counts.get(key).copied().unwrap_or_default()
}

fn discount<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: K) {
    if let Entry::Occupied(mut count) = counts.entry(key) {
        *count.get_mut() -= 1;
        if *count.get() == 0 {
            count.remove();
        }
    }
}

/// What counts as one address.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            Ipv6Addr::from(network).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscriber_has_one_address() {
        let network = |text: &str| network_of(text.parse().unwrap()).to_string();
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
