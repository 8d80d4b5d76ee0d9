//! Which clients come and go.

use std::time::Duration;

use crate::support::{open, poll, settle, soon};
use sse_core::{ClientId, ClientNotice, ClientPresence, Hub, HubConfig, ManualClock};

const GRACE: Duration = Duration::from_secs(10);

fn hub() -> (Hub, ManualClock) {
    let clock = ManualClock::new();
    let hub = Hub::builder().clock(clock.clone()).heartbeat(None);
    (hub.build().unwrap(), clock)
}

fn online(client: &str) -> ClientNotice {
    ClientNotice::Online(ClientId::new(client).unwrap())
}

fn offline(client: &str) -> ClientNotice {
    ClientNotice::Offline(ClientId::new(client).unwrap())
}

async fn next(presence: &mut ClientPresence) -> ClientNotice {
    soon(presence.next()).await.expect("the hub is there")
}

/// Nothing is told, whatever has happened by now.
async fn nothing(presence: &mut ClientPresence) {
    for _ in 0..3 {
        settle().await;
        assert!(poll(Box::pin(presence.next()).as_mut()).is_pending());
    }
}

#[tokio::test]
async fn a_page_that_is_reloaded_is_no_news() {
    let (hub, clock) = hub();
    let mut presence = hub.client_presence(GRACE);
    let ada = open(&hub, "ada", &[]).await;
    assert_eq!(next(&mut presence).await, online("ada"));
    for _ in 0..5 {
        let ada = open(&hub, "ada", &[]).await;
        drop(ada);
    }
    drop(ada);
    nothing(&mut presence).await;
    clock.advance(GRACE / 2);
    nothing(&mut presence).await;
    assert!(presence.is_online(&ClientId::new("ada").unwrap()));
    let ada = open(&hub, "ada", &[]).await;
    clock.advance(GRACE * 3);
    nothing(&mut presence).await;
    drop(ada);
    nothing(&mut presence).await;
    clock.advance(GRACE - Duration::from_millis(1));
    nothing(&mut presence).await;
    clock.advance(Duration::from_millis(1));
    assert_eq!(next(&mut presence).await, offline("ada"));
    assert_eq!(presence.online().count(), 0);
}

#[tokio::test]
async fn several_that_leave_are_told_in_turn() {
    let (hub, clock) = hub();
    let [ada, bob, eve] = [
        open(&hub, "ada", &[]).await,
        open(&hub, "bob", &[]).await,
        open(&hub, "eve", &[]).await,
    ];
    let mut presence = hub.client_presence(GRACE);
    nothing(&mut presence).await;
    assert_eq!(presence.online().count(), 3, "who was there before");
    drop(ada);
    nothing(&mut presence).await;
    clock.advance(GRACE / 2);
    drop(bob);
    nothing(&mut presence).await;
    // Back, and gone again: from the second time on.
    drop(open(&hub, "ada", &[]).await);
    nothing(&mut presence).await;
    clock.advance(GRACE / 2);
    nothing(&mut presence).await;
    clock.advance(GRACE / 2);
    assert_eq!(next(&mut presence).await, offline("bob"));
    assert_eq!(next(&mut presence).await, offline("ada"));
    nothing(&mut presence).await;
    drop(eve);
    drop(hub);
    assert_eq!(soon(presence.next()).await, None);
}

#[tokio::test]
async fn whoever_falls_behind_looks_who_is_there() {
    let mut config = HubConfig::default();
    config.presence_backlog = 4;
    config.heartbeat = None;
    let clock = ManualClock::new();
    let hub = Hub::builder().config(config).clock(clock.clone());
    let hub = hub.build().unwrap();
    let ada = open(&hub, "ada", &[]).await;
    let mut presence = hub.client_presence(GRACE);
    let bob = open(&hub, "bob", &[]).await;
    drop(ada);
    for n in 0..10 {
        bob.handle.join(format!("g{n}")).await.unwrap();
    }
    assert_eq!(next(&mut presence).await, online("bob"));
    nothing(&mut presence).await;
    clock.advance(GRACE);
    assert_eq!(next(&mut presence).await, offline("ada"));
    nothing(&mut presence).await;
}

#[tokio::test]
async fn without_grace_it_is_told_at_once() {
    let (hub, _clock) = hub();
    let mut presence = hub.client_presence(Duration::ZERO);
    for _ in 0..2 {
        let ada = open(&hub, "ada", &[]).await;
        assert_eq!(next(&mut presence).await, online("ada"));
        drop(ada);
        assert_eq!(next(&mut presence).await, offline("ada"));
    }
}
