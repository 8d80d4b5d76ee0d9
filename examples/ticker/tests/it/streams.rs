//! The streams over real sockets.

use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use sse_conformance::{End, StreamClient, eventually, request};

use crate::Ticker;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The time that the next event tells.
async fn next_time(stream: &mut StreamClient, name: &str) -> SystemTime {
    let data = stream.next_named(name).await.data;
    humantime::parse_rfc3339(&data).unwrap_or_else(|error| panic!("{data}: {error}"))
}

fn is_now(time: SystemTime) -> bool {
    // Told in whole seconds.
    let ago = SystemTime::now().duration_since(time).unwrap_or_default();
    ago < Duration::from_secs(5)
}

#[tokio::test]
async fn a_stream_of_its_own_is_told_the_time_as_long_as_it_is_open() {
    let ticker = Ticker::start().await;
    let mut stream = StreamClient::open(ticker.program.addr, "/time").await;
    assert_eq!(stream.next_event().await.event, "connected");
    assert_eq!(stream.next_named("protocol").await.data, "HTTP/1.1");
    let mut last = SystemTime::UNIX_EPOCH;
    for _ in 0..8 {
        let time = next_time(&mut stream, "time").await;
        assert!(time >= last && is_now(time), "{time:?} after {last:?}");
        last = time;
    }
    let logged = ticker.log.text();
    let line = logged.lines().find(|line| line.contains(" connected"));
    let line = line.unwrap_or_else(|| panic!("{logged}"));
    assert!(line.contains("peer=127.0.0.1:"), "{line}");
    let peer = line.split("peer=").nth(1).unwrap();
    let peer = peer.split(' ').next().unwrap().to_owned();
    assert!(!logged.contains("disconnected"), "{logged}");
    drop(stream);
    let gone = || {
        let logged = ticker.log.text();
        logged
            .lines()
            .any(|line| line.contains("disconnected") && line.contains(&peer))
    };
    eventually("it is logged", PATIENCE, gone).await;
}

#[tokio::test]
async fn a_shared_stream_says_the_same_to_all_and_nothing_of_before() {
    let ticker = Ticker::start_with(&["--every", "1s"]).await;
    let open = || StreamClient::open(ticker.program.addr, "/sse?stream=time");
    let mut first = open().await;
    next_time(&mut first, "message").await;
    let mut second = open().await;
    assert_eq!(second.next_event().await.event, "connected");
    let begun = Instant::now();
    let time = next_time(&mut second, "message").await;
    // Not the one that was told before it came.
    assert!(begun.elapsed() > Duration::from_millis(100));
    assert_eq!(next_time(&mut first, "message").await, time);
}

#[tokio::test]
async fn what_is_no_stream_is_told() {
    let ticker = Ticker::start().await;
    for (method, path, status, error) in [
        ("GET", "/sse?stream=date", 404, "there is no such stream"),
        ("GET", "/nothing", 404, "not found"),
        ("POST", "/time", 405, "method not allowed"),
        ("DELETE", "/sse?stream=time", 405, "method not allowed"),
    ] {
        let response = request(ticker.program.addr, method, path, &[], "").await;
        assert_eq!(response.status, status, "{method} {path}");
        assert_eq!(response.json::<Value>(), json!({ "error": error }));
    }
    for path in [
        "/sse",
        "/sse?stream",
        "/sse?stream=time&stream=time",
        "/sse?time",
    ] {
        let response = request(ticker.program.addr, "GET", path, &[], "").await;
        let told = response.json::<Value>()["error"].to_string();
        let (status, says) = (response.status.as_u16(), told.contains("stream"));
        assert!(
            says && [400, 404].contains(&status),
            "{path}: {status} {told}"
        );
    }
}

#[tokio::test]
async fn a_page_fills_itself_in() {
    let ticker = Ticker::start().await;
    let begun = Instant::now();
    let page = request(ticker.program.addr, "GET", "/chunks", &[], "").await;
    assert!(begun.elapsed() > Duration::from_secs(2), "piece by piece");
    assert_eq!(page.headers["transfer-encoding"], "chunked");
    let text = page.text();
    assert_eq!(text.matches("<li>").count(), 10);
    assert!(text.trim_end().ends_with("</html>"), "{text}");
}

#[tokio::test]
async fn told_to_end_it_says_good_bye() {
    let mut ticker = Ticker::start_with(&["--drain", "100ms"]).await;
    let mut streams = Vec::new();
    for path in ["/time", "/sse?stream=time"] {
        let mut stream = StreamClient::open(ticker.program.addr, path).await;
        stream.next_named("connected").await;
        streams.push(stream);
    }
    ticker.program.terminate();
    for stream in &mut streams {
        stream.next_named("reconnect").await;
        assert_eq!(stream.ended().await, End::Clean);
    }
    let status = ticker.program.process.wait().await.unwrap();
    assert!(status.success(), "{status}");
}
