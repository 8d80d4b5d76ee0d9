use std::{
    collections::BTreeSet,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use sse_core::{
    ClientId, Connection, ConnectionId, GroupName, QueueLimits, QueueSink, Registry, RegistryError,
    RegistryStats, SinkContext, Subscribe, Target,
};

pub(crate) type Subject = Arc<dyn Registry>;

pub(crate) fn client(name: &str) -> ClientId {
    ClientId::new(name).expect("a valid client id")
}

pub(crate) fn group(name: &str) -> GroupName {
    GroupName::new(name).expect("a valid group name")
}

/// A connection of a client that comes in groups.
pub(crate) fn connection(name: &str, groups: &[&str]) -> Arc<Connection> {
    let id = ConnectionId::random().expect("random numbers");
    connection_of_id(id, name, groups)
}

pub(crate) fn connection_of_id(id: ConnectionId, name: &str, groups: &[&str]) -> Arc<Connection> {
    let subscribe = Subscribe::new(client(name));
    let subscribe = groups
        .iter()
        .fold(subscribe, |s, name| s.group(group(name)));
    let sink = QueueSink::new(QueueLimits::default(), SinkContext::default());
    Arc::new(Connection::new(id, subscribe, sink))
}

/// Inserts a new connection.
pub(crate) async fn inserted(registry: &Subject, name: &str, groups: &[&str]) -> Arc<Connection> {
    let connection = connection(name, groups);
    insert(registry, &connection).await;
    connection
}

pub(crate) async fn insert(registry: &Subject, connection: &Arc<Connection>) {
    set_up("insert", registry.insert(Arc::clone(connection)).await);
}

/// Inserts a connection that an insert before, of which nothing is seen yet, may still bring.
pub(crate) async fn insert_unless_there(registry: &Subject, connection: &Arc<Connection>) {
    match registry.insert(Arc::clone(connection)).await {
        Err(RegistryError::Exists(id)) if id == connection.id() => {}
        answer => set_up("insert", answer),
    }
}

/// What a change answered that no rule lets fail.
fn set_up<T>(what: &str, answer: Result<T, RegistryError>) -> T {
    answer.unwrap_or_else(|error| panic!("{what}, which nothing speaks against: {error:?}"))
}

/// Removes a connection; what `remove` answers is the business of a case of its own.
pub(crate) async fn remove(registry: &Subject, connection: &Connection) {
    let removed = registry.remove(connection.id()).await;
    set_up("remove", removed);
}

pub(crate) async fn join(registry: &Subject, connection: &Connection, name: &str) -> bool {
    set_up("join", registry.join(connection.id(), group(name)).await)
}

pub(crate) async fn leave(registry: &Subject, connection: &Connection, name: &str) -> bool {
    set_up("leave", registry.leave(connection.id(), &group(name)).await)
}

/// Whom a visit finds, in order of their ids.
pub(crate) fn visited(registry: &Subject, target: &Target) -> Vec<ConnectionId> {
    let mut ids = Vec::new();
    registry.visit(target, &mut |connection| ids.push(connection.id()));
    ids.sort_unstable();
    ids
}

#[track_caller]
pub(crate) fn assert_visited(registry: &Subject, target: &Target, expected: &[&Arc<Connection>]) {
    let found = visited(registry, target);
    let wanted: BTreeSet<_> = expected.iter().map(|connection| connection.id()).collect();
    let each: BTreeSet<_> = found.iter().copied().collect();
    let missed = wanted.difference(&each).count();
    let others = each.difference(&wanted).count();
    let again = found.len() - each.len();
    assert!(
        (missed, others, again) == (0, 0, 0),
        "{target:?} means {} connections; of these it missed {missed}; it visited {others} others, \
         and {again} again that it had visited",
        wanted.len()
    );
}

#[track_caller]
pub(crate) fn assert_stats(registry: &Subject, connections: usize, clients: usize, groups: usize) {
    let wanted = RegistryStats {
        connections,
        clients,
        groups,
    };
    let found = registry.stats();
    assert!(
        found == wanted,
        "there are {wanted:?}; stats says {found:?}"
    );
}

/// Polls `future` up to `times` times, then drops it.
pub(crate) fn poll_and_drop<T>(future: impl Future<Output = T>, times: usize) {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    let done = (0..times).find_map(|_| match future.as_mut().poll(&mut cx) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    });
    drop(done);
}
