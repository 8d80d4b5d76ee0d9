//! Streams through the API: how they open and end, and what it tells of them.

use serde_json::{Value, json};
use sse_conformance::{End, StreamClient, request};

use super::{PATIENCE, opening, sent, until};
use crate::frameworks::Framework;

on_each_framework! {
    a_stream_that_names_no_group_is_in_the_default_one,
    names_of_any_kind_go_through_the_url,
    disconnect_ends_the_streams_of_that_client_in_that_group,
    info_says_what_happens,
    groups_are_listed_page_by_page,
    a_quiet_stream_gets_heartbeats,
    a_post_opens_a_stream_and_a_head_leaves_none,
}

async fn a_stream_that_names_no_group_is_in_the_default_one(on: Framework) {
    let server = on.start(&[]).await;
    for (path, group) in [
        ("?id=ada", "default"),
        ("?group=&id=ada", "default"),
        ("?group=g&id=ada", "g"),
        ("/g/ada", "g"),
    ] {
        let (mut ada, opening) = server.stream(path).await;
        assert_eq!(opening["client_id"], "ada", "{path}");
        assert_eq!(opening["groups"], json!([group]), "{path}");
        assert_eq!(
            server.send(&json!({"group": group, "data": path})).await,
            sent(1)
        );
        assert_eq!(ada.next_event().await.data, path);
        let disconnected = server
            .done("POST", &format!("/disconnect/{group}/ada"), "")
            .await;
        assert_eq!(disconnected, json!({"closed": 1}));
    }
}

async fn names_of_any_kind_go_through_the_url(on: Framework) {
    let server = on.start(&[]).await;
    let (group, id) = ("größe/../ a+b?&=#", "%2F 🦀;/");
    let escape = |name: &str| -> String { name.bytes().map(|b| format!("%{b:02X}")).collect() };
    let (in_group, of_id) = (escape(group), escape(id));
    let (mut by_path, one) = server.stream(&format!("/{in_group}/{of_id}")).await;
    let query = format!("?group={}&id={of_id}", in_group.replace("%20", "+"));
    let (mut by_query, two) = server.stream(&query).await;
    for opening in [one, two] {
        assert_eq!(opening["client_id"], id);
        assert_eq!(opening["groups"], json!([group]));
    }
    let body = json!({"client": id, "group": group, "data": "hello"});
    assert_eq!(server.send(&body).await, sent(2));
    assert_eq!(by_path.next_event().await.data, "hello");
    assert_eq!(by_query.next_event().await.data, "hello");
    let members = server.get(&format!("/groups/{in_group}")).await;
    assert_eq!(members, json!({"connections": 2, "clients": [id]}));
    let path = format!("/disconnect/{in_group}/{of_id}");
    assert_eq!(server.done("POST", &path, "").await, json!({"closed": 2}));
}

async fn disconnect_ends_the_streams_of_that_client_in_that_group(on: Framework) {
    let server = on.start(&[]).await;
    let (mut first, _) = server.stream("/g/ada").await;
    let (mut second, _) = server.stream("/g/ada").await;
    let (mut elsewhere, _) = server.stream("/other/ada").await;
    let (mut bob, _) = server.stream("/g/bob").await;
    server.broadcast("before", 4).await;
    for closed in [2, 0] {
        let answer = server.done("POST", "/disconnect/g/ada", "").await;
        assert_eq!(answer, json!({"closed": closed}));
    }
    server.broadcast("after", 2).await;
    for gone in [&mut first, &mut second] {
        assert_eq!(gone.next_event().await.data, "before");
        assert_eq!(gone.ended().await, End::Clean);
        assert_eq!(gone.try_next(PATIENCE).await, None);
    }
    for stays in [&mut elsewhere, &mut bob] {
        assert_eq!(until(stays, "after").await, ["before"]);
    }
}

async fn info_says_what_happens(on: Framework) {
    let server = on.start(&[]).await;
    let expect = |numbers: [u64; 6]| {
        let [connections, clients, groups, group, broadcast, delivered] = numbers;
        json!({
            "connections": connections, "clients": clients, "groups": groups,
            "published": {"unicast": 0, "group": group, "broadcast": broadcast},
            "ending": 0, "delivered": delivered, "dropped": 0, "queued": 0,
            "gave_way": 0, "waiting_bytes": null,
            "reaped": 0, "heartbeats": 0, "lost": 0, "catching_up": 0, "resumes": 0,
            "replayed": 0, "gaps": 0, "duplicates": 0, "cut_again": 0,
            "refused": 0,
        })
    };
    let without_uptime = |mut info: Value| {
        let fields = info.as_object_mut().unwrap();
        let uptime = fields.remove("uptime_s");
        assert!(uptime.is_some_and(|uptime| uptime.is_u64()));
        let ended = fields.remove("ended");
        assert!(ended.is_some_and(|ended| ended["client_gone"].is_u64()));
        assert!(fields.remove("history").is_some());
        info
    };
    let info = server.get("/info").await;
    assert_eq!(without_uptime(info), expect([0; 6]));
    let (mut ada, _) = server.stream("/g/ada").await;
    let (mut again, _) = server.stream("/h/ada").await;
    let (mut bob, _) = server.stream("/g/bob").await;
    assert_eq!(
        server.send(&json!({"group": "g", "data": "x"})).await,
        sent(2)
    );
    server.broadcast("the end", 3).await;
    for client in [&mut ada, &mut again, &mut bob] {
        until(client, "the end").await;
    }
    let info = server.get("/info").await;
    assert_eq!(without_uptime(info), expect([3, 2, 2, 1, 1, 5]));
    drop((again, bob));
    server.info_says("connections", 1).await;
    server.info_says("clients", 1).await;
    server.info_says("groups", 1).await;
    let info = server.get("/info").await;
    assert_eq!(without_uptime(info), expect([1, 1, 1, 1, 1, 5]));
}

async fn groups_are_listed_page_by_page(on: Framework) {
    let server = on.start(&[]).await;
    let mut streams = Vec::new();
    for path in [
        "/b/eve",
        "/b/ada",
        "/b/bob",
        "/b/ada",
        "/a/ada",
        "/c%20%26/ada",
    ] {
        streams.push(server.stream(path).await);
    }
    let size = |name: &str, connections: u32| json!({"name": name, "connections": connections});
    for (path, expected) in [
        (
            "/b",
            json!({"connections": 4, "clients": ["ada", "bob", "eve"]}),
        ),
        (
            "/b?limit=3",
            json!({"connections": 4, "clients": ["ada", "bob", "eve"]}),
        ),
        (
            "/b?limit=2",
            json!({"connections": 4, "clients": ["ada", "bob"], "next": "bob"}),
        ),
        (
            "/b?limit=2&after=bob",
            json!({"connections": 4, "clients": ["eve"]}),
        ),
        (
            "/b?after=aaa&limit=1",
            json!({"connections": 4, "clients": ["ada"], "next": "ada"}),
        ),
        ("/b?after=eve", json!({"connections": 4, "clients": []})),
        ("/nobody", json!({"connections": 0, "clients": []})),
        (
            "",
            json!({"groups": [size("a", 1), size("b", 4), size("c &", 1)]}),
        ),
        ("?limit=1", json!({"groups": [size("a", 1)], "next": "a"})),
        (
            "?limit=2&after=a",
            json!({"groups": [size("b", 4), size("c &", 1)]}),
        ),
        ("?after=c+%26", json!({"groups": []})),
    ] {
        assert_eq!(
            server.get(&format!("/groups{path}")).await,
            expected,
            "{path}"
        );
    }
}

async fn a_quiet_stream_gets_heartbeats(on: Framework) {
    let server = on.start(&["--heartbeat", "1s"]).await;
    let (mut ada, opening) = server.stream("/g/ada").await;
    let heartbeat = ada.next_event().await;
    assert_eq!(heartbeat.event, "heartbeat");
    let data: Value = serde_json::from_str(&heartbeat.data).unwrap();
    assert_eq!(data["type"], "periodic");
    assert_eq!(data["client_id"], "ada");
    assert_eq!(data["connection_id"], opening["connection_id"]);
    let at = |data: &Value| data["timestamp"].as_u64().unwrap();
    // Up to a quarter early, so that those who come together don't stay so.
    assert!(at(&data) >= at(&opening) + 740);
    let info = server.get("/info").await;
    assert!(info["heartbeats"].as_u64() >= Some(1));
    assert_eq!(info["delivered"], 0);
}

async fn a_post_opens_a_stream_and_a_head_leaves_none(on: Framework) {
    let server = on.start(&[]).await;
    for path in [
        "/api/v1/sse/stream/g/ada",
        "/api/v1/sse/stream?group=g&id=ada",
    ] {
        let head = request(server.addr, "HEAD", path, &[], "").await;
        assert_eq!((head.status.as_u16(), head.body), (200, Vec::new()));
        server.broadcast("nobody is there", 0).await;
        let call = StreamClient::open(server.addr, path).method("POST");
        let mut ada = call.body(r#"{"ignored": true}"#).await;
        for name in ["content-type", "cache-control", "x-accel-buffering"] {
            assert_eq!(ada.headers()[name], head.headers[name], "{name}");
        }
        assert_eq!(ada.headers()["content-type"], "text/event-stream");
        assert_eq!(opening(&mut ada).await["groups"], json!(["g"]));
        server.broadcast("hello", 1).await;
        assert_eq!(ada.next_event().await.data, "hello");
        let answer = server.done("POST", "/disconnect/g/ada", "").await;
        assert_eq!(answer, json!({"closed": 1}));
    }
}
