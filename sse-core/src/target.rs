use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use crate::{ClientId, Connection, ConnectionId, GroupName, foreign::caught};

/// Whom an event is for.
///
/// A [`Scope`], optionally narrowed to a group, optionally except a connection or a client.
///
/// ```
/// use sse_core::{ClientId, GroupName, Target};
///
/// let (ada, admins) = (ClientId::new("ada")?, GroupName::new("admins")?);
/// let others = Target::group(&admins).except_client(&ada);
/// let ada_as_admin = Target::client(&ada).within(&admins);
/// # assert_ne!(others, ada_as_admin);
/// # Ok::<(), sse_core::NameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    scope: Scope,
    within: Option<GroupName>,
    except: Option<Except>,
}

/// The connections that a [`Target`] starts from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// Every connection of a client.
    Client(ClientId),
    /// Every connection of each of these clients, which are sorted and different.
    Clients(Arc<[ClientId]>),
    /// One connection.
    Connection(ConnectionId),
    /// The members of a group.
    Group(GroupName),
    /// All connections.
    Everybody,
    /// Those of this node's connections for which the predicate holds. A registry visits
    /// everybody; the hub asks the predicate.
    Matching(Predicate),
}

/// Whom a [`Target`] leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Except {
    /// One connection.
    Connection(ConnectionId),
    /// Every connection of a client.
    Client(ClientId),
}

/// The three send modes, by which a hub counts what was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendMode {
    /// To a client, some clients, or a connection.
    Unicast,
    /// To a group.
    Group,
    /// To everybody, or everybody for whom a predicate holds.
    Broadcast,
}

impl Target {
    const fn new(scope: Scope) -> Self {
        Self {
            scope,
            within: None,
            except: None,
        }
    }

    /// Every connection of `client`.
    #[must_use]
    pub fn client(client: impl Into<ClientId>) -> Self {
        Self::new(Scope::Client(client.into()))
    }

    /// Every connection of each of `clients`.
    #[must_use]
    pub fn clients(clients: impl IntoIterator<Item = impl Into<ClientId>>) -> Self {
        let mut clients: Vec<ClientId> = clients.into_iter().map(Into::into).collect();
        clients.sort_unstable();
        clients.dedup();
        Self::new(Scope::Clients(clients.into()))
    }

    /// One connection.
    #[must_use]
    pub const fn connection(connection: ConnectionId) -> Self {
        Self::new(Scope::Connection(connection))
    }

    /// The members of `group`.
    #[must_use]
    pub fn group(group: impl Into<GroupName>) -> Self {
        Self::new(Scope::Group(group.into()))
    }

    /// All connections.
    #[must_use]
    pub const fn everybody() -> Self {
        Self::new(Scope::Everybody)
    }

    /// This node's connections for which `predicate` holds.
    #[must_use]
    pub const fn matching(predicate: Predicate) -> Self {
        Self::new(Scope::Matching(predicate))
    }

    /// Only those of them that are in `group`.
    #[must_use]
    pub fn within(mut self, group: impl Into<GroupName>) -> Self {
        self.within = Some(group.into());
        self
    }

    /// But not `connection`. Takes the place of an earlier exception.
    #[must_use]
    pub fn except_connection(mut self, connection: ConnectionId) -> Self {
        self.except = Some(Except::Connection(connection));
        self
    }

    /// But no connection of `client`. Takes the place of an earlier exception.
    #[must_use]
    pub fn except_client(mut self, client: impl Into<ClientId>) -> Self {
        self.except = Some(Except::Client(client.into()));
        self
    }

    /// The connections that it starts from.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The group that it is narrowed to.
    #[must_use]
    pub const fn group_within(&self) -> Option<&GroupName> {
        self.within.as_ref()
    }

    /// Whom it leaves out.
    #[must_use]
    pub const fn except(&self) -> Option<&Except> {
        self.except.as_ref()
    }

    /// Which of the three send modes it is.
    #[must_use]
    pub const fn mode(&self) -> SendMode {
        match self.scope {
            Scope::Client(_) | Scope::Clients(_) | Scope::Connection(_) => SendMode::Unicast,
            Scope::Group(_) => SendMode::Group,
            Scope::Everybody | Scope::Matching(_) => SendMode::Broadcast,
        }
    }

    /// Whether `connection`, which a registry found for this target, really is meant: not left
    /// out, and the predicate holds. A predicate that panics is no match.
    pub(crate) fn admits(&self, connection: &Connection) -> bool {
        let left_out = match &self.except {
            None => false,
            Some(Except::Connection(id)) => *id == connection.id(),
            Some(Except::Client(client)) => client == connection.client(),
        };
        !left_out
            && match &self.scope {
                Scope::Matching(predicate) => predicate.holds(connection),
                _ => true,
            }
    }
}

/// A condition on a connection: its client, its attributes.
///
/// It runs inside the ordered section, once a connection: it must be quick, and neither block nor
/// wait for the hub. A clone is equal to its original; two made apart never are.
#[derive(Clone)]
pub struct Predicate(Arc<dyn Fn(&Connection) -> bool + Send + Sync>);

impl Predicate {
    /// The condition `holds`.
    pub fn new(holds: impl Fn(&Connection) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(holds))
    }

    fn holds(&self, connection: &Connection) -> bool {
        caught(|| (self.0)(connection)).unwrap_or_else(|| {
            tracing::error!(connection = %connection.id(), "a predicate panicked: no match");
            false
        })
    }

    fn address(&self) -> *const () {
        Arc::as_ptr(&self.0).cast()
    }
}

impl fmt::Debug for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Predicate(..)")
    }
}

impl PartialEq for Predicate {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.address(), other.address())
    }
}

impl Eq for Predicate {}

impl Hash for Predicate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.address().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_clients_is_a_set() {
        let id = |name| ClientId::new(name).unwrap();
        let (a, b) = (id("a"), id("b"));
        assert_eq!(
            Target::clients([&b, &a, &b]),
            Target::clients([&a, &b]),
            "neither order nor repetition matters"
        );
    }

    #[test]
    fn a_predicate_equals_its_clones_only() {
        let predicate = Predicate::new(|_| true);
        assert_eq!(predicate, predicate.clone());
        assert_ne!(predicate, Predicate::new(|_| true));
    }
}
