use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use sse_core::{
    ClientId, Connection, ConnectionId, GroupName, QueueLimits, QueueSink, Registry, RegistryStats,
    SinkContext, Subscribe, Target,
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
    let taken = registry.insert(Arc::clone(connection)).await;
    taken.expect("insert takes a new connection");
}

/// Removes a connection; what `remove` answers is the business of a case of its own.
pub(crate) async fn remove(registry: &Subject, connection: &Connection) {
    let removed = registry.remove(connection.id()).await;
    drop(removed.expect("remove works"));
}

pub(crate) async fn join(registry: &Subject, connection: &Connection, name: &str) -> bool {
    let joined = registry.join(connection.id(), group(name)).await;
    joined.expect("a connection that is there can join")
}

pub(crate) async fn leave(registry: &Subject, connection: &Connection, name: &str) -> bool {
    let left = registry.leave(connection.id(), &group(name)).await;
    left.expect("a connection that is there can leave")
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
    let mut ids: Vec<_> = expected.iter().map(|connection| connection.id()).collect();
    ids.sort_unstable();
    assert_eq!(visited(registry, target), ids, "whom {target:?} means");
}

#[track_caller]
pub(crate) fn assert_stats(registry: &Subject, connections: usize, clients: usize, groups: usize) {
    let expected = RegistryStats {
        connections,
        clients,
        groups,
    };
    assert_eq!(registry.stats(), expected);
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
