//! What comes through a proxy, and when.

use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use serde_json::json;
use sse_conformance::request;

use super::{
    client::{Connection, Stream, Wire},
    proxy::{Kind, Proxy},
};
use crate::frameworks::Framework;

behind_each_proxy! {
    the_head_and_the_first_event_come_at_once,
    each_event_comes_within_100_ms,
    a_large_event_comes_whole,
    pages_are_compressed_and_streams_are_not,
}

const PATH: &str = "/api/v1/sse/stream?id=ada";

/// Within what an event is through.
const AT_ONCE: Duration = Duration::from_millis(100);

/// How often it is tried: other tests run meanwhile.
const ATTEMPTS: usize = 5;

const EVENTS: usize = 50;

async fn send(proxy: &Proxy, data: &str) {
    post(proxy, json!({ "data": data }).to_string()).await;
}

async fn post(proxy: &Proxy, body: String) {
    let sent = request(proxy.plain, "POST", "/api/v1/sse/send", &[], body).await;
    assert_eq!(sent.status, 200, "{}", sent.text());
}

async fn the_head_and_the_first_event_come_at_once(kind: Kind) {
    let server = Framework("poem").start(&[]).await;
    let proxy = Proxy::start(kind, server.addr, &[]).await;
    for wire in Wire::ALL {
        let mut fastest = Duration::MAX;
        for _ in 0..ATTEMPTS {
            let mut connection = Connection::open(&proxy.entrance(wire)).await.unwrap();
            let begun = Instant::now();
            let mut stream = connection.stream(PATH, &[]).await.unwrap();
            stream.next_named("connected").await;
            fastest = fastest.min(begun.elapsed());
            assert!(stream.is_one());
            assert_eq!(
                stream.headers["cache-control"], "no-cache, no-transform",
                "{wire:?}"
            );
        }
        assert!(fastest < AT_ONCE, "{wire:?}: {fastest:?}");
    }
}

#[expect(clippy::print_stdout, reason = "the figures")]
async fn each_event_comes_within_100_ms(kind: Kind) {
    let server = Framework("poem").start(&[]).await;
    let proxy = Proxy::start(kind, server.addr, &[]).await;
    for wire in Wire::ALL {
        let mut connection = Connection::open(&proxy.entrance(wire)).await.unwrap();
        let mut stream = connection.stream(PATH, &[]).await.unwrap();
        stream.next_named("connected").await;
        let mut worst = Vec::new();
        while worst.iter().all(|worst| *worst > AT_ONCE) {
            let mut delays = delays(&proxy, &mut stream).await;
            delays.sort_unstable();
            let (median, last) = (delays[EVENTS / 2], delays[EVENTS - 1]);
            println!("{kind:?} {wire:?}: median {median:?}, worst {last:?}");
            assert!(median < AT_ONCE, "{wire:?}: {delays:?}");
            assert!(worst.len() < ATTEMPTS, "{wire:?}: {worst:?}");
            worst.push(last);
        }
    }
}

/// From when an event is begun to be sent to when it is there, for one after the other.
async fn delays(proxy: &Proxy, stream: &mut Stream) -> Vec<Duration> {
    let mut delays = Vec::new();
    for number in 0..EVENTS {
        let (begun, data) = (Instant::now(), number.to_string());
        let arrived = async {
            assert_eq!(stream.next_named("message").await.data, data);
            begun.elapsed()
        };
        let (arrived, ()) = tokio::join!(arrived, send(proxy, &data));
        delays.push(arrived);
    }
    delays
}

async fn a_large_event_comes_whole(kind: Kind) {
    let server = Framework("poem").start(&[]).await;
    let proxy = Proxy::start(kind, server.addr, &[]).await;
    let data: String = (0..200_000)
        .map(|n| char::from(b'a' + (n % 23) as u8))
        .collect();
    for wire in Wire::ALL {
        let mut connection = Connection::open(&proxy.entrance(wire)).await.unwrap();
        let mut stream = connection.stream(PATH, &[]).await.unwrap();
        stream.next_named("connected").await;
        // The demo takes requests of up to 2 MiB.
        let padding = " ".repeat(1_800_000);
        post(&proxy, format!("{}{padding}", json!({ "data": data }))).await;
        assert!(stream.next_named("message").await.data == data, "{wire:?}");
    }
}

async fn pages_are_compressed_and_streams_are_not(kind: Kind) {
    let server = Framework("poem").start(&[]).await;
    let proxy = Proxy::start(kind, server.addr, &[]).await;
    let accepts = [("accept-encoding", "gzip, br")];
    for wire in Wire::ALL {
        let mut connection = Connection::open(&proxy.entrance(wire)).await.unwrap();
        let page = connection.get("/", &accepts).await.unwrap();
        assert_eq!(page.headers()["content-encoding"], "gzip", "{wire:?}");
        page.collect().await.unwrap();
        let mut stream = connection.stream(PATH, &accepts).await.unwrap();
        let encoding = stream.headers.get("content-encoding");
        assert_eq!(encoding, None, "{wire:?}");
        stream.next_named("connected").await;
    }
}
