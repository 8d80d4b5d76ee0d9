//! What happens when the server is told to end.

use std::time::{Duration, Instant};

use crate::frameworks::Framework;
use crate::support::Server;
use serde_json::{Value, json};
use sse_conformance::{End, StreamClient, request};
use tokio::{task::JoinSet, time::timeout};

on_each_framework! {
    streams_end_one_after_the_other_and_nobody_misses_anything,
    who_reads_nothing_holds_the_end_up_for_half_a_second,
    a_second_signal_ends_it_at_once,
    who_comes_meanwhile_is_told_to_come_back,
    nothing_is_published_any_more,
}

/// Over how long the server drains.
const OVER: Duration = Duration::from_secs(4);
const DRAIN: [&str; 2] = ["--drain", "4s"];

const CLIENTS: usize = 5_000;

/// How many events each of them gets: what the kernel doesn't have yet waits in its queue.
const SENT: usize = 20;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn stream(number: usize) -> String {
    format!("/api/v1/sse/stream?id=client-{number}")
}

/// Sends a number to everybody.
async fn send(server: &Server, number: usize) {
    let body = json!({ "data": number.to_string() }).to_string();
    let path = "/api/v1/sse/send";
    let response = request(server.addr, "POST", path, &[], body).await;
    assert_eq!(response.status, 200, "{}", response.text());
}

/// Expects that what publishes is refused, and when to try it again.
async fn refuses(server: &Server, path: &str, body: Value) {
    let path = format!("/api/v1/sse{path}");
    let response = request(server.addr, "POST", &path, &[], body.to_string()).await;
    assert_eq!(response.status, 503, "{path}: {}", response.text());
    assert_eq!(response.headers["retry-after"], "2");
    let told = response.json::<Value>()["error"].to_string();
    assert!(told.starts_with(r#""the server is draining: "#), "{told}");
}

/// What a client got of a server that ended.
#[derive(Debug)]
struct Followed {
    numbers: Vec<usize>,
    retry_ms: u64,
    ended: Instant,
}

/// Reads a stream to its end.
async fn follow(mut stream: StreamClient) -> Followed {
    let (mut numbers, mut farewell) = (Vec::new(), None);
    while let Some(dispatched) = stream.try_next(PATIENCE).await {
        assert!(farewell.is_none(), "after the farewell: {dispatched:?}");
        match &*dispatched.event {
            "message" => numbers.push(dispatched.data.parse().unwrap()),
            "reconnect" => farewell = Some(dispatched.data),
            _ => {}
        }
    }
    assert_eq!(stream.end(), Some(End::Clean));
    let farewell: Value = serde_json::from_str(&farewell.expect("a farewell")).unwrap();
    Followed {
        numbers,
        retry_ms: farewell["retry_ms"].as_u64().unwrap(),
        ended: Instant::now(),
    }
}

async fn streams_end_one_after_the_other_and_nobody_misses_anything(on: Framework) {
    let mut server = on.start(&DRAIN).await;
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let mut stream = StreamClient::open(server.addr, &stream(number)).await;
        stream.next_named("connected").await;
        clients.spawn(follow(stream));
    }
    for number in 0..SENT {
        send(&server, number).await;
    }
    let begun = Instant::now();
    server.terminate();
    server.line().await;
    // Whoever is still there would get it, and all others never.
    refuses(&server, "/send", json!({ "data": "late" })).await;
    let followed = timeout(PATIENCE, clients.join_all()).await.unwrap();
    let status = timeout(PATIENCE, server.process.wait()).await.unwrap();
    let took = begun.elapsed();
    assert!(status.unwrap().success());
    assert!(took < OVER + Duration::from_secs(1), "{took:?}");
    let line = format!("Streams read to their end: {CLIENTS}; cut off: 0");
    assert_eq!(server.line().await.unwrap(), line);

    for client in &followed {
        assert!(client.numbers.iter().copied().eq(0..SENT), "{client:?}");
        assert!((2_000..=4_000).contains(&client.retry_ms));
    }
    for quarter in 0..4 {
        let within = OVER / 4 * quarter..OVER / 4 * (quarter + 1);
        let ends = followed
            .iter()
            .filter(|it| within.contains(&(it.ended - begun)));
        let ends = ends.count();
        let share = CLIENTS / 4;
        assert!(
            (share * 7 / 10..=share * 13 / 10).contains(&ends),
            "{quarter}: {ends}"
        );
    }
}

async fn who_reads_nothing_holds_the_end_up_for_half_a_second(on: Framework) {
    let mut server = on.start(&["--drain", "0s"]).await;
    let call = StreamClient::open(server.addr, &stream(0)).receive_buffer(4096);
    let mut stalled = call.try_open().await.unwrap();
    stalled.next_named("connected").await;
    // Until something waits: more than the kernel and the server hold.
    let body = json!({ "data": "x".repeat(200_000) }).to_string();
    loop {
        request(server.addr, "POST", "/api/v1/sse/send", &[], body.clone()).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        let info = request(server.addr, "GET", "/api/v1/sse/info", &[], "").await;
        let info: Value = info.json();
        assert_eq!(info["connections"], 1);
        if info["queued"] != 0 {
            break;
        }
    }
    let begun = Instant::now();
    server.terminate();
    let status = timeout(PATIENCE, server.process.wait()).await.unwrap();
    assert!(status.unwrap().success());
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    server.line().await;
    let line = "Streams read to their end: 0; cut off: 1";
    assert_eq!(server.line().await.unwrap(), line);
}

async fn a_second_signal_ends_it_at_once(on: Framework) {
    let mut server = on.start(&["--drain", "1h"]).await;
    let mut client = StreamClient::open(server.addr, &stream(0)).await;
    client.next_named("connected").await;
    server.terminate();
    server.line().await;
    let begun = Instant::now();
    server.terminate();
    let status = timeout(PATIENCE, server.process.wait()).await.unwrap();
    assert_eq!(status.unwrap().code(), Some(1));
    assert!(begun.elapsed() < Duration::from_secs(1));
}

async fn who_comes_meanwhile_is_told_to_come_back(on: Framework) {
    let mut server = on.start(&["--drain", "1h"]).await;
    let mut client = StreamClient::open(server.addr, &stream(0)).await;
    client.next_named("connected").await;
    server.terminate();
    server.line().await;
    let mut refused = StreamClient::open(server.addr, &stream(1)).await;
    assert_eq!(refused.status(), 200);
    let told = refused.next_event().await;
    assert_eq!(told.event, "refused");
    assert!(
        told.data.starts_with(r#"{"reason":"draining","retry_ms":"#),
        "{}",
        told.data
    );
    assert_eq!(refused.ended().await, End::Clean);
    let response = request(server.addr, "GET", &stream(1), &[], "").await;
    assert_eq!(response.status, 503);
    let retry: u64 = response.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((2..=4).contains(&retry));
    assert_eq!(response.json::<Value>()["reason"], "draining");
}

async fn nothing_is_published_any_more(on: Framework) {
    let mut server = on.start(&["--drain", "1h"]).await;
    let mut client = StreamClient::open(server.addr, &stream(0)).await;
    client.next_named("connected").await;
    send(&server, 0).await;
    server.terminate();
    server.line().await;
    let note = json!({ "user": "client-0", "title": "t", "content": "c" });
    for (path, body) in [
        ("/send", json!({ "data": "late" })),
        (
            "/send",
            json!({ "data": "late", "client": "nobody", "if_connected": true }),
        ),
        ("/batch", json!({ "sends": [{ "data": "late" }] })),
        ("/app/notify", note),
    ] {
        refuses(&server, path, body).await;
    }
    assert_eq!(client.next_event().await.data, "0");
    assert_eq!(client.try_next(Duration::from_millis(200)).await, None);
}
