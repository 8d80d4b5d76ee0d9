//! Connections that come, change and go while others look for them.

use std::{collections::HashSet, sync::Arc};

use shuttle::thread;

use super::{MemoryRegistry, Registry, RegistryError, RegistryStats};
use crate::{
    ClientId, Connection, ConnectionId, GroupName, Predicate, QueueLimits, QueueSink, SinkContext,
    Subscribe, Target,
    models::{check, now},
};

fn client(name: &str) -> ClientId {
    ClientId::new(name).unwrap()
}

fn group(name: &str) -> GroupName {
    GroupName::new(name).unwrap()
}

fn connection(client: &str, groups: &[&str]) -> Arc<Connection> {
    let groups = groups.iter().map(|name| group(name));
    let subscribe = groups.fold(Subscribe::client_id(client).unwrap(), Subscribe::group);
    let sink = QueueSink::new(QueueLimits::default(), SinkContext::default());
    let id = ConnectionId::random().unwrap();
    Arc::new(Connection::new(id, subscribe, sink))
}

fn insert(registry: &MemoryRegistry, connection: &Arc<Connection>) -> Result<(), RegistryError> {
    now(registry.insert(Arc::clone(connection)))
}

/// Whom a visit meets, each once.
fn visit(registry: &MemoryRegistry, target: &Target) -> HashSet<ConnectionId> {
    let mut met = HashSet::new();
    registry.visit(target, &mut |connection| {
        // Somebody else may go on while the visit holds its lock.
        let _ = connection.groups();
        assert!(met.insert(connection.id()), "met twice");
    });
    met
}

/// Every kind of target that means `who`, a connection of `ada` in `x` and `y`.
fn targets(who: ConnectionId) -> Vec<Target> {
    let (ada, x, y) = (client("ada"), group("x"), group("y"));
    let everybody = || Predicate::new(|_| true);
    vec![
        Target::client(ada.clone()),
        Target::clients([client("bob"), ada.clone()]),
        Target::connection(who),
        Target::group(x.clone()),
        Target::everybody(),
        Target::matching(everybody()),
        Target::client(ada.clone()).within(x.clone()),
        Target::clients([ada, client("bob")]).within(y.clone()),
        Target::connection(who).within(y.clone()),
        Target::group(x.clone()).within(y),
        Target::everybody().within(x.clone()),
        Target::matching(everybody()).within(x),
    ]
}

#[test]
fn a_visit_meets_each_once_and_nothing_is_left_behind() {
    check(|| {
        let registry = Arc::new(MemoryRegistry::new());
        let stays = connection("ada", &["x", "y"]);
        insert(&registry, &stays).unwrap();
        let passers = ["ada", "bob"].map(|client| {
            let registry = Arc::clone(&registry);
            let passer = connection(client, &["x"]);
            thread::spawn(move || {
                let id = passer.id();
                insert(&registry, &passer).unwrap();
                assert!(now(registry.join(id, group("y"))).unwrap());
                assert!(now(registry.leave(id, &group("x"))).unwrap());
                let removed = now(registry.remove(id)).unwrap();
                assert_eq!(removed.unwrap().id(), id);
                assert!(visit(&registry, &Target::connection(id)).is_empty());
            })
        });
        for target in targets(stays.id()) {
            assert!(
                visit(&registry, &target).contains(&stays.id()),
                "{target:?}"
            );
        }
        for passer in passers {
            passer.join().unwrap();
        }
        for target in targets(stays.id()) {
            assert_eq!(visit(&registry, &target).len(), 1, "{target:?}");
        }
        now(registry.remove(stays.id())).unwrap();
        assert_eq!(registry.stats(), RegistryStats::default());
    });
}

#[test]
fn changes_to_one_connection_leave_nothing_behind() {
    check(|| {
        let registry = Arc::new(MemoryRegistry::new());
        let connection = connection("ada", &["x"]);
        let id = connection.id();
        let insert = {
            let (registry, connection) = (Arc::clone(&registry), Arc::clone(&connection));
            move || insert(&registry, &connection).is_ok()
        };
        let inserted = [insert.clone(), insert].map(thread::spawn);
        let changes = thread::spawn({
            let registry = Arc::clone(&registry);
            move || {
                let changes = [
                    now(registry.join(id, group("y"))),
                    now(registry.leave(id, &group("x"))),
                ];
                for change in changes {
                    assert!(matches!(change, Ok(true) | Err(RegistryError::Unknown(_))));
                }
            }
        });
        let removes = thread::spawn({
            let registry = Arc::clone(&registry);
            move || now(registry.remove(id)).unwrap().is_some()
        });
        // What the target asks for is looked up under another lock than the connection is.
        for target in targets(id) {
            assert!(visit(&registry, &target).len() <= 1);
        }
        let inserted = inserted.map(|insert| insert.join().unwrap());
        changes.join().unwrap();
        let removed = usize::from(removes.join().unwrap());
        let inserted = inserted.into_iter().filter(|inserted| *inserted).count();
        let left = inserted - removed;
        assert!(inserted >= 1 && left <= 1);
        assert_eq!(registry.stats().connections, left);
        now(registry.remove(id)).unwrap();
        assert_eq!(registry.stats(), RegistryStats::default());
    });
}
