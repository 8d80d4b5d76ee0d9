//! A registry that takes its time, or panics, has every connection taken out of it in the end.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::support::{eventually, group, open, panic_quietly, pass, poll, settle, subscribe, text};
use sse_core::{
    ClientId, Connection, ConnectionId, Final, GroupName, GroupRule, Hub, ManualClock,
    MemoryRegistry, Predicate, Registry, RegistryError, RegistryStats, SubscribeError, Target,
    async_trait,
};
use tokio::sync::Semaphore;

/// What holds a [`Slow`] registry up; nothing by default.
#[derive(Debug, Default)]
struct Slow {
    inner: MemoryRegistry,
    inserts: Option<Semaphore>,
    joins: Option<Semaphore>,
    slow_removes: bool,
    panic_once: AtomicBool,
    log: Mutex<Vec<&'static str>>,
}

impl Slow {
    fn log(&self, what: &'static str) {
        self.log.lock().unwrap().push(what);
    }
}

async fn pass_through(gate: Option<&Semaphore>) {
    if let Some(gate) = gate {
        gate.acquire().await.unwrap().forget();
    }
}

#[async_trait]
impl Registry for Slow {
    async fn insert(&self, connection: Arc<Connection>) -> Result<(), RegistryError> {
        pass_through(self.inserts.as_ref()).await;
        self.inner.insert(connection).await
    }

    async fn remove(&self, id: ConnectionId) -> Result<Option<Arc<Connection>>, RegistryError> {
        self.log("remove");
        if self.panic_once.swap(false, Ordering::SeqCst) {
            panic_quietly();
        }
        if self.slow_removes {
            settle().await;
        }
        self.inner.remove(id).await
    }

    async fn join(&self, id: ConnectionId, group: GroupName) -> Result<bool, RegistryError> {
        self.log("join begins");
        let joined = self.inner.join(id, group).await;
        pass_through(self.joins.as_ref()).await;
        self.log("join ends");
        joined
    }

    async fn leave(&self, id: ConnectionId, group: &GroupName) -> Result<bool, RegistryError> {
        self.inner.leave(id, group).await
    }

    fn visit(&self, target: &Target, each: &mut dyn FnMut(&Arc<Connection>)) {
        self.inner.visit(target, each);
    }

    fn group_rule(&self) -> GroupRule {
        self.inner.group_rule()
    }

    fn stats(&self) -> RegistryStats {
        self.inner.stats()
    }
}

fn hub(registry: Slow) -> (Hub, Arc<Slow>, ManualClock) {
    let (registry, clock) = (Arc::new(registry), ManualClock::new());
    let builder = Hub::builder().clock(clock.clone());
    let hub = builder.registry(Arc::clone(&registry)).build().unwrap();
    (hub, registry, clock)
}

#[tokio::test]
async fn the_end_of_the_hub_in_the_midst_of_it_forgets_nobody() {
    let slow_removes = true;
    let (hub, registry, _clock) = hub(Slow {
        slow_removes,
        ..Slow::default()
    });
    let mut readers = Vec::new();
    for n in 0..20 {
        readers.push(open(&hub, &format!("c{n}"), &["g"]).await);
    }
    drop(readers);
    tokio::task::yield_now().await;
    drop(hub);
    eventually(|| registry.stats() == RegistryStats::default()).await;
}

#[tokio::test]
async fn the_task_ends_with_the_hub_at_once() {
    let (hub, registry, clock) = hub(Slow::default());
    let ada = open(&hub, "ada", &["g"]).await;
    settle().await;
    drop(hub);
    eventually(|| clock.next_deadline().is_none()).await;
    assert_eq!(registry.stats(), RegistryStats::default());
    // The task's core is gone: what is left is the reader's and the test's own.
    drop(ada);
    eventually(|| Arc::strong_count(&registry) == 1).await;
}

#[tokio::test]
async fn a_panic_is_an_error_and_stops_no_heartbeat() {
    let (hub, registry, clock) = hub(Slow::default());
    let mut stays = open(&hub, "stays", &[]).await;
    let goes = open(&hub, "goes", &["g"]).await;
    registry.panic_once.store(true, Ordering::SeqCst);
    drop(goes);
    for _ in 0..3 {
        pass(&clock, Duration::from_secs(31)).await;
        assert_eq!(stays.read(), ["heartbeat"]);
    }
    assert_eq!(
        (registry.stats().connections, registry.stats().groups),
        (1, 0)
    );
}

#[tokio::test]
async fn a_connection_is_not_reaped_while_it_is_taken_in() {
    let inserts = Some(Semaphore::new(0));
    let (hub, registry, clock) = hub(Slow {
        inserts,
        ..Slow::default()
    });
    let mut opening = Box::pin(hub.subscribe(subscribe("ada", &["g"])));
    assert!(poll(opening.as_mut()).is_pending());
    pass(&clock, Duration::from_secs(200)).await;
    assert_eq!(hub.info().connections, 1, "it has its slot");
    registry.inserts.as_ref().unwrap().add_permits(1);
    let stream = opening.await.unwrap();
    pass(&clock, Duration::from_secs(80)).await;
    assert_eq!(hub.info().reaped, 0, "it has its time from now on");
    drop(stream);
    eventually(|| registry.stats() == RegistryStats::default()).await;
}

#[tokio::test]
async fn the_end_of_the_hub_while_it_takes_one_in() {
    let inserts = Some(Semaphore::new(0));
    let (hub, registry, _clock) = hub(Slow {
        inserts,
        ..Slow::default()
    });
    let opening = {
        let hub = hub.clone();
        tokio::spawn(async move { hub.subscribe(subscribe("ada", &["g"])).await.map(drop) })
    };
    settle().await;
    assert_eq!(hub.disconnect(&Target::everybody()), 0, "it isn't live yet");
    registry.inserts.as_ref().unwrap().add_permits(1);
    opening.await.unwrap().unwrap();
    eventually(|| registry.stats() == RegistryStats::default()).await;
}

#[tokio::test]
async fn changes_to_a_connection_happen_one_after_the_other() {
    let joins = Some(Semaphore::new(0));
    let (hub, registry, _clock) = hub(Slow {
        joins,
        ..Slow::default()
    });
    let ada = open(&hub, "ada", &[]).await;
    let mut joining = Box::pin(hub.join(ada.handle.id(), "g"));
    assert!(poll(joining.as_mut()).is_pending());
    drop(ada);
    settle().await;
    registry.joins.as_ref().unwrap().add_permits(1);
    assert!(joining.await.unwrap());
    eventually(|| registry.stats() == RegistryStats::default()).await;
    let log = registry.log.lock().unwrap();
    assert_eq!(*log, ["join begins", "join ends", "remove"]);
}

#[tokio::test]
async fn a_join_that_was_dropped_midway_is_told_when_it_is_asked_for_again() {
    let joins = Some(Semaphore::new(0));
    let (hub, registry, _clock) = hub(Slow {
        joins,
        ..Slow::default()
    });
    let ada = open(&hub, "ada", &[]).await;
    {
        let mut dropped = Box::pin(ada.handle.join("g"));
        assert!(poll(dropped.as_mut()).is_pending());
    }
    registry.joins.as_ref().unwrap().add_permits(2);
    assert!(!ada.handle.join("g").await.unwrap(), "the registry had it");
    assert_eq!(ada.handle.groups(), [group("g")]);
    let receipt = hub.send_group("g", text("x")).await.unwrap();
    assert_eq!(receipt.outcome().await.unwrap().matched, 1);
}

#[tokio::test]
async fn who_is_being_taken_in_does_not_slip_through_an_end_for_good() {
    let is_ada = Predicate::new(|connection| connection.client().as_str() == "ada");
    for target in [
        Target::client(ClientId::new("ada").unwrap()),
        Target::group(group("g")),
        Target::matching(is_ada),
        Target::everybody().except_client(ClientId::new("bob").unwrap()),
        Target::everybody().within(group("g")),
        Target::matching(Predicate::new(|_| true)).within(group("g")),
    ] {
        let (hub, registry, _clock) = hub(Slow {
            inserts: Some(Semaphore::new(0)),
            ..Slow::default()
        });
        let mut inside = Box::pin(hub.subscribe(subscribe("ada", &["g"])));
        let mut outside = Box::pin(hub.subscribe(subscribe("bob", &["h"])));
        assert!(poll(inside.as_mut()).is_pending() && poll(outside.as_mut()).is_pending());
        hub.disconnect_for_good(&target, Final::lasting(Duration::from_secs(600)));
        registry.inserts.as_ref().unwrap().add_permits(2);
        assert!(
            matches!(inside.await, Err(SubscribeError::Final)),
            "{target:?}"
        );
        let _bob = outside.await.unwrap();
        let again = hub.subscribe(subscribe("ada", &[])).await;
        assert!(matches!(again, Err(SubscribeError::Final)), "{target:?}");
        eventually(|| registry.stats().connections == 1).await;
    }
}

#[tokio::test]
async fn who_is_being_taken_in_does_not_slip_through_a_revocation() {
    let (hub, registry, _clock) = hub(Slow {
        inserts: Some(Semaphore::new(0)),
        ..Slow::default()
    });
    let mut ada = Box::pin(hub.subscribe(subscribe("ada", &[])));
    let mut bob = Box::pin(hub.subscribe(subscribe("bob", &[])));
    assert!(poll(ada.as_mut()).is_pending() && poll(bob.as_mut()).is_pending());
    let is_ada = Predicate::new(|connection| connection.client().as_str() == "ada");
    assert_eq!(hub.revoke(&Target::matching(is_ada), "signed-out"), 1);
    registry.inserts.as_ref().unwrap().add_permits(2);
    let revoked = ada.await;
    assert!(matches!(revoked, Err(SubscribeError::Ended)), "{revoked:?}");
    let _bob = bob.await.unwrap();
    eventually(|| registry.stats().connections == 1).await;
}
