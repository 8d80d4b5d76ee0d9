//! What a client says can't make the log say something else.

use std::{net::SocketAddr, time::Duration};

use http::HeaderValue;
use serde_json::json;
use sse_conformance::{StreamClient, eventually};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{API, answer, assert_refused, encoded, post, send};
use crate::{frameworks::Framework, support::Server};

on_each_framework! {
    no_value_forges_a_line,
}

/// How the lines of the log begin.
const FORGED: &str = "2026-01-01T00:00:00Z  INFO forged";

/// What a value is that means harm; some of it may well be a name.
fn values() -> Vec<Vec<u8>> {
    let line = |before: &str| format!("{before}{FORGED}").into_bytes();
    let mut values: Vec<Vec<u8>> = [
        "\n",
        "\r\n",
        "\r",
        "a\n\n",
        "\0",
        "\u{b}",
        "\u{c}",
        "\u{85}",
        "\u{2028}",
        "a\u{2028}",
        "\u{2029}",
        "\"\u{2028}",
        "\\n",
        "%0A",
        "\u{1b}[2J\u{1b}[H",
        "\u{1b}[1A\u{1b}[2K\r",
    ]
    .map(line)
    .into();
    let texts = [
        FORGED,
        "\u{1b}[31mred\u{1b}[0m",
        "\u{1b}]0;title\u{7}",
        "\u{9b}31m",
        "\u{202e}drow",
        "\u{2066}\u{200b}\u{feff}",
        "\u{7f}\u{8}\u{8}\u{8}",
        "a\0b",
        "{}{client:?}%s%n",
        "\"}, error: \"x\"",
        "../../../etc/passwd",
        "<script>alert(1)</script>",
        "\u{fffd}\u{10ffff}",
        &"x".repeat(257),
        &"\u{2028}".repeat(85),
    ];
    values.extend(texts.map(|text| text.as_bytes().to_vec()));
    let not_utf_8: [&[u8]; 5] = [
        b"\xff",
        b"a\xc3(",
        // A surrogate, and a newline in more bytes than it has.
        b"\xed\xa0\x80",
        b"\xc0\x8a2026-01-01T00:00:00Z  INFO forged",
        b"\n2026-01-01T00:00:00Z  INFO forged\xff",
    ];
    values.extend(not_utf_8.map(<[u8]>::to_vec));
    values
}

/// Whether it may be the name of something.
fn is_name(value: &[u8]) -> bool {
    let text = std::str::from_utf8(value);
    text.is_ok_and(|text| text.len() <= 256 && !text.chars().any(char::is_control))
}

/// Sends it in every place of a URL that takes something.
async fn in_urls(addr: SocketAddr, value: &[u8]) {
    let (name, text) = (is_name(value), std::str::from_utf8(value).is_ok());
    let what = String::from_utf8_lossy(value);
    let it = encoded(value);
    for (method, path, is_taken) in [
        ("GET", format!("/stream/{it}/ada"), name),
        ("GET", format!("/stream/g/{it}"), name),
        ("POST", format!("/stream/g/{it}"), name),
        ("GET", format!("/stream?id={it}"), name),
        ("GET", format!("/stream?id=ada&group={it}"), name),
        ("GET", format!("/stream?id=ada&lastEventId={it}"), text),
        ("GET", format!("/stream?id=ada&{it}=x"), text),
        ("POST", format!("/disconnect/g/{it}"), name),
        ("POST", format!("/disconnect/{it}/ada"), name),
        ("POST", format!("/disconnect/g/ada?for={it}"), false),
        ("POST", format!("/allow/{it}"), name),
        ("GET", format!("/groups/{it}"), name),
        ("GET", format!("/groups?after={it}"), text),
        ("GET", format!("/groups?limit={it}"), false),
    ] {
        let call = StreamClient::open(addr, &format!("{API}{path}")).method(method);
        let answer = answer(call).await;
        let what = format!("{method} {path}: {what}");
        if !is_taken {
            assert_refused(answer, 400, &what);
            continue;
        }
        assert_eq!(answer.0, 200, "{what}: {}", answer.1);
        if path.starts_with("/stream/g/") || path.starts_with("/stream?id=%") {
            assert_eq!(answer.1["client_id"].as_str().unwrap().as_bytes(), value);
        }
    }
    let nowhere = answer(StreamClient::open(addr, &format!("/{it}"))).await;
    assert_refused(nowhere, 404, &what);
}

/// Sends it in every header that is looked at, where HTTP allows it there.
async fn in_headers(addr: SocketAddr, value: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(value) else {
        return;
    };
    for header in [
        "last-event-id",
        "accept",
        "x-forwarded-for",
        "forwarded",
        "user-agent",
        "host",
        "origin",
    ] {
        let call = StreamClient::open(addr, &format!("{API}/stream/g/ada"));
        let (status, json) = answer(call.header(header, &value)).await;
        assert_eq!(status, 200, "{header}: {value:?}: {json}");
    }
    let call = post(addr, "/send").header("content-type", &value);
    assert_refused(answer(call.body("{}")).await, 415, &format!("{value:?}"));
}

/// Sends it in every field of a publication.
async fn in_bodies(addr: SocketAddr, value: &[u8]) {
    let Ok(text) = std::str::from_utf8(value) else {
        return;
    };
    for field in [
        "client", "clients", "group", "except", "event", "id", "key", "conflate", "data",
    ] {
        let mut body = json!({"data": 1});
        body[field] = match field {
            "clients" => json!(["ada", text]),
            _ => json!(text),
        };
        let answer = answer(send(addr, &body)).await;
        let is_taken = match field {
            "data" => true,
            "id" => is_name(value) && text.trim() == text,
            _ => is_name(value),
        };
        if is_taken {
            assert_eq!(answer.0, 200, "{field}: {text:?}: {}", answer.1);
        } else {
            assert_refused(answer, 422, &format!("{field}: {text:?}"));
        }
    }
    let unknown = answer(send(addr, &json!({"data": 1, text: 1}))).await;
    assert_eq!(unknown.0, 422, "{}", unknown.1);
}

/// Asks for it over HTTP/2 as a path, which no client would (RFC 9113, 8.2.1).
async fn over_http_2(addr: SocketAddr, value: &[u8]) {
    let len = u8::try_from(value.len()).unwrap();
    // GET, http, an authority of one letter, a path (RFC 7541, A).
    let headers = [&[0x82, 0x86, 0x01, 1, b'x', 0x04, len], value].concat();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    bytes.extend([0, 0, u8::try_from(headers.len()).unwrap(), 1, 5, 0, 0, 0, 1]);
    bytes.extend(headers);
    let mut socket = TcpStream::connect(addr).await.unwrap();
    socket.write_all(&bytes).await.unwrap();
    // What is answered tells that it was read.
    let mut first = [0; 9];
    socket.read_exact(&mut first).await.unwrap();
}

/// Every line is one of the log's own, and shows on a terminal as what it is.
fn assert_honest(log: &str) {
    for line in log.lines() {
        let level = line.split_whitespace().nth(1);
        let is_own = matches!(level, Some("ERROR" | "WARN" | "INFO" | "DEBUG" | "TRACE"));
        assert!(is_own && !line.starts_with(&FORGED[..20]), "{line:?}");
    }
    let shows_as_itself = |c: char| c == '\n' || c.escape_debug().len() == 1 || "\"'\\".contains(c);
    let other = log.find(|c| !shows_as_itself(c));
    if let Some(at) = other {
        let line = log[..at].lines().count();
        panic!("{:?}", log.lines().nth(line.saturating_sub(1)));
    }
    assert!(!log.contains("panicked"), "{log}");
}

async fn no_value_forges_a_line(on: Framework) {
    let args = ["--framework", on.0, "--trusted-proxies", "127.0.0.0/8"];
    let (server, log) = Server::start_logging("debug", &args).await;
    let addr = server.addr;
    for value in values() {
        in_urls(addr, &value).await;
        in_headers(addr, &value).await;
        in_bodies(addr, &value).await;
        if let Ok(1..100) = u8::try_from(value.len()) {
            over_http_2(addr, &value).await;
        }
    }
    answer(StreamClient::open(
        addr,
        &format!("{API}/stream/g/the-last"),
    ))
    .await;
    eventually("all is logged", Duration::from_secs(10), || {
        log.text().contains("the-last")
    })
    .await;
    let log = log.text();
    let escaped = r#"client="a\u{2028}2026-01-01T00:00:00Z  INFO forged""#;
    assert!(log.contains(escaped), "{log}");
    assert_honest(&log);
    drop(server);
}
