//! Values that mean harm, wherever one is taken: each is refused with a reason in JSON or taken for what
//! it is, the server goes on, and its log says nothing that it doesn't say itself.

mod log;

use std::{fs, net::SocketAddr};

use serde_json::{Value, json};
use sse_conformance::{Call, End, StreamClient};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{frameworks::Framework, support::Server};

on_each_framework! {
    a_last_event_id_of_any_kind_is_told_what_is_missing,
    times_that_are_too_long_are_refused_or_for_ever,
    what_is_huge_is_refused_and_not_held,
}

const API: &str = "/api/v1/sse";
const MIB: usize = 1024 * 1024;

/// What was answered: the status, and the JSON. That of a stream is the data of its opening event.
async fn answer(call: Call) -> (u16, Value) {
    let mut client = call.keep_body().await;
    let status = client.status().as_u16();
    if client.headers()["content-type"] == "text/event-stream" {
        let opening = client.next_named("connected").await;
        return (status, serde_json::from_str(&opening.data).unwrap());
    }
    assert_eq!(client.ended().await, End::Clean);
    (status, serde_json::from_slice(client.body()).unwrap())
}

/// It is refused: by this status, and in JSON that says why, and nothing else.
fn assert_refused((status, json): (u16, Value), expected: u16, what: &str) {
    assert_eq!(status, expected, "{what}: {json}");
    let error = json["error"].as_str().unwrap_or_default();
    assert!(error.len() > 5, "{what}: {json}");
    assert!(error.len() < 500, "{what}: {} bytes", error.len());
    assert_eq!(json, json!({ "error": error }), "{what}");
}

fn post(addr: SocketAddr, path: &str) -> Call {
    StreamClient::open(addr, &format!("{API}{path}")).method("POST")
}

fn send(addr: SocketAddr, body: &Value) -> Call {
    post(addr, "/send")
        .header("content-type", "application/json")
        .body(body.to_string())
}

/// Every byte as its code.
fn encoded(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}

async fn a_last_event_id_of_any_kind_is_told_what_is_missing(on: Framework) {
    let server = on.start(&[]).await;
    let addr = server.addr;
    answer(send(addr, &json!({"data": "kept"}))).await;
    let (_, info) = answer(StreamClient::open(addr, &format!("{API}/info"))).await;
    let newest = info["history"]["newest"].as_str().unwrap();
    let (epoch, _) = newest.split_once('.').unwrap();
    let most = u64::MAX;
    let ids: [(Vec<u8>, &str); 18] = [
        (format!("{epoch}.2").into(), "ahead"),
        (format!("{epoch}.{most}").into(), "ahead"),
        (format!("{epoch}.{most}0").into(), "unknown"),
        (format!("{epoch}.-1").into(), "unknown"),
        (format!("~ffffffffffffffff.{most}").into(), "epoch"),
        ("~0000000000000000.0".into(), "epoch"),
        (format!("~{}.1", "f".repeat(17)).into(), "unknown"),
        (format!("~{}", "9".repeat(4_000)).into(), "unknown"),
        ("~".into(), "unknown"),
        ("~.".into(), "unknown"),
        ("~~~~".into(), "unknown"),
        ("x".repeat(256).into(), "unknown"),
        ("x".repeat(4_000).into(), "unknown"),
        ("\u{2028}\u{202e}".into(), "unknown"),
        ("\u{9b}31m".into(), "unknown"),
        (b"\xff\xfe".into(), "unknown"),
        (b"\xc0\x8a".into(), "unknown"),
        (b"\xed\xa0\x80".into(), "unknown"),
    ];
    for (number, (id, cause)) in ids.iter().enumerate() {
        let what = String::from_utf8_lossy(&id[..id.len().min(40)]);
        let path = format!("{API}/stream/g/c{number}");
        let mut client = StreamClient::open(addr, &path)
            .header("last-event-id", id)
            .await;
        client.next_named("connected").await;
        let gap: Value = serde_json::from_str(&client.next_named("gap").await.data).unwrap();
        assert_eq!(gap["cause"], *cause, "{what}");
        client.next_named("caught-up").await;
        let body = json!({"client": format!("c{number}"), "data": "live"});
        let (_, sent) = answer(send(addr, &body)).await;
        assert_eq!(sent["queued"], 1, "{what}");
        assert_eq!(client.next_named("message").await.data, "live", "{what}");

        let path = format!("{path}?lastEventId={}", encoded(id));
        if path.len() > 8_000 {
            let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
            assert_eq!(status_of(addr, &head).await, "HTTP/1.1 431");
            continue;
        }
        let answer = answer(StreamClient::open(addr, &path)).await;
        if std::str::from_utf8(id).is_err() {
            assert_refused(answer, 400, &what);
        } else {
            assert_eq!(answer.0, 200, "{what}: {}", answer.1);
        }
    }
}

async fn times_that_are_too_long_are_refused_or_for_ever(on: Framework) {
    let server = on.start(&[]).await;
    let addr = server.addr;
    for (time, expected) in [
        ("18446744073709551615s", 200),
        ("18446744073709551616s", 400),
        ("18446744073709551615s%201s", 400),
        ("999999999999999999999999y", 400),
        ("18446744073709551615y", 400),
        ("-1s", 400),
        ("1e9s", 400),
        ("%00", 400),
    ] {
        let answer = answer(post(addr, &format!("/disconnect/g/ada?for={time}"))).await;
        if expected == 200 {
            assert_eq!(answer, (200, json!({"closed": 0})), "{time}");
        } else {
            assert_refused(answer, expected, time);
        }
    }
    let path = format!("{API}/stream/g/ada");
    let client = StreamClient::open(addr, &path).await;
    assert_eq!(client.status(), 204);
    let allowed = answer(post(addr, "/allow/ada")).await;
    assert_eq!(allowed, (200, json!({"allowed": true})));
    let mut client = StreamClient::open(addr, &path).await;
    client.next_named("connected").await;
    let sent = answer(send(addr, &json!({"retry": u64::MAX, "data": "x"}))).await;
    assert_eq!((sent.0, &sent.1["queued"]), (200, &json!(1)));
    assert_eq!(client.next_event().await.data, "x");
}

/// How much memory the server has held at most, in bytes.
fn peak(server: &Server) -> usize {
    let id = server.process.id().unwrap();
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<usize>().unwrap() * 1024
}

/// The status that a head is answered with, sent as it is.
async fn status_of(addr: SocketAddr, head: &str) -> String {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    // The server may close before it has read all.
    drop(socket.write_all(head.as_bytes()).await);
    let mut answer = vec![0; 12];
    socket.read_exact(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

async fn what_is_huge_is_refused_and_not_held(on: Framework) {
    let server = on.start(&[]).await;
    let addr = server.addr;
    let huge = "x".repeat(MIB);
    // What it takes to refuse one.
    assert_refused(
        answer(send(addr, &json!({"data": 1, "client": huge}))).await,
        422,
        "client",
    );
    let before = peak(&server);
    for field in [
        "client", "group", "except", "event", "id", "key", "conflate", "retry",
    ] {
        for _ in 0..5 {
            let body = json!({"data": 1, field: huge});
            assert_refused(answer(send(addr, &body)).await, 422, field);
        }
    }
    let unknown = json!({"data": 1, huge.as_str(): 1});
    assert_refused(answer(send(addr, &unknown)).await, 422, "a field");
    for head in [
        format!("GET {API}/stream?id={huge} HTTP/1.1\r\nhost: x\r\n\r\n"),
        format!("GET {API}/stream/g/a HTTP/1.1\r\nhost: x\r\nlast-event-id: {huge}\r\n\r\n"),
        format!("GET {API}/stream/g/a HTTP/1.1\r\nhost: {huge}\r\n\r\n"),
        format!("{huge} {API}/stream/g/a HTTP/1.1\r\nhost: x\r\n\r\n"),
    ] {
        assert_eq!(status_of(addr, &head).await, "HTTP/1.1 431");
    }
    let more = peak(&server) - before;
    assert!(more < 16 * MIB, "{more} bytes more than for one");

    // Each of many small ones is a name of its own: some thirty times as many bytes as it has here.
    let many = vec!["x"; MIB / 4 - 100];
    let (status, sent) = answer(send(addr, &json!({"data": 1, "clients": many}))).await;
    assert_eq!((status, &sent["matched"]), (200, &json!(0)));
    let more = peak(&server) - before;
    assert!(more < 64 * MIB, "{more} bytes more than for one");
    let still_there = answer(send(addr, &json!({"data": "still here"}))).await;
    assert_eq!(still_there.0, 200);
}
