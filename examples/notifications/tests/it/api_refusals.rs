//! What the API refuses, and how: with a status, and in JSON what is wrong and where.

mod urls;

use std::{net::SocketAddr, time::Duration};

use crate::frameworks::Framework;
use crate::support::Server;
use serde_json::{Value, json};
use sse_conformance::{Response, StreamClient, request};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

on_each_framework! {
    a_body_that_is_not_json_is_a_400,
    json_that_is_no_send_is_a_422,
    names_in_a_send_are_checked,
    what_is_not_called_json_is_a_415,
    a_body_over_2_mib_is_a_413_whether_its_length_is_said_or_not,
    a_body_of_2_mib_is_taken,
}

const SEND: &str = "/api/v1/sse/send";
const MAX_BODY: usize = 2 * 1024 * 1024;

/// A server with one stream, which nothing that is refused may reach.
struct Watched {
    server: Server,
    watcher: StreamClient,
}

impl Watched {
    async fn start(on: Framework) -> Self {
        let server = on.start(&[]).await;
        let path = "/api/v1/sse/stream/g/ada";
        let mut watcher = StreamClient::open(server.addr, path).await;
        assert_eq!(watcher.next_event().await.event, "connected");
        Self { server, watcher }
    }

    fn addr(&self) -> SocketAddr {
        self.server.addr
    }

    async fn send(&self, body: impl Into<Vec<u8>>) -> Response {
        request(self.addr(), "POST", SEND, &[], body).await
    }

    /// Nothing was delivered, published or opened so far; and the server still works.
    async fn unharmed(mut self) {
        let response = self.send(r#"{"data": "still here"}"#).await;
        let sent: Value = response.json();
        assert_eq!(
            (response.status.as_u16(), &sent["matched"]),
            (200, &json!(1))
        );
        assert_eq!(self.watcher.next_event().await.data, "still here");
        let info = request(self.addr(), "GET", "/api/v1/sse/info", &[], "").await;
        let info: Value = info.json();
        assert_eq!(info["connections"], 1);
        assert_eq!(info["delivered"], 1);
        let published = json!({"unicast": 0, "group": 0, "broadcast": 1});
        assert_eq!(info["published"], published);
    }
}

/// It has this status and says in JSON, and in nothing else, what `error` says.
fn assert_refused(response: &Response, status: u16, error: &str, what: &str) {
    let text = response.text();
    assert_eq!(response.status, status, "{what}: {text}");
    let content_type = response.headers["content-type"].to_str().unwrap();
    let essence = content_type.split(';').next();
    assert_eq!(essence, Some("application/json"), "{what}");
    let json: Value = response.json();
    let told = json["error"].as_str().unwrap_or_default();
    assert!(told.contains(error), "{what}: {text} has no {error:?}");
    assert_eq!(json, json!({ "error": told }), "{what}");
}

async fn a_body_that_is_not_json_is_a_400(on: Framework) {
    let watched = Watched::start(on).await;
    let deep = format!(r#"{{"data":{}"#, "[".repeat(100_000));
    let cases: [(&[u8], &str); 14] = [
        (b" ", "EOF while parsing a value at line 1 column 1"),
        (b"{", "EOF while parsing an object at line 1 column 1"),
        (b"{\n \"data\": }", "expected value at line 2 column 10"),
        (
            br#"{"data":1} x"#,
            "trailing characters at line 1 column 12",
        ),
        (br#"{"data":1,}"#, "trailing comma at line 1 column 11"),
        (br#"{"data":[1,]}"#, "expected value at line 1 column 12"),
        (br#"{"data":01}"#, "invalid number at line 1 column 10"),
        (br#"{data:1}"#, "key must be a string at line 1 column 2"),
        (
            b"{\"data\":\"a\nb\"}",
            "control character (\\u0000-\\u001F) found",
        ),
        (
            b"{\"data\":\"\xff\"}",
            "invalid unicode code point at line 1 column 10",
        ),
        (
            b"{\"group\":\"\xc3\",\"data\":1}",
            "invalid unicode code point at line 1",
        ),
        (
            b"\xef\xbb\xbf{\"data\":1}",
            "expected value at line 1 column 1",
        ),
        (b"client=ada&data=x", "expected value at line 1 column 1"),
        (
            deep.as_bytes(),
            "EOF while parsing a list at line 1 column 100008",
        ),
    ];
    for (body, error) in cases {
        let what = String::from_utf8_lossy(&body[..body.len().min(40)]);
        let response = watched.send(body).await;
        assert_refused(&response, 400, &format!("not JSON: {error}"), &what);
    }
    let response = request(
        watched.addr(),
        "POST",
        SEND,
        &[("content-type", "application/json")],
        "",
    );
    let error = "not JSON: EOF while parsing a value at line 1 column 0";
    assert_refused(&response.await, 400, error, "no body");
    watched.unharmed().await;
}

async fn json_that_is_no_send_is_a_422(on: Framework) {
    let watched = Watched::start(on).await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let (deep_client, deep_unknown) = (
        format!(r#"{{"data":1,"client":{deep}}}"#),
        format!(r#"{{"data":1,"nope":{deep}}}"#),
    );
    let control = "has the control character";
    for (body, error) in [
        ("{}", "missing field `data` at line 1 column 2"),
        (
            r#"{"client":"ada"}"#,
            "missing field `data` at line 1 column 16",
        ),
        ("null", "the body is not a JSON object"),
        (
            r#"["a",null,null,null,null,null,null,null,false,null,"x"]"#,
            "the body is not a JSON object",
        ),
        (r#"{"data":"\ud800"}"#, "data: "),
        ("12", "the body is not a JSON object"),
        (r#""x""#, "the body is not a JSON object"),
        (
            r#"{"data":1,"data":2}"#,
            "duplicate field `data` at line 1 column 16",
        ),
        (
            r#"{"data":1,"to":"ada"}"#,
            "unknown field `to`, expected one of `client`",
        ),
        (r#"{"Data":1}"#, "unknown field `Data`"),
        (
            r#"{"client":1,"data":1}"#,
            "expected a string at line 1 column 11",
        ),
        (
            r#"{"clients":"ada","data":1}"#,
            "expected a sequence at line 1 column 16",
        ),
        (
            r#"{"clients":["ada",1],"data":1}"#,
            "expected a string at line 1 column 19",
        ),
        (
            r#"{"group":["g"],"data":1}"#,
            "invalid type: sequence, expected a string",
        ),
        (
            r#"{"event":{},"data":1}"#,
            "invalid type: map, expected a string",
        ),
        (
            r#"{"id":7,"data":1}"#,
            "integer `7`, expected a string at line 1 column 7",
        ),
        (
            r#"{"retry":-1,"data":1}"#,
            "integer `-1`, expected u64 at line 1 column 11",
        ),
        (
            r#"{"retry":1.5,"data":1}"#,
            "floating point `1.5`, expected u64",
        ),
        (r#"{"retry":"1","data":1}"#, "string \"1\", expected u64"),
        (r#"{"retry":18446744073709551616,"data":1}"#, "expected u64"),
        (r#"{"transient":"yes","data":1}"#, "expected a boolean"),
        (
            r#"{"client":"a","clients":["b"],"data":1}"#,
            "clients: give client or clients",
        ),
        (
            r#"{"client":"a","clients":[],"data":1}"#,
            "clients: give client or clients",
        ),
        (
            r#"{"event":"a\nb","data":1}"#,
            r"event: event name has the control character '\n' at byte 1",
        ),
        (
            r#"{"event":"a\rb","data":1}"#,
            r"event name has the control character '\r' at byte 1",
        ),
        (
            r#"{"id":"7\u0000","data":1}"#,
            r"id: event id has the control character '\0' at byte 1",
        ),
        (
            r#"{"id":"7\n","data":1}"#,
            r"id: event id has the control character '\n' at byte 1",
        ),
        (
            r#"{"id":" 7","data":1}"#,
            "id: event id starts or ends with white space",
        ),
        (r#"{"id":"~7","data":1}"#, "id: event id starts with '~'"),
        (
            r#"{"id":"7","transient":true,"data":1}"#,
            "id: an event with an id has to be kept",
        ),
        (r#"{"client":"\u0007","data":1}"#, control),
        (
            &deep_client,
            "invalid type: sequence, expected a string at line 1 column 19",
        ),
        (&deep_unknown, "unknown field `nope`"),
    ] {
        let what: String = body.chars().take(40).collect();
        assert_refused(&watched.send(body).await, 422, error, &what);
    }
    watched.unharmed().await;
}

async fn names_in_a_send_are_checked(on: Framework) {
    let watched = Watched::start(on).await;
    let long = "x".repeat(257);
    for (field, what) in [
        ("client", "client id"),
        ("clients", "client id"),
        ("group", "group name"),
        ("except", "client id"),
        ("event", "event name"),
        ("id", "event id"),
        ("key", "idempotency key"),
        ("conflate", "conflation key"),
    ] {
        for (name, error) in [("", "is empty"), (&long, "has 257 bytes, more than 256")] {
            let value = match field {
                "clients" => json!(["ada", name]),
                _ => json!(name),
            };
            let body = json!({"data": 1, field: value}).to_string();
            let response = watched.send(body).await;
            let error = format!("{field}: {what} {error}");
            assert_refused(&response, 422, &error, field);
        }
    }
    watched.unharmed().await;
}

async fn what_is_not_called_json_is_a_415(on: Framework) {
    let watched = Watched::start(on).await;
    for content_type in [
        "text/plain",
        "text/json",
        "application/jsonx",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "json",
        "",
    ] {
        let headers = [("content-type", content_type)];
        let body = r#"{"data": 1}"#;
        let response = request(watched.addr(), "POST", SEND, &headers, body).await;
        let error = "the Content-Type is not application/json";
        assert_refused(&response, 415, error, content_type);
    }
    let response = watched.send("").await;
    assert_refused(&response, 415, "the Content-Type is not", "no body");
    watched.unharmed().await;
}

/// `{"data": 1}` in a body of that many bytes.
fn padded(len: usize) -> Vec<u8> {
    let mut body = br#"{"data": 1}"#.to_vec();
    body.resize(len, b' ');
    body
}

/// Sends a body in chunks, so that its length isn't said; returns the status line and the body.
async fn send_chunked(addr: SocketAddr, body: &[u8]) -> (String, String) {
    let head = format!(
        "POST {SEND} HTTP/1.1\r\nhost: {addr}\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\nconnection: close\r\n\r\n{:x}\r\n",
        body.len()
    );
    let request = [head.as_bytes(), body, b"\r\n0\r\n\r\n"].concat();
    let mut response = Vec::new();
    let exchange = async {
        let mut socket = TcpStream::connect(addr).await.unwrap();
        // A server that has read enough may close: then what it said before counts.
        let _ = socket.write_all(&request).await;
        let _ = socket.read_to_end(&mut response).await;
    };
    timeout(Duration::from_secs(10), exchange).await.unwrap();
    let response = String::from_utf8(response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").expect("a response");
    let status = head.lines().next().unwrap_or_default();
    (status.to_owned(), body.to_owned())
}

async fn a_body_over_2_mib_is_a_413_whether_its_length_is_said_or_not(on: Framework) {
    let watched = Watched::start(on).await;
    let too_large = "the body has more than 2097152 bytes";
    let response = watched.send(padded(MAX_BODY + 1)).await;
    assert_refused(&response, 413, too_large, "with a length");
    let (status, body) = send_chunked(watched.addr(), &padded(MAX_BODY + 1)).await;
    assert_eq!(status, "HTTP/1.1 413 Payload Too Large");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body, json!({ "error": too_large }));
    // A line takes more on the wire than in the body.
    let lines = format!(r#"{{"data": [{}]}}"#, "\n".repeat(1_000_000));
    let response = watched.send(lines).await;
    let error = "bytes on the wire, more than 4194304";
    assert_refused(&response, 413, error, "too many lines");
    watched.unharmed().await;
}

async fn a_body_of_2_mib_is_taken(on: Framework) {
    let mut watched = Watched::start(on).await;
    let response = watched.send(padded(MAX_BODY)).await;
    assert_eq!(response.status, 200, "{}", response.text());
    let (status, _) = send_chunked(watched.addr(), &padded(MAX_BODY)).await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    for _ in 0..2 {
        assert_eq!(watched.watcher.next_event().await.data, "1");
    }
}
