//! Each framework sends the same bytes.

use std::{net::SocketAddr, time::Duration};

use crate::support::Server;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use sse_conformance::{End, Response, StreamClient, request};
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};

const STREAM: &str = "/api/v1/sse/stream";
const PATIENCE: Duration = Duration::from_secs(10);

async fn start(framework: &str, args: &[&str]) -> Server {
    Server::start(&[&["--framework", framework], args].concat()).await
}

/// The keys whose values differ from stream to stream, in the library's own events.
const OWN: [&str; 3] = ["\"connection_id\":", "\"timestamp\":", "\"time\":"];

/// The events of a body, as they stand there; epochs are masked, and in the library's own events
/// ids and times.
fn events(body: &[u8]) -> Vec<String> {
    let body = std::str::from_utf8(body).unwrap();
    let own = |event: &str| ["connected", "heartbeat"].contains(&event);
    let masked = body.split_inclusive("\n\n").map(|event| {
        let name = event.lines().find_map(|line| line.strip_prefix("event: "));
        let event = match event.strip_prefix("id: ") {
            Some(rest) => format!("id: {}", without_epoch(rest)),
            None => event.to_owned(),
        };
        if name.is_some_and(own) {
            mask(&event)
        } else {
            event
        }
    });
    masked.collect()
}

/// Masks the epoch of the position that the text starts with, if it does.
fn without_epoch(text: &str) -> String {
    let position = text.strip_prefix('~').and_then(|text| text.split_once('.'));
    position.map_or_else(|| text.to_owned(), |(_, sequence)| format!("~*.{sequence}"))
}

fn mask(event: &str) -> String {
    OWN.iter().fold(event.to_owned(), |event, key| {
        let Some((before, after)) = event.split_once(key) else {
            return event;
        };
        let end = after.find([',', '}']).expect("the value ends");
        format!("{before}{key}*{}", &after[end..])
    })
}

/// Reads a stream over HTTP/2 to its end.
async fn over_http_2(addr: SocketAddr, path: &str) -> JoinHandle<Bytes> {
    let socket = TokioIo::new(TcpStream::connect(addr).await.unwrap());
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), socket);
    let (mut sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get(format!("http://{addr}{path}"));
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    tokio::spawn(async move { response.collect().await.unwrap().to_bytes() })
}

/// What is sent to the streams of ada and bob in the group g, eve in h and zoe in the default one.
fn sends() -> Vec<Value> {
    let lines: String = (0..5_000).map(|n| format!("line {n} ü\r\n")).collect();
    vec![
        json!({"client": "ada", "data": "only ada"}),
        json!({"client": "ada", "group": "h", "data": "nobody"}),
        json!({"clients": ["ada", "eve", "nobody"], "event": "list", "data": ["a", {"b": null}]}),
        json!({"group": "g", "event": "größe 🦀", "id": "42 43", "retry": 1500, "data": "x"}),
        json!({"group": "g", "except": "ada", "data": "only bob"}),
        json!({"event": "message", "data": "", "transient": true}),
        json!({"data": " a\nb\r\nc\rd\n\n "}),
        json!({"data": "data: x\n\nevent: connected\nid: 7\n: z\u{0}\u{2028}\u{feff}"}),
        json!({"key": "once", "data": "once"}),
        json!({"key": "once", "data": "once"}),
        json!({"conflate": "state", "data": "old"}),
        json!({"conflate": "state", "data": "new"}),
        json!({"id": "lines", "data": lines}),
        json!({"client": "eve", "data": "x".repeat(300_000)}),
        json!({"data": "the end"}),
    ]
}

/// What the API answered to each send, and the body of each stream, to its end.
async fn sent_and_received(framework: &str) -> (Vec<Value>, Vec<Vec<String>>) {
    let server = start(framework, &[]).await;
    let path = |stream: &str| format!("{STREAM}{stream}");
    let open = |stream: &str| StreamClient::open(server.addr, &path(stream)).keep_body();
    let mut clients = [
        open("/g/ada").await,
        open("/g/bob").method("POST").body("ignored").await,
        open("?id=zoe").http_10().await,
    ];
    let eve = over_http_2(server.addr, &path("/h/eve")).await;

    let call = async |method, path: &str, body: String| -> Value {
        let path = format!("/api/v1/sse{path}");
        request(server.addr, method, &path, &[], body).await.json()
    };
    let mut answers = Vec::new();
    for send in sends() {
        let mut answer = call("POST", "/send", send.to_string()).await;
        let position = answer["position"].as_str().map(without_epoch);
        answer["position"] = json!(position);
        answers.push(answer);
        // None takes the place of another that still waits.
        let taken = async { while call("GET", "/info", String::new()).await["queued"] != 0 {} };
        timeout(PATIENCE, taken).await.expect("the bodies take it");
    }
    for stream in ["g/ada", "g/bob", "h/eve", "default/zoe"] {
        let path = format!("/disconnect/{stream}");
        let answer = call("POST", &path, String::new()).await;
        assert_eq!(answer, json!({"closed": 1}));
    }
    let mut bodies = Vec::new();
    for client in &mut clients {
        assert_eq!(client.ended().await, End::Clean, "{framework}");
        bodies.push(events(client.body()));
    }
    bodies.push(events(&eve.await.unwrap()));
    (answers, bodies)
}

#[tokio::test]
async fn the_same_sends_make_the_same_bodies_byte_for_byte() {
    let (answers, bodies) = sent_and_received("poem").await;
    let connected = r#"id: ~*.0
event: connected
data: {"connection_id":*,"client_id":"ada","groups":["g"],"resume":"fresh","timestamp":*}

"#;
    assert_eq!(bodies[0][0], connected);
    let counts = bodies.iter().map(Vec::len);
    assert_eq!(counts.collect::<Vec<_>>(), [12, 11, 9, 11]);
    assert!(
        bodies
            .iter()
            .all(|body| body.last().unwrap() == "id: ~*.13\ndata: the end\n\n")
    );

    for framework in ["warp", "axum"] {
        let (also_answers, also_bodies) = sent_and_received(framework).await;
        assert_eq!(answers, also_answers, "{framework}");
        for (body, also_body) in bodies.iter().zip(&also_bodies) {
            for (event, also_event) in body.iter().zip(also_body) {
                assert_eq!(event, also_event, "{framework}");
            }
        }
        assert_eq!(bodies, also_bodies, "{framework}");
    }
}

#[tokio::test]
async fn a_heartbeat_is_the_same_bytes() {
    let mut received = Vec::new();
    for framework in ["poem", "warp", "axum"] {
        let server = start(framework, &["--heartbeat", "500ms"]).await;
        let call = StreamClient::open(server.addr, &format!("{STREAM}/g/ada"));
        let mut ada = call.keep_body().await;
        ada.next_named("heartbeat").await;
        let mut events = events(ada.body());
        events.truncate(2);
        received.push(events);
    }
    let heartbeat = r#"id: ~*.0
event: heartbeat
data: {"type":"periodic","timestamp":*,"time":*,"connection_id":*,"client_id":"ada"}

"#;
    assert_eq!(received[0][1], heartbeat);
    assert_eq!(received[0], received[1]);
    assert_eq!(received[0], received[2]);
}

/// What isn't a stream: its status, its headers but for the date, and its body but for an epoch.
async fn answer(server: &Server, (method, path, body): (&str, &str, &str)) -> Response {
    let mut response = request(server.addr, method, path, &[], body).await;
    assert!(response.headers.remove("date").is_some());
    if method == "HEAD" {
        // poem leaves it out where the handler is that of GET (RFC 9110, 8.6 lets it).
        response.headers.remove("content-length");
    }
    let text = response.text();
    if let Some((before, position)) = text.split_once(r#""position":""#) {
        let position = without_epoch(position);
        response.body = format!(r#"{before}"position":"{position}"#).into_bytes();
    }
    response
}

#[tokio::test]
async fn the_same_requests_have_the_same_answers_head_and_all() {
    let poem = start("poem", &[]).await;
    let others = [start("warp", &[]).await, start("axum", &[]).await];
    for call in [
        ("GET", "/", ""),
        ("GET", "/?x=1", ""),
        ("HEAD", "/app.js", ""),
        ("POST", "/app.js", "{}"),
        ("GET", "/nothing", ""),
        ("GET", "/nothing?%FF", ""),
        ("HEAD", "/nothing", ""),
        ("HEAD", "/api/v1/sse/info", ""),
        ("GET", "/api/v1/sse/info?%FF", ""),
        ("GET", "/api/v1/sse/groups?limit=1&after=%41", ""),
        ("GET", "/api/v1/sse/groups?limit=x", ""),
        ("HEAD", "/api/v1/sse/groups/g", ""),
        ("GET", "/api/v1/sse/groups/%FF", ""),
        ("POST", "/api/v1/sse/send", r#"{"data": 1}"#),
        ("POST", "/api/v1/sse/send", r#"{"data": 1"#),
        ("POST", "/api/v1/sse/send", ""),
        ("DELETE", "/api/v1/sse/send", ""),
        ("POST", "/api/v1/sse/disconnect/g/ada", ""),
        ("POST", "/api/v1/sse/disconnect//ada", ""),
        ("HEAD", "/api/v1/sse/stream/g/ada", ""),
        ("GET", "/api/v1/sse/stream/g/%00", ""),
        ("GET", "/api/v1/sse/stream", ""),
        ("HEAD", "/api/v1/sse/stream?id=ada", ""),
        ("PUT", "/api/v1/sse/stream?id=ada", ""),
    ] {
        let (method, path, _) = call;
        let expected = answer(&poem, call).await;
        for other in &others {
            assert_eq!(answer(other, call).await, expected, "{method} {path}");
        }
    }
}
