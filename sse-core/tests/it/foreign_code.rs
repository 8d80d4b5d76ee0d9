//! Foreign code in the ordered section can't break it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use crate::support::{eventually, open, panic_quietly, pass, subscribe, text};
use http::{HeaderMap, Method, StatusCode};
use serde_json::json;
use sse_core::{
    CloseReason, Connection, ConnectionId, EventSink, Frame, GroupName, GroupRule, Hub,
    ManualClock, MembershipError, MemoryRegistry, Offer, OutcomeError, Progress, Registry,
    RegistryError, RegistryStats, StreamRequest, Target, WhenFull, async_trait,
};

#[tokio::test]
async fn a_predicate_that_panics_is_no_match() {
    let hub = Hub::builder().build().unwrap();
    let (mut ada, mut bob) = (open(&hub, "ada", &[]).await, open(&hub, "bob", &[]).await);
    let not_ada = |connection: &Connection| {
        if connection.client().as_str() == "ada" {
            panic_quietly();
        }
        true
    };
    let receipt = hub.send_where(not_ada, text("x")).await.unwrap();
    assert_eq!(receipt.outcome().await.unwrap().matched, 1);
    assert_eq!(bob.read(), ["x"]);
    hub.broadcast(text("all")).await.unwrap();
    assert_eq!(
        (ada.read(), bob.read()),
        (vec!["all".into()], vec!["all".into()])
    );
}

/// Where a [`BadSink`] panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    TrySend,
    Wake,
    Progress,
    Close,
}

#[derive(Debug)]
struct BadSink {
    at: At,
    armed: AtomicBool,
    closed: AtomicBool,
}

impl BadSink {
    fn panic_at(&self, at: At) {
        if self.at == at && self.armed.load(Ordering::SeqCst) {
            panic_quietly();
        }
    }
}

impl EventSink for BadSink {
    fn try_send(&self, _: &Frame, _: WhenFull) -> Offer {
        self.panic_at(At::TrySend);
        Offer::QUEUED
    }

    fn wake(&self) {
        self.panic_at(At::Wake);
    }

    fn poll_room(&self, _: &mut Context<'_>, _: usize) -> Poll<bool> {
        Poll::Ready(true)
    }

    fn progress(&self) -> Progress {
        self.panic_at(At::Progress);
        Progress::default()
    }

    fn close(&self, _: CloseReason) {
        self.closed.store(true, Ordering::SeqCst);
        self.panic_at(At::Close);
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_sink_that_panics_costs_its_own_connection() {
    for (at, ends) in [
        (At::TrySend, true),
        (At::Wake, true),
        (At::Progress, true),
        (At::Close, false),
    ] {
        let clock = ManualClock::new();
        let hub = Hub::builder().clock(clock.clone()).build().unwrap();
        let bad = Arc::new(BadSink {
            at,
            armed: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        });
        let sink: Arc<dyn EventSink> = Arc::<BadSink>::clone(&bad);
        let attached = hub.attach(subscribe("bad", &[]), sink).await.unwrap();
        attached.note_polled();
        let mut good = open(&hub, "good", &[]).await;
        bad.armed.store(true, Ordering::SeqCst);

        for n in ["1", "2"] {
            hub.broadcast(text(n)).await.unwrap();
        }
        pass(&clock, Duration::from_secs(6)).await;
        assert_eq!(good.read(), ["1", "2"], "{at:?}");
        assert_eq!(hub.info().connections, if ends { 1 } else { 2 }, "{at:?}");
        assert_eq!(bad.is_closed(), ends, "{at:?}");
        drop(attached);
        eventually(|| hub.info().clients == 1).await;
        assert!(bad.is_closed());
    }
}

/// Panics in the visits of one group, after the first connection.
#[derive(Debug, Default)]
struct BadRegistry(MemoryRegistry);

#[async_trait]
impl Registry for BadRegistry {
    async fn insert(&self, connection: Arc<Connection>) -> Result<(), RegistryError> {
        if connection.client().as_str() == "unwanted" {
            return Err(RegistryError::refused("not this one"));
        }
        self.0.insert(connection).await
    }

    async fn remove(&self, id: ConnectionId) -> Result<Option<Arc<Connection>>, RegistryError> {
        self.0.remove(id).await
    }

    async fn join(&self, id: ConnectionId, group: GroupName) -> Result<bool, RegistryError> {
        if group.as_str() == "full" {
            return Err(RegistryError::refused("full"));
        }
        self.0.join(id, group).await
    }

    async fn leave(&self, id: ConnectionId, group: &GroupName) -> Result<bool, RegistryError> {
        self.0.leave(id, group).await
    }

    fn visit(&self, target: &Target, each: &mut dyn FnMut(&Arc<Connection>)) {
        let cursed = *target == Target::group(GroupName::new("cursed").unwrap());
        self.0.visit(target, &mut |connection| {
            each(connection);
            if cursed {
                panic_quietly();
            }
        });
    }

    fn group_rule(&self) -> GroupRule {
        self.0.group_rule()
    }

    fn stats(&self) -> RegistryStats {
        self.0.stats()
    }
}

#[tokio::test]
async fn a_registry_may_refuse() {
    let hub = Hub::builder()
        .registry(BadRegistry::default())
        .build()
        .unwrap();
    let request = StreamRequest::new(&Method::GET, &HeaderMap::new(), None);
    let response = request.client("unwanted").open(&hub).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(hub.info().connections, 0);

    let _ada = open(&hub, "ada", &[]).await;
    let ada = hub.connections(&Target::everybody()).pop().unwrap();
    let refused = ada.join("full").await;
    let Err(MembershipError::Registry(RegistryError::Refused(reason))) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(reason.to_string(), "full");
}

#[tokio::test]
async fn a_registry_that_panics_has_lost_the_event_and_everyone_is_told() {
    let hub = Hub::builder()
        .registry(BadRegistry::default())
        .build()
        .unwrap();
    let mut members = [
        open(&hub, "ada", &["cursed"]).await,
        open(&hub, "bob", &["cursed"]).await,
    ];
    let mut other = open(&hub, "eve", &[]).await;
    let receipt = hub.send_group("cursed", text("x")).await.unwrap();
    assert_eq!(receipt.outcome().await, Err(OutcomeError::Lost));
    hub.broadcast(text("next")).await.unwrap();

    let gap = r#"gap {"cause":"backend"}"#;
    assert_eq!(other.read(), [gap, "next"]);
    let mut read = members.each_mut().map(|member| member.read());
    read.sort();
    assert_eq!(read[0], [gap, "next"]);
    assert_eq!(read[1], ["x", gap, "next"]);
    assert_eq!(hub.info().lost, 1);
}

#[tokio::test]
async fn data_of_the_application_that_panics_is_replaced() {
    let clock = ManualClock::new();
    let hub = Hub::builder()
        .clock(clock.clone())
        .opening_data(|_| panic_quietly())
        .heartbeat_data(|_| panic_quietly())
        .build()
        .unwrap();
    let mut reader = crate::support::unread(&hub, subscribe("ada", &[])).await;
    assert_eq!(reader.seen()[0].json()["client_id"], "ada");
    pass(&clock, Duration::from_secs(31)).await;
    assert_eq!(reader.seen()[0].json()["type"], json!("periodic"));
}

#[test]
fn everything_public_is_send_and_sync_and_the_traits_are_object_safe() {
    fn assert<T: Send + Sync + 'static + ?Sized>() {}
    assert::<Hub>();
    assert::<sse_core::HubBuilder>();
    assert::<sse_core::Event>();
    assert::<Frame>();
    assert::<Target>();
    assert::<sse_core::Receipt>();
    assert::<sse_core::Subscription>();
    assert::<sse_core::EventBody>();
    assert::<sse_core::StreamBody>();
    assert::<sse_core::Attached>();
    assert::<sse_core::ConnectionHandle>();
    assert::<Connection>();
    assert::<sse_core::Delivered>();
    assert::<sse_core::PublishError>();
    assert::<sse_core::SubscribeError>();
    assert::<dyn EventSink>();
    assert::<dyn Registry>();
    assert::<dyn sse_core::Router>();
    assert::<dyn sse_core::Clock>();
}
