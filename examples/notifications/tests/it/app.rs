//! What an application does with the hub.

use std::time::Duration;

use serde_json::{Value, json};
use sse_conformance::{End, Response, StreamClient, eventually, request};

use crate::{
    frameworks::Framework,
    support::{Log, Server},
};

on_each_framework! {
    each_action_reaches_those_it_is_for,
    who_follows_an_item_follows_it_after_a_reload,
    a_slow_page_sees_the_newest_progress,
    friends_are_told_and_a_reload_is_no_news,
    a_batch_is_published_whole_or_not_at_all,
    what_is_for_the_connected_alone_is_left_where_nobody_is,
    what_makes_no_sense_is_refused,
    a_stream_wants_its_clients_token,
}

const PATIENCE: Duration = Duration::from_secs(10);

async fn post(server: &Server, path: &str, body: &Value) -> Response {
    let path = format!("/api/v1/sse/{path}");
    request(server.addr, "POST", &path, &[], body.to_string()).await
}

async fn done(server: &Server, path: &str, body: Value) -> Value {
    let response = post(server, path, &body).await;
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    response.json()
}

async fn open(server: &Server, path: &str) -> StreamClient {
    let mut stream = StreamClient::open(server.addr, &format!("/api/v1/sse/stream/{path}")).await;
    stream.next_named("connected").await;
    stream
}

/// The data of the next event, which has this name.
async fn next(stream: &mut StreamClient, name: &str) -> Value {
    let event = stream.next_event().await;
    assert_eq!(event.event, name, "{event:?}");
    serde_json::from_str(&event.data).unwrap()
}

async fn each_action_reaches_those_it_is_for(on: Framework) {
    let server = on.start(&[]).await;
    let mut ada = open(&server, "default/ada").await;
    let mut root = open(&server, "admins/root").await;
    let act = async |action: &str, body: Value| {
        let sent = done(&server, &format!("app/{action}"), body).await;
        sent["queued"].clone()
    };
    let note = json!({ "user": "ada", "title": "Hello", "content": "<b>you</b>" });
    assert_eq!(act("notify", note).await, 1);
    let note = json!({ "title": "Hello", "content": "<b>you</b>" });
    assert_eq!(next(&mut ada, "notification").await, note);
    let message = json!({ "from": "root", "to": "ada", "text": "psst" });
    assert_eq!(act("message", message).await, 1);
    let message = json!({ "from": "root", "text": "psst" });
    assert_eq!(next(&mut ada, "new_message").await, message);
    for (kind, task) in [("upload", "photo.jpg"), ("task", "export")] {
        let progress = json!({ "user": "ada", "kind": kind, "task": task, "percent": 40 });
        assert_eq!(act("progress", progress).await, 1);
        let progress = json!({ "kind": kind, "task": task, "percent": 40 });
        assert_eq!(next(&mut ada, "progress").await, progress);
    }
    assert_eq!(act("alert", json!({ "text": "disk is full" })).await, 1);
    assert_eq!(
        next(&mut root, "alert").await,
        json!({ "text": "disk is full" })
    );
    assert_eq!(act("maintenance", json!({ "text": "at ten" })).await, 2);
    for stream in [&mut ada, &mut root] {
        assert_eq!(
            next(stream, "maintenance").await,
            json!({ "text": "at ten" })
        );
    }
}

async fn who_follows_an_item_follows_it_after_a_reload(on: Framework) {
    let server = on.start(&[]).await;
    let mut ada = open(&server, "default/ada").await;
    let follow = json!({ "user": "ada", "item": "challenge_42" });
    let joined = done(&server, "app/follow", follow.clone()).await;
    assert_eq!(joined, json!({ "connections": 1 }));
    // Before he has any stream.
    let bobs = json!({ "user": "bob", "item": "challenge_42" });
    assert_eq!(
        done(&server, "app/follow", bobs).await,
        json!({ "connections": 0 })
    );
    let mut bob = open(&server, "default/bob").await;
    let update = async |kind: &str, data: Value| {
        let body = json!({ "item": "challenge_42", "kind": kind, "data": data });
        done(&server, "app/update", body).await["queued"].clone()
    };
    assert_eq!(update("rank", json!([1, "ada"])).await, 2);
    for stream in [&mut ada, &mut bob] {
        let rank = json!({ "item": "challenge_42", "data": [1, "ada"] });
        assert_eq!(next(stream, "rank_update").await, rank);
    }
    drop(ada);
    gone(&server, 1).await;
    let mut ada = open(&server, "default/ada").await;
    assert_eq!(update("data", json!({ "solved": 7 })).await, 2);
    next(&mut ada, "data_update").await;
    next(&mut bob, "data_update").await;
    let left = done(&server, "app/unfollow", follow).await;
    assert_eq!(left, json!({ "connections": 1 }));
    assert_eq!(update("rank", Value::Null).await, 1, "bob alone");
}

async fn a_slow_page_sees_the_newest_progress(on: Framework) {
    let server = on.start(&[]).await;
    let path = "/api/v1/sse/stream/default/ada";
    let mut slow = StreamClient::open(server.addr, path)
        .receive_buffer(4_096)
        .await;
    slow.next_named("connected").await;
    let tell = async |percent: usize| {
        let progress = json!({ "user": "ada", "kind": "task", "task": "t", "percent": percent });
        done(&server, "app/progress", progress).await["replaced"].clone()
    };
    // It reads nothing: sooner or later what is between is full, and events wait. Several of them fit into its
    // queue, for the server may be slow to hand them on: one too many, and it would be gone.
    let filler = json!({ "client": "ada", "event": "filler", "data": "x".repeat(100 * 1024) });
    let mut sent = 0;
    while tell(0).await == 0 {
        done(&server, "send", filler.clone()).await;
        sent += 1;
        assert!(sent < 1_000, "nothing ever waits");
    }
    for percent in 1..=100 {
        assert_eq!(tell(percent).await, 1, "each in place of the one before");
    }
    let mut seen = Vec::new();
    while seen.last() != Some(&100) {
        let event = slow.try_next(PATIENCE).await.expect("it goes on");
        if event.event == "progress" {
            let progress: Value = serde_json::from_str(&event.data).unwrap();
            seen.push(progress["percent"].as_u64().unwrap());
        }
    }
    let (newest, before) = seen.split_last().unwrap();
    assert_eq!(*newest, 100);
    assert!(before.iter().all(|percent| *percent == 0), "{seen:?}");
}

/// Waits until the server has so many connections, and no more.
async fn gone(server: &Server, connections: u64) {
    let info = async || request(server.addr, "GET", "/api/v1/sse/info", &[], "").await;
    let left = async { while info().await.json::<Value>()["connections"] != connections {} };
    let left = tokio::time::timeout(PATIENCE, left).await;
    assert!(left.is_ok(), "they stay");
}

async fn friends_are_told_and_a_reload_is_no_news(on: Framework) {
    let server = on.start(&["--grace", "3s"]).await;
    let friends = json!({ "user": "ada", "friends": ["bob", "eve"] });
    assert_eq!(
        done(&server, "app/friends", friends).await,
        json!({ "friends": 2 })
    );
    let mut bob = open(&server, "default/bob").await;
    let ada = open(&server, "default/ada").await;
    let online = json!({ "user": "ada", "online": true });
    assert_eq!(next(&mut bob, "presence").await, online);
    // Two reloads, each quicker than the grace; what is after it the core's own test says, on its clock.
    drop(ada);
    let ada = open(&server, "default/ada").await;
    drop(ada);
    let ada = open(&server, "default/ada").await;
    let marker = json!({ "client": "bob", "event": "marker", "data": {} });
    done(&server, "send", marker).await;
    next(&mut bob, "marker").await;
    drop(ada);
    let offline = json!({ "user": "ada", "online": false });
    assert_eq!(next(&mut bob, "presence").await, offline);
}

async fn a_batch_is_published_whole_or_not_at_all(on: Framework) {
    let server = on.start(&[]).await;
    let mut ada = open(&server, "default/ada").await;
    let sends = json!({ "sends": [
        { "client": "ada", "data": "1" },
        { "client": "nobody", "if_connected": true, "data": "2" },
        { "group": "default", "event": "third", "data": 3 },
    ] });
    let answers = done(&server, "batch", sends).await;
    assert_eq!(answers[0]["queued"], 1);
    assert_eq!(answers[1], json!({ "sent": false }));
    assert_eq!(answers[2]["queued"], 1);
    assert_eq!(ada.next_event().await.data, "1");
    assert_eq!(next(&mut ada, "third").await, 3);
    let sends = json!({ "sends": [{ "data": "4" }, { "client": "", "data": "5" }] });
    let refused = post(&server, "batch", &sends).await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    let many: Vec<_> = (0..101).map(|n| json!({ "data": n })).collect();
    let refused = post(&server, "batch", &json!({ "sends": many })).await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert_eq!(
        done(&server, "batch", json!({ "sends": [] })).await,
        json!([])
    );
    done(&server, "send", json!({ "data": "6" })).await;
    assert_eq!(ada.next_event().await.data, "6", "none of the others");
}

async fn what_is_for_the_connected_alone_is_left_where_nobody_is(on: Framework) {
    let server = on.start(&[]).await;
    let send = json!({ "client": "ada", "if_connected": true, "data": "now or never" });
    assert_eq!(
        done(&server, "send", send.clone()).await,
        json!({ "sent": false })
    );
    let mut ada = open(&server, "default/ada").await;
    assert_eq!(done(&server, "send", send).await["queued"], 1);
    assert_eq!(ada.next_event().await.data, "now or never");
}

async fn what_makes_no_sense_is_refused(on: Framework) {
    let server = on.start(&[]).await;
    let many: Vec<_> = (0..201).map(|n| format!("friend-{n}")).collect();
    for (action, body, status) in [
        ("notify", json!({}), 422),
        ("notify", json!([]), 422),
        (
            "notify",
            json!({ "user": "", "title": "", "content": "" }),
            422,
        ),
        (
            "message",
            json!({ "from": "a\n", "to": "b", "text": "" }),
            422,
        ),
        (
            "progress",
            json!({ "user": "a", "kind": "task", "task": "t", "percent": 101 }),
            422,
        ),
        (
            "progress",
            json!({ "user": "a", "kind": "x", "task": "t", "percent": 1 }),
            422,
        ),
        (
            "progress",
            json!({ "user": "a", "kind": "task", "task": "a\n", "percent": 1 }),
            422,
        ),
        ("follow", json!({ "user": "a", "item": "" }), 422),
        (
            "update",
            json!({ "item": "x".repeat(257), "kind": "rank", "data": 1 }),
            422,
        ),
        ("friends", json!({ "user": "a", "friends": many }), 422),
        ("alert", json!({ "text": "x", "more": 1 }), 422),
        ("nothing", json!({}), 404),
    ] {
        let refused = post(&server, &format!("app/{action}"), &body).await;
        assert_eq!(
            refused.status,
            status,
            "{action} {body:.60}: {}",
            refused.text()
        );
        assert!(refused.json::<Value>()["error"].is_string(), "{action}");
    }
    let got = request(server.addr, "GET", "/api/v1/sse/app/notify", &[], "").await;
    assert_eq!(got.status, 405);
    assert_eq!(got.headers["allow"], "POST");
    for n in 0..50 {
        let follow = json!({ "user": "a", "item": format!("item-{n}") });
        done(&server, "app/follow", follow).await;
    }
    let refused = post(
        &server,
        "app/follow",
        &json!({ "user": "a", "item": "one-more" }),
    )
    .await;
    assert_eq!(refused.status, 422, "{}", refused.text());
}

const SECRET: &str = "never-to-be-seen";

/// What the program prints as a token for a client.
async fn token(client: &str, lasts: &str) -> String {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_notifications"))
        .args(["--auth-secret", SECRET, "token", client, "--lasts", lasts])
        .output();
    let output = output.await.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn a_stream_wants_its_clients_token(on: Framework) {
    let args = ["--framework", on.0, "--auth-secret", SECRET];
    // The h2 that is below prints all that it sees at `trace`.
    let (server, log) = Server::start_logging("debug", &args).await;
    let (valid, expired) = (token("ada", "1h").await, token("ada", "0s").await);
    let forged = format!("{}x", valid.trim_end_matches(char::is_alphanumeric));
    for query in [
        String::new(),
        "?token=".to_owned(),
        "?token=x.y.z".to_owned(),
        format!("?token={expired}"),
        format!("?token={forged}"),
        format!("?token={}", token("bob", "1h").await),
    ] {
        let path = format!("/api/v1/sse/stream/default/ada{query}");
        let refused = request(server.addr, "GET", &path, &[], "").await;
        assert_eq!(refused.status, 401, "{query}");
        assert_eq!(
            refused.headers["content-type"],
            "application/json; charset=utf-8"
        );
        let error = refused.json::<Value>()["error"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(error.starts_with("token: "), "{error}");
        let path = path.replace("/default/ada?", "?id=ada&");
        let refused = request(server.addr, "POST", &path, &[], "").await;
        assert_eq!(refused.status, 401, "{path}");
        assert_eq!(refused.headers["www-authenticate"], "Bearer");
    }
    for path in [
        format!("/default/ada?token={valid}"),
        format!("?id=ada&token={valid}"),
    ] {
        let path = format!("/api/v1/sse/stream{path}");
        let mut stream = StreamClient::open(server.addr, &path).await;
        stream.next_named("connected").await;
        drop(stream);
    }
    let brief = token("ada", "2s").await;
    let path = format!("/api/v1/sse/stream?id=ada&token={brief}");
    let mut stream = StreamClient::open(server.addr, &path).await;
    stream.next_named("connected").await;
    // No longer than its token.
    assert_eq!(stream.ended().await, End::Clean);
    never_logged(&log, &[&valid, &expired, &brief, SECRET]).await;
}

async fn never_logged(log: &Log, secrets: &[&str]) {
    eventually("it logs", PATIENCE, || {
        log.text().contains("connection ended")
    })
    .await;
    let logged = log.text();
    for secret in secrets {
        // Nor a part of it.
        let part = secret.split('.').nth(1).unwrap_or(secret);
        assert!(!logged.contains(part), "{logged}");
    }
}
