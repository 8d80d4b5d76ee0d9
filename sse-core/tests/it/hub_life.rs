//! How connections and hubs begin and end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::support::{eventually, group, open, poll, settle, soon, subscribe, text, unread};
use futures_util::FutureExt;
use sse_core::{
    ClientId, Connection, ConnectionId, GroupName, GroupRule, Hub, Info, LocalRouter, ManualClock,
    MembershipError, MemoryRegistry, OutcomeError, PublishError, Published, Registry,
    RegistryError, RegistryStats, SubscribeError, Target, async_trait,
};

#[tokio::test]
async fn disconnecting_delivers_what_waits_and_then_ends() {
    let hub = Hub::builder().build().unwrap();
    let mut ada = open(&hub, "ada", &["g"]).await;
    let mut bob = open(&hub, "bob", &["g"]).await;
    hub.send_group("g", text("1")).await.unwrap();
    let target = Target::client(ClientId::new("ada").unwrap());
    assert_eq!(hub.disconnect(&target), 1);
    assert_eq!(hub.info().connections, 1, "its slot is free at once");
    assert_eq!(hub.disconnect(&target), 0, "once");
    let receipt = hub.send_group("g", text("2")).await.unwrap();
    assert_eq!(receipt.outcome().await.unwrap().matched, 1);
    assert_eq!((ada.read(), ada.ended), (vec!["1".to_owned()], true));
    assert_eq!((bob.read().concat(), bob.ended), ("12".to_owned(), false));
    assert_eq!(hub.disconnect(&Target::everybody()), 1);
    assert_eq!(soon(bob.next()).await, None);
}

#[tokio::test]
async fn disconnecting_wakes_whoever_reads() {
    let hub = Hub::builder().build().unwrap();
    let mut ada = open(&hub, "ada", &[]).await;
    let reading = tokio::spawn(async move { ada.next().await });
    settle().await;
    assert_eq!(hub.disconnect(&Target::everybody()), 1);
    assert_eq!(soon(reading).await.unwrap(), None);
}

#[tokio::test]
async fn info_counts() {
    let clock = ManualClock::new();
    let registry = Arc::new(MemoryRegistry::new());
    let hub = Hub::builder()
        .clock(clock.clone())
        .registry(Arc::clone(&registry));
    let hub = hub.build().unwrap();
    assert_eq!(hub.info(), Info::default());
    let mut ada = open(&hub, "ada", &["x", "y"]).await;
    let other = unread(&hub, subscribe("ada", &["x"])).await;
    hub.send_to("ada", text("1")).await.unwrap();
    hub.send_group("y", text("2")).await.unwrap();
    assert_eq!(ada.read(), ["1", "2"]);
    clock.advance(Duration::from_millis(2_999));
    let info = hub.info();
    assert_eq!((info.connections, info.clients, info.groups), (2, 1, 2));
    assert_eq!((info.delivered, info.queued, info.uptime_s), (2, 2, 2));
    let published = Published {
        unicast: 1,
        group: 1,
        broadcast: 0,
    };
    assert_eq!((info.published, info.dropped, info.lost), (published, 0, 0));

    drop((ada, other));
    assert_eq!(hub.info().connections, 0, "at once");
    eventually(|| registry.stats() == RegistryStats::default()).await;
    assert_eq!((hub.info().clients, hub.info().groups), (0, 0));
}

#[tokio::test]
async fn connections_lists_the_live_ones() {
    let hub = Hub::builder().build().unwrap();
    let ada = open(&hub, "ada", &["g"]).await;
    let bob = open(&hub, "bob", &["g"]).await;
    let list = |target: Target| {
        let mut ids: Vec<_> = hub.connections(&target).iter().map(|c| c.id()).collect();
        ids.sort_unstable();
        ids
    };
    let mut both = [ada.handle.id(), bob.handle.id()];
    both.sort_unstable();
    assert_eq!(list(Target::everybody()), both);
    assert_eq!(list(Target::group(group("g"))), both);
    let others = Target::everybody().except_connection(ada.handle.id());
    assert_eq!(list(others), [bob.handle.id()]);
    assert_eq!(
        hub.connections(&Target::connection(both[0]))[0].groups(),
        [group("g")]
    );
    drop(ada);
    assert_eq!(list(Target::everybody()), [bob.handle.id()], "at once");
}

#[tokio::test]
async fn a_handle_keeps_neither_connection_nor_hub_alive() {
    let hub = Hub::builder().build().unwrap();
    let mut ada = open(&hub, "ada", &["g"]).await;
    let handle = ada.handle.clone();
    let receipt = handle.send(text("1")).await.unwrap();
    assert_eq!(receipt.outcome().await.unwrap().queued, 1);
    assert_eq!(ada.read(), ["1"]);
    assert_eq!(handle.client(), Some(ClientId::new("ada").unwrap()));
    let mut closed = Box::pin(handle.closed());
    assert!(poll(closed.as_mut()).is_pending());

    let registry_empty = || hub.info().clients == 0;
    drop(ada);
    soon(closed).await;
    soon(handle.closed()).await;
    eventually(registry_empty).await;
    assert_eq!((handle.client(), handle.groups()), (None, vec![]));
    assert!(handle.attributes().is_empty());
    let receipt = handle.send(text("2")).await.unwrap();
    assert_eq!(receipt.outcome().await.unwrap().matched, 0);
    let error = handle.join("g").await.unwrap_err();
    assert!(matches!(error, MembershipError::Unknown(id) if id == handle.id()));

    let mut bob = open(&hub, "bob", &[]).await;
    let mut closed = Box::pin(bob.handle.closed());
    assert!(poll(closed.as_mut()).is_pending());
    drop(hub);
    soon(closed).await;
    let (send, join) = (bob.handle.send(text("3")), bob.handle.join("g"));
    assert!(matches!(send.await, Err(PublishError::Closed)));
    assert!(matches!(join.await, Err(MembershipError::Closed)));
    assert!(matches!(
        bob.handle.leave("g").await,
        Err(MembershipError::Closed)
    ));
    assert_eq!((bob.read(), bob.ended), (vec![], true));
}

#[tokio::test]
async fn a_task_that_feeds_a_stream_ends_with_it() {
    let hub = Hub::builder().build().unwrap();
    let mut ada = open(&hub, "ada", &[]).await;
    let handle = ada.handle.clone();
    assert!(handle.while_open(handle.send(text("1"))).await.is_some());
    assert_eq!(ada.read(), ["1"]);

    let fed = Arc::new(());
    let feed = {
        let (fed, handle) = (Arc::clone(&fed), ada.handle.clone());
        async move {
            let forever = async {
                let _fed = fed;
                std::future::pending::<()>().await;
            };
            handle.while_open(forever).await
        }
    };
    let feed = tokio::spawn(feed);
    settle().await;
    assert_eq!(Arc::strong_count(&fed), 2);
    assert!(hub.has_connections(&Target::everybody()));
    drop(ada);
    // At once, though the registry learns of it later.
    assert!(!hub.has_connections(&Target::everybody()));
    assert_eq!(soon(feed).await.unwrap(), None);
    assert_eq!(Arc::strong_count(&fed), 1, "what it did is dropped");
    let begun = handle.while_open(async { panic!("it has ended") });
    assert_eq!(begun.await, None::<()>);
}

#[tokio::test]
async fn the_end_of_the_last_handle_ends_the_streams_after_what_waits() {
    let registry = Arc::new(MemoryRegistry::new());
    let hub = Hub::builder()
        .registry(Arc::clone(&registry))
        .build()
        .unwrap();
    let mut ada = open(&hub, "ada", &["g"]).await;
    let mut reading = open(&hub, "bob", &[]).await;
    let reading = tokio::spawn(async move { reading.next().await });
    settle().await;
    let receipt = hub.send_to("ada", text("1")).await.unwrap();
    let clone = hub.clone();
    drop(hub);
    clone.send_to("ada", text("2")).await.unwrap();
    drop(clone);
    assert_eq!(soon(reading).await.unwrap(), None, "whoever reads is woken");
    assert_eq!((ada.read().concat(), ada.ended), ("12".to_owned(), true));
    assert_eq!(
        receipt.outcome().await.unwrap().queued,
        1,
        "it is still known"
    );
    eventually(|| registry.stats() == RegistryStats::default()).await;
    eventually(|| Arc::strong_count(&registry) == 1).await;
}

/// Whoever keeps the router keeps what it delivers to, the hub's inside, and no connection with it.
#[tokio::test]
async fn a_router_that_outlives_its_hub_keeps_no_connection() {
    let router = Arc::new(LocalRouter::default());
    let hub = Hub::builder().router(Arc::clone(&router)).build().unwrap();
    let attribute = Arc::new(());
    let subscribe = subscribe("ada", &[]).attribute(Arc::clone(&attribute));
    let body = hub.subscribe(subscribe).await.unwrap().into_body();
    hub.broadcast(text("unread")).await.unwrap();
    drop(hub);
    drop(body);
    eventually(|| Arc::strong_count(&attribute) == 1).await;
    drop(router);
}

#[test]
fn a_hub_outlives_the_runtime_that_it_began_on() {
    let clock = ManualClock::new();
    let registry = Arc::new(MemoryRegistry::new());
    let hub = Hub::builder()
        .clock(clock.clone())
        .registry(Arc::clone(&registry));
    let hub = hub.build().unwrap();
    let subscription = hub.subscribe(subscribe("ada", &[])).now_or_never();
    assert!(matches!(subscription, Some(Err(SubscribeError::NoRuntime))));
    assert_eq!(hub.info().connections, 0);

    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    };
    let first = runtime();
    let (mut old, gone) =
        first.block_on(async { (open(&hub, "old", &[]).await, open(&hub, "gone", &[]).await) });
    drop(first);
    drop(gone);
    runtime().block_on(async {
        let mut new = open(&hub, "new", &[]).await;
        hub.broadcast(text("1")).await.unwrap();
        crate::support::pass(&clock, Duration::from_secs(31)).await;
        assert_eq!(old.read(), ["1"]);
        assert_eq!(new.read(), ["1"]);
        crate::support::pass(&clock, Duration::from_secs(31)).await;
        assert_eq!(old.read(), ["heartbeat"]);
        assert_eq!(new.read(), ["heartbeat"]);
        eventually(|| registry.stats().connections == 2).await;
    });
}

/// Takes a connection in and then never says so; counts what is taken out.
#[derive(Debug, Default)]
struct Reluctant {
    inner: MemoryRegistry,
    removed: AtomicUsize,
}

#[async_trait]
impl Registry for Reluctant {
    async fn insert(&self, connection: Arc<Connection>) -> Result<(), RegistryError> {
        self.inner.insert(connection).await?;
        std::future::pending().await
    }

    async fn remove(&self, id: ConnectionId) -> Result<Option<Arc<Connection>>, RegistryError> {
        self.removed.fetch_add(1, Ordering::SeqCst);
        self.inner.remove(id).await
    }

    async fn join(&self, id: ConnectionId, group: GroupName) -> Result<bool, RegistryError> {
        self.inner.join(id, group).await
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

#[tokio::test]
async fn a_subscription_that_is_dropped_midway_leaves_nothing_behind() {
    let registry = Arc::new(Reluctant::default());
    let hub = Hub::builder()
        .registry(Arc::clone(&registry))
        .build()
        .unwrap();
    let mut presence = hub.presence();
    let mut midway = Box::pin(hub.subscribe(subscribe("ada", &["g"])));
    assert!(poll(midway.as_mut()).is_pending());
    assert_eq!(
        (registry.stats().connections, hub.info().connections),
        (1, 1)
    );
    let receipt = hub.broadcast(text("x")).await.unwrap();
    assert_eq!(receipt.outcome().await.unwrap().matched, 0, "it is dormant");
    assert_eq!(hub.connections(&Target::everybody()).len(), 0);
    drop(midway);
    assert_eq!(hub.info().connections, 0, "at once");
    eventually(|| registry.stats() == RegistryStats::default()).await;
    assert_eq!(registry.removed.load(Ordering::SeqCst), 1);
    assert!(presence.next().now_or_never().is_none());
}

#[tokio::test]
async fn whoever_waits_for_an_outcome_learns_that_the_hub_is_gone() {
    let hub = Hub::builder()
        .router(crate::support::Silent)
        .build()
        .unwrap();
    let receipt = hub.broadcast(text("x")).await.unwrap();
    let mut outcome = Box::pin(receipt.outcome());
    assert!(poll(outcome.as_mut()).is_pending());
    drop(hub);
    assert_eq!(outcome.await, Err(OutcomeError::Closed));
    assert_eq!(receipt.outcome().await, Err(OutcomeError::Closed));
}
