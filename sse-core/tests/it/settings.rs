//! How a hub is set up, and what its opening event tells.

use std::time::{Duration, SystemTime};

use crate::support::{subscribe, text, unread};
use serde_json::{Value, json};
use sse_core::{
    BuildError, Clock, ConnectionId, Hub, HubConfig, ManualClock, NoticeConfig, QueueLimits,
};

#[test]
fn settings_come_from_json() {
    let config: HubConfig = serde_json::from_value(json!({
        "heartbeat": null, "healthcheck": "1m 30s", "overflow": "drop-newest", "queue_events": 7,
        "notices": {"gap": "missing", "show_client": false},
    }))
    .unwrap();
    assert_eq!(config.heartbeat, None);
    assert_eq!(config.healthcheck, Some(Duration::from_secs(90)));
    assert_eq!((config.queue_events, config.queue_bytes), (7, 1 << 20));
    assert_eq!(config.notices.gap.as_str(), "missing");
    assert_eq!(config.reap_after, Duration::from_secs(90));
    let again: HubConfig = serde_json::from_str(&serde_json::to_string(&config).unwrap()).unwrap();
    assert_eq!(again, config);
    assert_eq!(
        serde_json::from_str::<HubConfig>("{}").unwrap(),
        HubConfig::default()
    );
    for wrong in [
        json!({"hartbeat": "1s"}),
        json!({"notices": {"gape": "x"}}),
        json!({"heartbeat": "soon"}),
        json!({"notices": {"gap": "a\nb"}}),
    ] {
        assert!(
            serde_json::from_value::<HubConfig>(wrong.clone()).is_err(),
            "{wrong}"
        );
    }
    for what in [
        "queue_events",
        "queue_bytes",
        "max_event_bytes",
        "presence_backlog",
        "idempotency_keys",
    ] {
        assert_eq!(zero(what, json!(0)), BuildError::Zero(what));
    }
    for what in [
        "heartbeat",
        "healthcheck",
        "reap_after",
        "reap_check",
        "retry_after_cut",
    ] {
        assert_eq!(zero(what, json!("0s")), BuildError::Zero(what));
    }
    let minute = Duration::from_secs(60);
    let wrong = Hub::builder().retry_after_cut(2 * minute, minute).build();
    let wrong = wrong.unwrap_err().to_string();
    assert_eq!(
        wrong,
        "retry_after_cut must not be more than retry_after_cut_most"
    );
}

fn zero(what: &'static str, value: Value) -> BuildError {
    let config = serde_json::from_value(json!({ what: value })).unwrap();
    Hub::builder().config(config).build().unwrap_err()
}

#[tokio::test]
async fn the_opening_event_tells_who_is_connected() {
    let clock = ManualClock::new();
    let since = clock
        .system_time()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let full = |id: ConnectionId| {
        json!({
            "connection_id": id, "client_id": "ada", "groups": ["x", "y"], "resume": "fresh",
            "timestamp": since.as_millis() as u64,
        })
    };
    let without = |id, fields: &[&str]| {
        let mut data = full(id);
        data.as_object_mut()
            .unwrap()
            .retain(|name, _| !fields.contains(&&**name));
        data
    };
    for (settings, name, left_out) in [
        (json!({}), "connected", &[][..]),
        (json!({"connected": "hello"}), "hello", &[]),
        (json!({"show_client": false}), "connected", &["client_id"]),
        (
            json!({"show_groups": false, "show_client": false}),
            "connected",
            &["client_id", "groups"],
        ),
    ] {
        let notices: NoticeConfig = serde_json::from_value(settings).unwrap();
        let hub = Hub::builder()
            .clock(clock.clone())
            .notices(notices)
            .without_history()
            .build()
            .unwrap();
        let mut ada = unread(&hub, subscribe("ada", &["x", "y", "x"])).await;
        let seen = ada.seen();
        let [opening] = seen.as_slice() else {
            panic!("{seen:?}")
        };
        assert_eq!((opening.name.as_deref(), &opening.id), (Some(name), &None));
        assert_eq!(opening.json(), without(ada.handle.id(), left_out));
    }
    let notices = serde_json::from_value(json!({"opening": false, "gap": "missing"})).unwrap();
    let limits = QueueLimits {
        events: 1.try_into().unwrap(),
        ..QueueLimits::default()
    };
    let hub = Hub::builder()
        .notices(notices)
        .queue(limits)
        .without_history()
        .build()
        .unwrap();
    let mut ada = unread(&hub, subscribe("ada", &[])).await;
    hub.broadcast(text("1")).await.unwrap();
    hub.broadcast(text("2")).await.unwrap();
    assert_eq!(
        ada.read(),
        ["missing {\"cause\":\"overflow\",\"dropped\":1}", "2"]
    );
}

#[tokio::test]
async fn the_application_makes_the_opening_data() {
    let hub = Hub::builder().opening_data(
        |opening| json!({"you": opening.connection.client(), "in": opening.connection.groups()}),
    );
    let hub = hub.build().unwrap();
    let mut ada = unread(&hub, subscribe("ada", &["g"])).await;
    assert_eq!(ada.seen()[0].json(), json!({"you": "ada", "in": ["g"]}));
}
