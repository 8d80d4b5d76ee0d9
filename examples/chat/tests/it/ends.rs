//! How streams end, and come back.

use std::process::ExitStatus;

use sse_conformance::{End, StreamClient};

use crate::{Fresh, Server, chat, data};

/// Tells a program to end; how it ends.
async fn end(server: &mut Server) -> ExitStatus {
    server.0.terminate();
    server.0.process.wait().await.unwrap()
}

/// The events up to one of this name, which is the last.
async fn names_until(stream: &mut StreamClient, last: &str) -> Vec<String> {
    let mut names = Vec::new();
    while names.last().is_none_or(|name| name != last) {
        names.push(stream.next_event().await.event);
    }
    names
}

#[tokio::test]
async fn a_server_that_ends_says_good_bye() {
    let mut server = Server::start(&["--drain", "100ms"]).await;
    let (ada, bob) = (server.join("ada").await, server.join("bob").await);
    let (mut adas, _) = ada.open().await;
    let (mut bobs, _) = bob.open().await;
    ada.say("last words").await;
    assert!(end(&mut server).await.success());
    for stream in [&mut adas, &mut bobs] {
        assert_eq!(chat(stream).await["text"], "last words");
        let reconnect = data(&stream.next_named("reconnect").await);
        assert!(reconnect["retry_ms"].is_u64(), "{reconnect}");
        assert_eq!(stream.ended().await, End::Clean);
    }
}

#[tokio::test]
async fn after_a_restart_a_gap_is_told_and_then_how_things_stand() {
    let mut server = Server::start(&["--drain", "0s"]).await;
    let port = server.addr().port().to_string();
    let ada = server.join("ada").await;
    let (mut stream, _) = ada.open().await;
    ada.say("before").await;
    let last = stream.next_named("chat").await.last_event_id;
    drop(stream);
    assert!(end(&mut server).await.success());

    let server = Server::start(&["--port", &port]).await;
    assert_eq!(ada.stream(Some(&last)).await.status(), 401, "in memory");
    let (ada, bob) = (server.join("ada").await, server.join("bob").await);
    let (_bobs, _) = bob.open().await;
    bob.say("after").await;
    let mut stream = ada.stream(Some(&last)).await;
    assert_eq!(data(&stream.next_event().await)["resume"], "gap");
    let gap = stream.next_event().await;
    assert_eq!(
        (&*gap.event, &data(&gap)["cause"]),
        ("gap", &"epoch".into())
    );
    let fresh = Fresh::read(&mut stream).await;
    assert_eq!(fresh.ids(), [1]);
    assert_eq!(fresh.messages[0]["text"], "after");
    stream.next_named("caught-up").await;
    bob.say("live").await;
    assert_eq!(chat(&mut stream).await["text"], "live");
}

#[tokio::test]
async fn what_is_kept_no_more_is_told_by_a_gap() {
    let server = Server::start(&["--history", "5"]).await;
    let (ada, bob) = (server.join("ada").await, server.join("bob").await);
    let (mut stream, _) = ada.open().await;
    bob.whisper("ada", "waits").await;
    let last = stream.next_named("chat").await.last_event_id;
    drop(stream);
    for _ in 0..20 {
        bob.say("x").await;
    }
    for (last, cause) in [(&*last, "evicted"), ("nonsense", "unknown")] {
        let mut stream = ada.stream(Some(last)).await;
        let names = names_until(&mut stream, "gap").await;
        assert_eq!(names, ["connected", "gap"], "{cause}");
        let fresh = Fresh::read(&mut stream).await;
        assert_eq!(fresh.ids(), (1..=21).collect::<Vec<_>>(), "{cause}");
        // Nothing of that comes again.
        let names = names_until(&mut stream, "caught-up").await;
        assert!(!names.contains(&"chat".to_owned()), "{cause}: {names:?}");
    }
}

#[tokio::test]
async fn a_quiet_stream_gets_heartbeats() {
    let server = Server::start(&["--heartbeat", "100ms"]).await;
    let (mut stream, _) = server.join("ada").await.open().await;
    let heartbeat = data(&stream.next_named("heartbeat").await);
    assert_eq!(heartbeat["type"], "periodic");
}
