//! Connections that nobody reads are closed and removed; on a clock that is moved by hand.

use std::time::Duration;

use crate::support::{eventually, group, open, pass, settle, subscribe, text, unread};
use sse_core::{CloseReason, Hub, HubBuilder, Info, ManualClock, PresenceNotice, Target};

const SECOND: Duration = Duration::from_secs(1);

fn hub(set: impl FnOnce(HubBuilder) -> HubBuilder) -> (Hub, ManualClock) {
    let clock = ManualClock::new();
    let hub = set(Hub::builder().clock(clock.clone()).heartbeat(None));
    (hub.build().unwrap(), clock)
}

fn counts(info: Info) -> (usize, usize, usize, u64) {
    (info.connections, info.clients, info.groups, info.reaped)
}

#[tokio::test]
async fn a_reader_that_takes_nothing_for_ninety_seconds_while_something_waits() {
    let (hub, clock) = hub(|builder| builder);
    let mut presence = hub.presence();
    let mut reader = open(&hub, "ada", &["g"]).await;
    pass(&clock, 200 * SECOND).await;
    assert_eq!(counts(hub.info()), (1, 1, 1, 0), "nothing waited");

    hub.broadcast(text("x")).await.unwrap();
    pass(&clock, 89 * SECOND).await;
    assert_eq!(counts(hub.info()), (1, 1, 1, 0), "not yet");
    pass(&clock, 12 * SECOND).await;
    let info = hub.info();
    assert_eq!((info.connections, info.reaped, info.queued), (0, 1, 0));
    eventually(|| counts(hub.info()) == (0, 0, 0, 1)).await;

    assert_eq!(reader.read(), Vec::<String>::new(), "what waited is freed");
    assert!(reader.ended);
    presence.next().await;
    assert!(matches!(
        presence.next().await,
        Some(PresenceNotice::Disconnected {
            reason: CloseReason::Stalled,
            ..
        })
    ));
}

#[tokio::test]
async fn one_that_reads_slowly_is_left_alone() {
    let (hub, clock) = hub(|builder| builder);
    let mut reader = open(&hub, "ada", &[]).await;
    let large = "x".repeat(20_000);
    for _ in 0..20 {
        hub.broadcast(text(&*large)).await.unwrap();
    }
    for _ in 0..20 {
        pass(&clock, 80 * SECOND).await;
        assert_eq!(reader.next().await.unwrap().len(), 1, "one piece at a time");
    }
    assert_eq!(counts(hub.info()), (1, 1, 0, 0));
}

#[tokio::test]
async fn what_waits_for_one_that_was_ended_is_kept_as_long_as_it_reads_on() {
    let (hub, clock) = hub(|builder| builder);
    let mut slow = open(&hub, "ada", &["g"]).await;
    let mut stalled = open(&hub, "bob", &["g"]).await;
    let large = "x".repeat(20_000);
    for _ in 0..5 {
        hub.broadcast(text(&*large)).await.unwrap();
    }
    assert_eq!(hub.disconnect(&Target::group(group("g"))), 2);
    assert_eq!(hub.info().connections, 0, "ended, and not let go");
    for _ in 0..5 {
        pass(&clock, 80 * SECOND).await;
        assert_eq!(slow.next().await.unwrap().len(), 1, "one piece at a time");
    }
    assert_eq!(slow.next().await, None, "and then the end");
    assert_eq!(stalled.read(), Vec::<String>::new(), "what waited is freed");
    assert!(stalled.ended);
    assert_eq!((hub.info().reaped, hub.info().ended.disconnected), (0, 2));
}

#[tokio::test]
async fn what_waits_for_one_whose_time_is_over_is_not_kept_for_ever() {
    let (hub, clock) = hub(|builder| builder.max_lifetime(60 * SECOND));
    let mut stalled = open(&hub, "ada", &[]).await;
    hub.broadcast(text("x")).await.unwrap();
    pass(&clock, 65 * SECOND).await;
    let info = hub.info();
    assert_eq!((info.connections, info.ending, info.queued), (0, 1, 2));
    pass(&clock, 100 * SECOND).await;
    assert_eq!((hub.info().ending, hub.info().queued), (0, 0));
    assert_eq!(stalled.next().await, None);
}

#[tokio::test]
async fn a_body_that_is_not_polled_within_ninety_seconds() {
    let (hub, clock) = hub(|builder| builder);
    let mut presence = hub.presence();
    let mut never = unread(&hub, subscribe("never", &[])).await;
    let mut late = unread(&hub, subscribe("late", &[])).await;
    pass(&clock, 89 * SECOND).await;
    assert_eq!(late.read(), ["connected"]);
    pass(&clock, 7 * SECOND).await;
    assert_eq!((hub.info().connections, hub.info().reaped), (1, 1));
    assert_eq!(never.read(), Vec::<String>::new());
    assert!(never.ended && !late.ended);

    let first = presence.next().await;
    assert!(
        matches!(&first, Some(PresenceNotice::Connected { client, .. }) if client.as_str() == "late"),
        "who was never read was never present: {first:?}"
    );
    drop(hub);
    let last = presence.next().await;
    assert!(
        matches!(&last, Some(PresenceNotice::Disconnected { client, reason: CloseReason::HubClosed, .. }) if client.as_str() == "late"),
        "{last:?}"
    );
    assert_eq!(presence.next().await, None);
}

#[tokio::test]
async fn the_timeouts_are_settings() {
    let (hub, clock) = hub(|builder| builder.reap_after(3 * SECOND).reap_check(SECOND / 2));
    let _reader = open(&hub, "ada", &[]).await;
    hub.broadcast(text("x")).await.unwrap();
    pass(&clock, 29 * SECOND / 10).await;
    assert_eq!(hub.info().reaped, 0);
    pass(&clock, SECOND).await;
    assert_eq!(hub.info().reaped, 1);
}

#[tokio::test]
async fn a_thousand_at_once_and_the_others_stay() {
    let (hub, clock) = hub(|builder| builder);
    let (mut stalled, mut healthy) = (Vec::new(), Vec::new());
    for n in 0..1_000 {
        stalled.push(open(&hub, &format!("s{n}"), &["g"]).await);
        healthy.push(open(&hub, &format!("h{n}"), &["g"]).await);
    }
    for _ in 0..12 {
        hub.broadcast(text("x")).await.unwrap();
        for reader in &mut healthy {
            assert_eq!(reader.read(), ["x"]);
        }
        pass(&clock, 10 * SECOND).await;
        settle().await;
    }
    eventually(|| counts(hub.info()) == (1_000, 1_000, 1, 1_000)).await;
    for reader in &mut stalled {
        reader.read();
        assert!(reader.ended);
    }
}
