//! The API over real sockets: what it answers, and who gets what.

mod history;
mod streams;

use std::time::Duration;

use crate::frameworks::Framework;
use crate::support::Server;
use serde_json::{Value, json};
use sse_conformance::{Dispatched, StreamClient, request};
use sse_core::Position;

on_each_framework! {
    a_send_reaches_those_it_is_for_and_nobody_else,
    the_fields_of_an_event_stand_on_the_wire,
    a_string_goes_as_it_is_and_anything_else_as_json,
    a_megabyte_of_data_arrives_whole,
    what_has_the_same_key_and_target_is_delivered_once,
    a_newer_state_takes_the_place_of_one_that_waits,
}

/// How long a number may take to become what it should be.
const PATIENCE: Duration = Duration::from_secs(10);

/// The parts of the API, asked as a program would.
impl Server {
    /// Makes a request that has to be done, and reads its JSON.
    async fn done(&self, method: &str, path: &str, body: &str) -> Value {
        let path = format!("/api/v1/sse{path}");
        let response = request(self.addr, method, &path, &[], body).await;
        assert_eq!(response.status, 200, "{method} {path}: {}", response.text());
        let content_type = &response.headers["content-type"];
        assert_eq!(content_type, "application/json; charset=utf-8");
        response.json()
    }

    async fn get(&self, path: &str) -> Value {
        self.done("GET", path, "").await
    }

    /// Sends what is kept; returns the answer without its position, and that.
    async fn send_kept(&self, body: impl ToString) -> (Value, String) {
        let mut answer = self.done("POST", "/send", &body.to_string()).await;
        let position = answer["position"].take();
        let text = position.as_str().unwrap_or_default();
        assert!(text.parse::<Position>().is_ok(), "{position}");
        (answer, text.to_owned())
    }

    async fn send(&self, body: &Value) -> Value {
        self.send_kept(body).await.0
    }

    /// Sends to everybody, and expects that it is for `streams` of them.
    async fn broadcast(&self, data: &str, streams: u32) {
        assert_eq!(self.send(&json!({ "data": data })).await, sent(streams));
    }

    /// Opens a stream; returns it and what its opening event said.
    async fn stream(&self, path: &str) -> (StreamClient, Value) {
        let mut client = StreamClient::open(self.addr, &format!("/api/v1/sse/stream{path}")).await;
        let opening = opening(&mut client).await;
        (client, opening)
    }

    /// Waits until `/info` says `expected` under `field`.
    async fn info_says(&self, field: &str, expected: u64) {
        let mut last = None;
        let told = async {
            while last != Some(expected) {
                last = self.get("/info").await[field].as_u64();
            }
        };
        let told = tokio::time::timeout(PATIENCE, told).await;
        assert!(told.is_ok(), "{field} is {last:?}, not {expected}");
    }
}

async fn opening(client: &mut StreamClient) -> Value {
    let event = client.next_event().await;
    assert_eq!(event.event, "connected");
    serde_json::from_str(&event.data).unwrap()
}

/// The answer where `n` streams got it, without its position.
fn sent(n: u32) -> Value {
    json!({
        "position": null, "duplicate": false, "matched": n, "queued": n, "replaced": 0,
        "dropped": 0, "closed": 0, "passed": 0, "skipped": 0,
    })
}

/// The data of all events up to `last`.
async fn until(client: &mut StreamClient, last: &str) -> Vec<String> {
    let mut data = Vec::new();
    loop {
        match client.next_event().await.data {
            end if end == last => return data,
            other => data.push(other),
        }
    }
}

fn dispatched(event: &str, data: &str, last_event_id: &str) -> Dispatched {
    Dispatched {
        event: event.to_owned(),
        data: data.to_owned(),
        last_event_id: last_event_id.to_owned(),
    }
}

async fn a_send_reaches_those_it_is_for_and_nobody_else(on: Framework) {
    let server = on.start(&[]).await;
    let paths = ["/blue/ada", "/red/ada", "/blue/bob", "/red/eve", "/red/eve"];
    let (mut clients, mut ids) = (Vec::new(), Vec::new());
    for path in paths {
        let (client, opening) = server.stream(path).await;
        clients.push(client);
        ids.push(opening["connection_id"].clone());
    }
    // What to send, and the streams that get it, by their place in `paths`.
    let sends: [(Value, &[usize]); 19] = [
        (json!({"client": "ada"}), &[0, 1]),
        (json!({"client": "ada", "group": "red"}), &[1]),
        (json!({"client": "bob", "group": "red"}), &[]),
        (json!({"client": "nobody"}), &[]),
        (
            json!({"clients": ["bob", "ada", "ada", "nobody"]}),
            &[0, 1, 2],
        ),
        (json!({"clients": ["bob", "ada"], "group": "blue"}), &[0, 2]),
        (json!({"clients": []}), &[]),
        (json!({"group": "red"}), &[1, 3, 4]),
        (json!({"group": "nothing"}), &[]),
        (json!({}), &[0, 1, 2, 3, 4]),
        (json!({"client": null, "group": null}), &[0, 1, 2, 3, 4]),
        (json!({"except": "ada"}), &[2, 3, 4]),
        (json!({"except": ids[3]}), &[0, 1, 2, 4]),
        (json!({"except": "0".repeat(32)}), &[0, 1, 2, 3, 4]),
        (json!({"group": "red", "except": "eve"}), &[1]),
        (json!({"group": "red", "except": ids[4]}), &[1, 3]),
        (json!({"client": "eve", "except": ids[3]}), &[4]),
        (
            json!({"client": "ada", "group": "blue", "except": "ada"}),
            &[],
        ),
        (
            json!({"clients": ["ada", "bob"], "except": ids[0]}),
            &[1, 2],
        ),
    ];
    let mut expected = vec![Vec::new(); paths.len()];
    for (mut body, to) in sends {
        let data = body.to_string();
        body["data"] = json!(data);
        let answer = server.send(&body).await;
        assert_eq!(answer, sent(to.len().try_into().unwrap()), "{data}");
        to.iter().for_each(|&n| expected[n].push(data.clone()));
    }
    let transient = json!({"group": "red", "transient": true, "data": "not kept"}).to_string();
    assert_eq!(server.done("POST", "/send", &transient).await, sent(3));
    for n in [1, 3, 4] {
        expected[n].push("not kept".to_owned());
    }
    server.broadcast("the end", 5).await;
    for (client, (path, expected)) in clients.iter_mut().zip(paths.iter().zip(expected)) {
        assert_eq!(until(client, "the end").await, expected, "{path}");
    }
    let published = server.get("/info").await["published"].take();
    let by_mode = json!({"unicast": 10, "group": 5, "broadcast": 6});
    assert_eq!(published, by_mode);
}

async fn the_fields_of_an_event_stand_on_the_wire(on: Framework) {
    let server = on.start(&[]).await;
    let (mut ada, _) = server.stream("/g/ada").await;
    let mut positions = Vec::new();
    for body in [
        json!({"event": "größe 🦀", "id": "42 43", "retry": 1500, "data": "x"}),
        json!({"data": "y"}),
        json!({"event": "message", "id": "44", "data": "z"}),
    ] {
        let (answer, position) = server.send_kept(body).await;
        assert_eq!(answer, sent(1));
        positions.push(position);
    }
    let named = dispatched("größe 🦀", "x", "42 43");
    assert_eq!(ada.next_event().await, named);
    let unnamed = dispatched("message", "y", &positions[1]);
    assert_eq!(ada.next_event().await, unnamed);
    assert_eq!(ada.next_event().await, dispatched("message", "z", "44"));
    assert_eq!(ada.stream().retry(), Some(Duration::from_millis(1500)));
    assert_eq!(ada.stream().ignored(), [""; 0]);
}

async fn a_string_goes_as_it_is_and_anything_else_as_json(on: Framework) {
    let server = on.start(&[]).await;
    let (mut ada, _) = server.stream("/g/ada").await;
    let pretty =
        serde_json::to_string_pretty(&json!({"a": [1, {"b": null}], "c": "x\ny"})).unwrap();
    assert!(pretty.lines().count() > 5);
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    for (json, data) in [
        (r#""""#, ""),
        (r#"" two\nlines\r\nor\rfour ""#, " two\nlines\nor\nfour "),
        (r#""\n\n""#, "\n\n"),
        (r#""data: x\n\nevent: y\n: z""#, "data: x\n\nevent: y\n: z"),
        (
            r#""\"\\ \u00fc\ud83e\udd80\u0000\u2028""#,
            "\"\\ ü🦀\0\u{2028}",
        ),
        (r#""{\"a\": 1}""#, r#"{"a": 1}"#),
        (r#"{"a": 1}"#, r#"{"a": 1}"#),
        (r#"["two\nlines", "\u00fc"]"#, r#"["two\nlines", "\u00fc"]"#),
        (&pretty, &pretty),
        (&pretty.replace('\n', "\r\n"), &pretty),
        (&deep, &deep),
        ("null", "null"),
        ("false", "false"),
        ("1.50", "1.50"),
        (
            "123456789012345678901234567890",
            "123456789012345678901234567890",
        ),
    ] {
        let body = format!(r#"{{"client": "ada", "data": {json} }}"#);
        let (answer, position) = server.send_kept(body).await;
        assert_eq!(answer, sent(1), "{json}");
        let event = ada.next_event().await;
        assert_eq!(event, dispatched("message", data, &position), "{json}");
    }
}

async fn a_megabyte_of_data_arrives_whole(on: Framework) {
    let server = on.start(&[]).await;
    let (mut ada, _) = server.stream("/g/ada").await;
    let lines: String = (0..80_000).map(|n| format!("line {n} ü\n")).collect();
    let text = "x".repeat(1024 * 1024);
    for data in [lines, text] {
        assert!(data.len() >= 1024 * 1024);
        assert_eq!(
            server.send(&json!({"id": "big", "data": data})).await,
            sent(1)
        );
        let event = ada.next_event().await;
        assert!(event == dispatched("message", &data, "big"), "it changed");
    }
}

async fn what_has_the_same_key_and_target_is_delivered_once(on: Framework) {
    let server = on.start(&[]).await;
    let (mut ada, _) = server.stream("/g/ada").await;
    let mut duplicate = sent(0);
    duplicate["duplicate"] = json!(true);
    let first = json!({"client": "ada", "key": "k1", "data": "first"});
    let (answer, position) = server.send_kept(&first).await;
    assert_eq!(answer, sent(1));
    assert_eq!(
        server.send_kept(&first).await,
        (duplicate.clone(), position)
    );
    let other_data = json!({"client": "ada", "key": "k1", "data": "never"});
    assert_eq!(server.send(&other_data).await, duplicate);
    for body in [
        json!({"client": "ada", "key": "k2", "data": "another key"}),
        json!({"group": "g", "key": "k1", "data": "another target"}),
        json!({"client": "ada", "data": "no key"}),
        json!({"client": "ada", "data": "the end"}),
    ] {
        assert_eq!(server.send(&body).await, sent(1), "{body}");
    }
    let expected = ["first", "another key", "another target", "no key"];
    assert_eq!(until(&mut ada, "the end").await, expected);
    let published = server.get("/info").await["published"].take();
    assert_eq!(published, json!({"unicast": 4, "group": 1, "broadcast": 0}));
}

async fn a_newer_state_takes_the_place_of_one_that_waits(on: Framework) {
    let server = on.start(&[]).await;
    let path = "/api/v1/sse/stream/g/ada";
    let mut ada = StreamClient::open(server.addr, path)
        .receive_buffer(4096)
        .await;
    opening(&mut ada).await;
    let filler = "x".repeat(512 * 1024);
    // Ada doesn't read: sooner or later the sockets are full, and events wait.
    let mut replaced = false;
    for n in 0..64 {
        server
            .send(&json!({"event": "filler", "data": filler}))
            .await;
        let state = |of: &str| json!({"conflate": "state", "data": format!("{of} {n}")});
        server.send(&state("old")).await;
        let answer = server.send(&state("new")).await;
        replaced = answer["replaced"] == 1;
        if replaced {
            let mut expected = sent(1);
            expected["replaced"] = json!(1);
            assert_eq!(answer, expected);
            server.broadcast("the end", 1).await;
            let got = until(&mut ada, "the end").await;
            assert!(!got.contains(&format!("old {n}")));
            assert_eq!(got.last(), Some(&format!("new {n}")));
            break;
        }
    }
    assert!(replaced, "nothing ever waited");
}
