//! Heartbeats: to whom, when, and what they say; on a clock that is moved by hand.

use std::time::{Duration, SystemTime};

use crate::support::{Reader, open, pass, subscribe, text, unread};
use serde_json::json;
use sse_core::{Clock, Hub, HubBuilder, ManualClock, Target};

const SECOND: Duration = Duration::from_secs(1);

fn hub(set: impl FnOnce(HubBuilder) -> HubBuilder) -> (Hub, ManualClock) {
    let clock = ManualClock::new();
    let hub = set(Hub::builder().clock(clock.clone())).build().unwrap();
    (hub, clock)
}

/// Reads what comes in each of `seconds` seconds; at which seconds heartbeats came.
async fn heartbeats(clock: &ManualClock, reader: &mut Reader, seconds: u32) -> Vec<u32> {
    let mut beats = Vec::new();
    for second in 1..=seconds {
        pass(clock, SECOND).await;
        beats.extend(
            reader
                .read()
                .iter()
                .filter(|e| *e == "heartbeat")
                .map(|_| second),
        );
    }
    beats
}

#[tokio::test]
async fn after_thirty_seconds_with_nothing_to_read() {
    let (hub, clock) = hub(|builder| builder);
    let mut reader = open(&hub, "ada", &[]).await;
    let beats = heartbeats(&clock, &mut reader, 93).await;
    // The first is up to a quarter early, so that those who come together don't stay so. The
    // timer's tick is up to a second late.
    assert_eq!(beats.len(), 3, "{beats:?}");
    assert!((22..=31).contains(&beats[0]), "{beats:?}");
    for pair in beats.windows(2) {
        assert!((30..=31).contains(&(pair[1] - pair[0])), "{beats:?}");
    }
    assert_eq!(hub.info().heartbeats, 3);
    assert_eq!(
        hub.info().delivered,
        0,
        "heartbeats aren't the application's"
    );
}

#[tokio::test]
async fn never_while_there_is_something_to_read() {
    let (hub, clock) = hub(|builder| builder);
    let mut reader = open(&hub, "ada", &[]).await;
    for _ in 0..8 {
        pass(&clock, 20 * SECOND).await;
        hub.broadcast(text("x")).await.unwrap();
        assert_eq!(reader.read(), ["x"]);
    }
    let beats = heartbeats(&clock, &mut reader, 32).await;
    // Up to a quarter early, so that an event to all doesn't bring their heartbeats together.
    assert!(
        matches!(beats[..], [22..=31]),
        "after the last event: {beats:?}"
    );
}

#[tokio::test]
async fn never_behind_what_waits() {
    let (hub, clock) = hub(|builder| builder.healthcheck(10 * SECOND).reap_after(500 * SECOND));
    let mut reader = open(&hub, "ada", &[]).await;
    hub.broadcast(text("waits")).await.unwrap();
    pass(&clock, 120 * SECOND).await;
    assert_eq!(reader.read(), ["waits"]);
    assert_eq!(hub.info().heartbeats, 0);
}

#[tokio::test]
async fn to_all_if_so_set() {
    let (hub, clock) = hub(|builder| builder.heartbeat_to_all(true));
    let mut reader = open(&hub, "ada", &[]).await;
    let mut beats = 0;
    for _ in 0..31 {
        pass(&clock, 10 * SECOND).await;
        beats += reader.read().iter().filter(|e| *e == "heartbeat").count();
        hub.broadcast(text("x")).await.unwrap();
        assert_eq!(reader.read(), ["x"]);
    }
    assert_eq!(beats, 10);
}

#[tokio::test]
async fn none_if_so_set() {
    let (hub, clock) = hub(|builder| builder.heartbeat(None));
    let mut reader = open(&hub, "ada", &[]).await;
    assert!(heartbeats(&clock, &mut reader, 300).await.is_empty());
}

#[tokio::test]
async fn a_healthcheck_comes_whatever_the_traffic() {
    let (hub, clock) = hub(|builder| builder.heartbeat(None).healthcheck(90 * SECOND));
    let mut reader = open(&hub, "ada", &[]).await;
    let mut seen = Vec::new();
    for _ in 0..37 {
        pass(&clock, 5 * SECOND).await;
        seen.extend(reader.seen().into_iter().filter(|e| e.name.is_some()));
        hub.broadcast(text("x")).await.unwrap();
        reader.read();
    }
    let kinds: Vec<_> = seen.iter().map(|e| e.json()["type"].clone()).collect();
    assert_eq!(kinds, ["healthcheck", "healthcheck"]);
}

#[tokio::test]
async fn the_payload_is_exact() {
    let (hub, clock) = hub(|builder| builder.initial_heartbeat(true));
    let mut reader = unread(&hub, subscribe("ada", &[])).await;
    let seen = reader.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].name.as_deref(), Some("connected"));
    let time = clock.system_time();
    let timestamp = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_millis() as u64;
    let data = seen[1].json();
    assert_eq!(
        data,
        json!({
            "type": "initial",
            "timestamp": timestamp,
            "time": data["time"],
            "connection_id": reader.handle.id(),
            "client_id": "ada",
        })
    );
    let told = data["time"].as_str().unwrap();
    assert!(
        told.len() == 24 && told.ends_with('Z') && told.contains('T'),
        "RFC 3339: {told}"
    );

    pass(&clock, 31 * SECOND).await;
    let periodic = reader.seen().pop().unwrap();
    assert_eq!(periodic.name.as_deref(), Some("heartbeat"));
    assert_eq!(periodic.json()["type"], "periodic");
    assert!(periodic.json()["timestamp"].as_u64().unwrap() >= timestamp + 22_500);
}

#[tokio::test]
async fn the_application_may_make_the_data() {
    let (hub, clock) = hub(|builder| {
        builder.heartbeat_data(|beat| json!({"kind": beat.kind, "of": beat.connection.client()}))
    });
    let mut reader = open(&hub, "ada", &[]).await;
    pass(&clock, 31 * SECOND).await;
    let beat = reader.seen().pop().unwrap();
    assert_eq!(beat.json(), json!({"kind": "periodic", "of": "ada"}));
}

#[tokio::test]
async fn the_work_for_a_thousand_is_spread_as_their_connects_were() {
    let (hub, clock) = hub(|builder| builder);
    let mut readers = Vec::new();
    for n in 0..1_000 {
        if n % 50 == 0 {
            pass(&clock, SECOND).await;
        }
        readers.push(open(&hub, &format!("c{n}"), &[]).await);
    }
    let mut most = 0;
    let mut before = hub.info().heartbeats;
    for _ in 0..62 {
        pass(&clock, SECOND / 2).await;
        let now = hub.info().heartbeats;
        most = most.max(now - before);
        before = now;
        for reader in &mut readers {
            reader.read();
        }
    }
    assert!(before >= 1_000, "{before}");
    assert!(most <= 150, "{most} in half a second");
}

#[tokio::test]
async fn an_event_to_all_does_not_bring_their_heartbeats_together() {
    let (hub, clock) = hub(|builder| builder);
    let mut readers = Vec::new();
    for n in 0..400 {
        readers.push(open(&hub, &format!("c{n}"), &[]).await);
    }
    pass(&clock, SECOND).await;
    hub.broadcast(text("x")).await.unwrap();
    for reader in &mut readers {
        reader.read();
    }
    let mut most = 0;
    let mut before = hub.info().heartbeats;
    for _ in 0..64 {
        pass(&clock, SECOND / 2).await;
        let now = hub.info().heartbeats;
        most = most.max(now - before);
        before = now;
    }
    assert_eq!(before, 400);
    assert!(most <= 100, "{most} in half a second");
}

#[tokio::test]
async fn one_that_has_ended_gets_none() {
    let (hub, clock) = hub(|builder| builder);
    let mut reader = open(&hub, "ada", &[]).await;
    assert_eq!(hub.disconnect(&Target::everybody()), 1);
    pass(&clock, 65 * SECOND).await;
    assert_eq!(reader.read(), Vec::<String>::new());
    assert!(reader.ended);
    assert_eq!(hub.info().heartbeats, 0);
}
