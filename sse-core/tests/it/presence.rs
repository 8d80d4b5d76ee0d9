//! Who comes and goes, in the order in which it happens.

use crate::support::{eventually, open, soon, subscribe, unread};
use sse_core::{CloseReason, Hub, HubConfig, Presence, PresenceNotice, Target};

fn hub() -> Hub {
    Hub::builder().build().unwrap()
}

/// The next notice, short: what, whose, and what it is about.
async fn next(presence: &mut Presence) -> String {
    match soon(presence.next()).await {
        Some(PresenceNotice::Connected { client, groups, .. }) => {
            format!("{client} connected {groups:?}")
        }
        Some(PresenceNotice::Disconnected { client, reason, .. }) => {
            format!("{client} disconnected: {reason}")
        }
        Some(PresenceNotice::Joined { client, group, .. }) => format!("{client} joined {group}"),
        Some(PresenceNotice::Left { client, group, .. }) => format!("{client} left {group}"),
        Some(PresenceNotice::Missed(missed)) => format!("missed {missed}"),
        None => "the end".to_owned(),
        Some(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_connection_is_present_from_the_first_poll_of_its_body_to_its_end() {
    let hub = hub();
    let mut presence = hub.presence();
    drop(unread(&hub, subscribe("never-read", &[])).await);
    let mut ada = unread(&hub, subscribe("ada", &["g"])).await;
    ada.handle.join("before").await.unwrap();
    ada.handle.leave("g").await.unwrap();
    ada.read();
    ada.read();
    assert!(ada.handle.join("h").await.unwrap());
    assert!(!ada.handle.join("h").await.unwrap(), "not told twice");
    assert!(ada.handle.leave("before").await.unwrap());
    assert!(!ada.handle.leave("before").await.unwrap(), "not told twice");
    drop(ada);
    let bob = open(&hub, "bob", &[]).await;
    assert_eq!(hub.disconnect(&Target::everybody()), 1);
    drop(bob);
    for expected in [
        r#"ada connected ["before"]"#,
        "ada joined h",
        "ada left before",
        "ada disconnected: client-gone",
        "bob connected []",
        "bob disconnected: disconnected",
    ] {
        assert_eq!(next(&mut presence).await, expected);
    }
    drop(hub);
    assert_eq!(next(&mut presence).await, "the end");
}

#[tokio::test]
async fn a_reader_that_falls_behind_is_told() {
    let config: HubConfig = serde_json::from_str(r#"{"presence_backlog": 4}"#).unwrap();
    let hub = Hub::builder().config(config).build().unwrap();
    let mut presence = hub.presence();
    let ada = open(&hub, "ada", &[]).await;
    for n in 0..10 {
        ada.handle.join(format!("g{n}")).await.unwrap();
    }
    assert_eq!(next(&mut presence).await, "missed 7");
    assert_eq!(next(&mut presence).await, "ada joined g6");
}

#[tokio::test]
async fn every_listener_is_told_and_none_is_needed() {
    let hub = hub();
    let early = open(&hub, "early", &[]).await;
    let (mut one, mut two) = (hub.presence(), hub.presence());
    drop(early);
    for presence in [&mut one, &mut two] {
        assert_eq!(next(presence).await, "early disconnected: client-gone");
    }
}

#[tokio::test]
async fn a_cancelled_wait_loses_nothing() {
    let hub = hub();
    let mut presence = hub.presence();
    {
        let mut waiting = Box::pin(presence.next());
        assert!(crate::support::poll(waiting.as_mut()).is_pending());
    }
    let _ada = open(&hub, "ada", &[]).await;
    assert_eq!(next(&mut presence).await, "ada connected []");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn joins_beside_an_end_are_told_before_it_or_not_at_all() {
    for _ in 0..100 {
        let hub = hub();
        let mut presence = hub.presence();
        let ada = open(&hub, "ada", &[]).await;
        let handle = ada.handle.clone();
        let joins = tokio::spawn(async move {
            for n in 0..20 {
                // It may have gone.
                let _ = handle.join(format!("g{n}")).await;
            }
        });
        tokio::task::yield_now().await;
        drop(ada);
        joins.await.unwrap();
        eventually(|| (hub.info().connections, hub.info().groups) == (0, 0)).await;
        drop(hub);
        assert_eq!(next(&mut presence).await, "ada connected []");
        let mut last = String::new();
        loop {
            match next(&mut presence).await {
                end if end == "the end" => break,
                notice => {
                    assert_ne!(
                        last,
                        format!("ada disconnected: {}", CloseReason::ClientGone)
                    );
                    last = notice;
                }
            }
        }
        assert_eq!(last, "ada disconnected: client-gone");
    }
}
