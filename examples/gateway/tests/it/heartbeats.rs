//! The opening event, and heartbeats of the three kinds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::support::Server;

fn json(data: &str) -> Value {
    serde_json::from_str(data).unwrap()
}

#[tokio::test]
async fn the_three_kinds_tell_when_and_to_whom() {
    let often = [
        ("STREAMS__HEARTBEAT", "300ms"),
        ("STREAMS__HEALTHCHECK", "700ms"),
    ];
    let server = Server::with(&often).await;
    let mut stream = server.open("ada").await;
    let opening = stream.next_event().await;
    assert_eq!(opening.event, "connection_id");
    let connection = json(&opening.data)["connection_id"].clone();
    assert_eq!(json(&opening.data).as_object().unwrap().len(), 1);
    assert_eq!(connection.as_str().unwrap().len(), 32);
    let mut kinds = Vec::new();
    while !["initial", "periodic", "healthcheck"]
        .iter()
        .all(|kind| kinds.contains(&(*kind).to_owned()))
    {
        let beat = stream.next_event().await;
        if beat.event == "caught-up" {
            continue;
        }
        assert_eq!(beat.event, "heartbeat");
        let beat = json(&beat.data);
        assert_eq!(beat["client_id"], connection);
        assert_eq!(beat["user_id"], "ada");
        let timestamp = Duration::from_millis(beat["timestamp"].as_u64().unwrap());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        assert!(now.abs_diff(timestamp) < Duration::from_secs(30));
        let time = beat["data"].as_str().unwrap();
        let time = humantime::parse_rfc3339(time).unwrap();
        assert_eq!(
            time.duration_since(UNIX_EPOCH).unwrap().as_secs(),
            timestamp.as_secs()
        );
        kinds.push(beat["type"].as_str().unwrap().to_owned());
    }
    assert_eq!(kinds[0], "initial");
    assert_eq!(kinds.iter().filter(|kind| *kind == "initial").count(), 1);
}

#[tokio::test]
async fn periodic_ones_go_to_those_who_have_something_to_read_too() {
    let server = Server::with(&[("STREAMS__HEARTBEAT", "400ms")]).await;
    let mut stream = server.open("ada").await;
    let mut service = server.service().await;
    let mut periodic = 0;
    while periodic < 3 {
        let note = crate::support::note("ada", "1");
        service.push_to_users(note).await.unwrap();
        while let Some(event) = stream.try_next(Duration::from_millis(20)).await {
            periodic += usize::from(event.data.contains("\"periodic\""));
        }
    }
}
