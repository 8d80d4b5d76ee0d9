//! The history through the API: what is kept, and what a stream that comes back gets.

use serde_json::{Value, json};
use sse_conformance::{End, StreamClient};

use super::{opening, sent};
use crate::{frameworks::Framework, support::Server};

on_each_framework! {
    info_says_what_is_kept,
    a_history_is_as_long_as_set,
    without_a_history_nothing_has_a_position,
    a_stream_that_comes_back_gets_what_it_missed,
    what_is_missing_is_told,
    an_event_that_is_sent_again_is_counted,
}

/// What the parts of a position are: its epoch and its sequence.
fn parts(position: &Value) -> (&str, u64) {
    let (epoch, sequence) = position.as_str().unwrap().split_once('.').unwrap();
    (epoch, sequence.parse().unwrap())
}

/// Opens ada's stream again, after the event of this id.
async fn come_back(server: &Server, id: &str) -> StreamClient {
    let path = "/api/v1/sse/stream/g/ada";
    StreamClient::open(server.addr, path)
        .header("last-event-id", id)
        .await
}

/// The names and data of the next events.
async fn next(client: &mut StreamClient, count: usize) -> Vec<(String, String)> {
    let mut events = Vec::new();
    for _ in 0..count {
        let event = client.next_event().await;
        events.push((event.event, event.data));
    }
    events
}

fn event(name: &str, data: &str) -> (String, String) {
    (name.to_owned(), data.to_owned())
}

async fn info_says_what_is_kept(on: Framework) {
    let server = on.start(&[]).await;
    let empty = server.get("/info").await["history"].take();
    assert_eq!((&empty["events"], &empty["bytes"]), (&json!(0), &json!(0)));
    assert_eq!(empty["oldest"], Value::Null);
    let (epoch, none) = parts(&empty["newest"]);
    assert_eq!(none, 0);
    let mut positions = Vec::new();
    for data in ["a", "b", "c"] {
        let (answer, position) = server.send_kept(json!({ "data": data })).await;
        assert_eq!(answer, sent(0));
        positions.push(position);
    }
    let transient = json!({"transient": true, "data": "d"}).to_string();
    assert_eq!(server.done("POST", "/send", &transient).await, sent(0));
    let kept = server.get("/info").await["history"].take();
    assert_eq!(kept["events"], 3);
    assert!(kept["bytes"].as_u64() > Some(0));
    assert_eq!(kept["oldest"], *positions[0]);
    assert_eq!(kept["newest"], *positions[2]);
    assert_eq!(parts(&kept["newest"]), (epoch, 3));
}

async fn a_history_is_as_long_as_set(on: Framework) {
    let server = on.start(&["--history", "2"]).await;
    for _ in 0..5 {
        server.broadcast("x", 0).await;
    }
    let kept = server.get("/info").await["history"].take();
    assert_eq!(kept["events"], 2);
    assert_eq!(parts(&kept["oldest"]).1, 4);
    assert_eq!(parts(&kept["newest"]).1, 5);
}

async fn without_a_history_nothing_has_a_position(on: Framework) {
    let server = on.start(&["--history", "0"]).await;
    assert_eq!(server.get("/info").await["history"], Value::Null);
    let (mut ada, _) = server.stream("/g/ada").await;
    for body in [
        json!({"data": "x"}),
        json!({"id": "7", "transient": true, "data": "x"}),
    ] {
        let answer = server.done("POST", "/send", &body.to_string()).await;
        assert_eq!(answer, sent(1));
    }
    assert_eq!(ada.next_event().await.last_event_id, "");
    assert_eq!(ada.next_event().await.last_event_id, "7");
}

async fn a_stream_that_comes_back_gets_what_it_missed(on: Framework) {
    let server = on.start(&[]).await;
    let (mut ada, _) = server.stream("/g/ada").await;
    server.broadcast("seen", 1).await;
    let seen = ada.next_event().await.last_event_id;
    let answer = server.done("POST", "/disconnect/g/ada", "").await;
    assert_eq!(answer, json!({"closed": 1}));
    assert_eq!(ada.ended().await, End::Clean);

    for body in [
        json!({"client": "ada", "event": "note", "data": "hers"}),
        json!({"client": "bob", "data": "his"}),
        json!({"group": "g", "id": "42", "data": "the group's"}),
        json!({"group": "h", "data": "another group's"}),
        json!({"except": "ada", "data": "all but hers"}),
        json!({"data": "everybody's"}),
    ] {
        assert_eq!(server.send(&body).await, sent(0), "{body}");
    }
    let expected = [
        event("note", "hers"),
        event("message", "the group's"),
        event("message", "everybody's"),
        event("caught-up", r#"{"replayed":3,"skipped":0}"#),
    ];
    let mut back = come_back(&server, &seen).await;
    assert_eq!(opening(&mut back).await["resume"], "replaying");
    assert_eq!(next(&mut back, 4).await, expected);
    server.broadcast("live", 1).await;
    assert_eq!(next(&mut back, 1).await, [event("message", "live")]);

    let mut by_name = come_back(&server, "42").await;
    assert_eq!(opening(&mut by_name).await["resume"], "replaying");
    let caught_up = event("caught-up", r#"{"replayed":2,"skipped":0}"#);
    let expected = [expected[2].clone(), event("message", "live"), caught_up];
    assert_eq!(next(&mut by_name, 3).await, expected);
    let info = server.get("/info").await;
    assert_eq!(
        (&info["resumes"], &info["replayed"]),
        (&json!(2), &json!(5))
    );
    assert_eq!(
        (&info["gaps"], &info["catching_up"]),
        (&json!(0), &json!(0))
    );
}

async fn what_is_missing_is_told(on: Framework) {
    let server = on.start(&["--history", "1"]).await;
    let (_, first) = server.send_kept(json!({"data": "x"})).await;
    for data in ["y", "z"] {
        server.broadcast(data, 0).await;
    }
    let oldest = server.get("/info").await["history"]["oldest"].take();
    let evicted = json!({"cause": "evicted", "oldest": oldest}).to_string();
    let epoch = json!({"cause": "epoch", "oldest": oldest}).to_string();
    let other = "~0123456789abcdef.1";
    for (id, gap) in [(&*first, &*evicted), (other, &*epoch)] {
        let mut back = come_back(&server, id).await;
        opening(&mut back).await;
        let expected = [
            event("gap", gap),
            event("message", "z"),
            event("caught-up", r#"{"replayed":1,"skipped":0}"#),
        ];
        assert_eq!(next(&mut back, 3).await, expected, "{id}");
    }
    let mut back = come_back(&server, "no such id").await;
    opening(&mut back).await;
    let expected = [
        event("gap", r#"{"cause":"unknown"}"#),
        event("caught-up", r#"{"replayed":0,"skipped":0}"#),
    ];
    assert_eq!(next(&mut back, 2).await, expected);
    assert_eq!(server.get("/info").await["gaps"], 3);
}

async fn an_event_that_is_sent_again_is_counted(on: Framework) {
    let server = on.start(&[]).await;
    for duplicates in 0..3 {
        assert_eq!(
            server.get("/info").await["duplicates"],
            duplicates.max(1) - 1
        );
        server.send(&json!({"key": "once", "data": "x"})).await;
    }
    let info = server.get("/info").await;
    assert_eq!(
        (&info["duplicates"], &info["history"]["events"]),
        (&json!(2), &json!(1))
    );
}
