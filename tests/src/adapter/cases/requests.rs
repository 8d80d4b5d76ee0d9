//! Cases of what a request says.

use std::{net::SocketAddr, time::Duration};

use http::Method;
use sse_core::{ClientId, Event, EventId, GroupName, Hub, LastEventId, Target};
use tokio::time::timeout;

use super::support::{A_SECOND, STREAM, assert_head, broadcast, connections, hub, seen};
use crate::{
    StreamClient,
    adapter::{
        Server,
        client::{Client, Http2Client, Version},
    },
    eventually, request,
};

pub(crate) async fn get_opens_a_stream(server: Server) {
    assert_opens(&server, Version::Http11).await;
}

pub(crate) async fn http_1_0_opens_a_stream(server: Server) {
    assert_opens(&server, Version::Http10).await;
}

pub(crate) async fn http_2_opens_a_stream(server: Server) {
    assert_opens(&server, Version::Http2).await;
}

async fn assert_opens(server: &Server, version: Version) {
    let hub = hub();
    let addr = server.start(&hub).await;
    let mut client = Client::open(addr, version, STREAM).await;
    assert_eq!(client.status(), 200);
    client.next().await;
    assert_reached(&hub).await;
    assert_eq!(client.next().await.data, "to ada");
    assert_eq!(client.next().await.data, "to red");
}

/// Sends to the client and to the group that the stream was opened for.
async fn assert_reached(hub: &Hub) {
    for (target, text) in [
        (Target::client(client_id("ada")), "to ada"),
        (Target::group(group("red")), "to red"),
    ] {
        let receipt = hub.publish(target, Event::text(text)).await;
        let receipt = receipt.expect("an open hub publishes");
        let delivery = receipt.outcome().await.expect("an outcome");
        assert_eq!(delivery.matched, 1, "connections reached {text}");
    }
}

fn client_id(name: &str) -> ClientId {
    ClientId::new(name).expect("a valid client id")
}

fn group(name: &str) -> GroupName {
    GroupName::new(name).expect("a valid group name")
}

pub(crate) async fn post_opens_a_stream(server: Server) {
    assert_post_opens(&server, Version::Http11).await;
}

pub(crate) async fn post_over_http_1_0_opens_a_stream(server: Server) {
    assert_post_opens(&server, Version::Http10).await;
}

pub(crate) async fn post_over_http_2_opens_a_stream(server: Server) {
    assert_post_opens(&server, Version::Http2).await;
}

async fn assert_post_opens(server: &Server, version: Version) {
    let hub = hub();
    let addr = server.start(&hub).await;
    for body in ["", "a body that nobody asked for"] {
        let mut client = Client::post(addr, version, STREAM, body).await;
        assert_eq!(client.status(), 200);
        assert_head(client.headers(), "POST");
        assert_eq!(client.next().await.event, "connected");
        broadcast(&hub, Event::text("hello")).await;
        assert_eq!(client.next().await.data, "hello");
    }
}

pub(crate) async fn head_answers_the_head(server: Server) {
    let addr = server.start(&hub()).await;
    let response = request(addr, "HEAD", STREAM, &[], "").await;
    assert_eq!(response.status, 200);
    assert_head(&response.headers, "HEAD");
    assert_eq!(response.body, b"", "a HEAD has no body");
}

pub(crate) async fn head_over_http_2_answers_the_head(server: Server) {
    let addr = server.start(&hub()).await;
    let mut client = Client::Http2(Http2Client::open(addr, Method::HEAD, STREAM).await);
    assert_eq!(client.status(), 200);
    assert_head(client.headers(), "HEAD over HTTP/2");
    let ended = client.ended_cleanly().await;
    assert_eq!(
        (ended, client.body()),
        (true, &b""[..]),
        "a HEAD has no body"
    );
}

pub(crate) async fn head_registers_nothing(server: Server) {
    let hub = hub();
    let addr = server.start(&hub).await;
    let mut presence = hub.presence();
    request(addr, "HEAD", STREAM, &[], "").await;
    drop(Http2Client::open(addr, Method::HEAD, STREAM).await);
    eventually("nobody is there", A_SECOND, || connections(&hub) == 0).await;
    let ended = serde_json::to_value(hub.info().ended).expect("counts are JSON");
    let none = ended
        .as_object()
        .expect("a count a reason")
        .values()
        .all(|count| count == 0);
    assert!(none, "a connection came and went: {ended}");
    let notice = timeout(Duration::from_millis(50), presence.next()).await;
    assert!(notice.is_err(), "it was announced: {notice:?}");
}

pub(crate) async fn the_last_event_id_comes_from_the_header(server: Server) {
    let other = "/stream?client=ada&lastEventId=8";
    for (header, path, expected) in [
        (&b"7"[..], STREAM, event_id("7")),
        (b"7", other, event_id("7")),
        (b"", other, None),
        ("größe".as_bytes(), STREAM, event_id("größe")),
        (b"\xff", STREAM, Some(LastEventId::Unknown)),
    ] {
        let headers = [("last-event-id", header)];
        assert_last_event_id(&server, path, &headers, expected).await;
    }
}

pub(crate) async fn the_last_event_id_comes_from_the_query(server: Server) {
    for (query, expected) in [
        ("", None),
        ("&lastEventId=8", event_id("8")),
        ("&last_event_id=9", event_id("9")),
        ("&lastEventId=a%2Fb%26c+d", event_id("a/b&c d")),
        ("&lastEventId=", None),
        ("&lastEventId=%ff", Some(LastEventId::Unknown)),
    ] {
        let path = format!("/stream?client=ada{query}");
        assert_last_event_id(&server, &path, &[], expected).await;
    }
}

fn event_id(text: &str) -> Option<LastEventId> {
    let id = EventId::new(text).expect("a valid event id");
    Some(LastEventId::Event(id))
}

async fn assert_last_event_id(
    server: &Server,
    path: &str,
    headers: &[(&str, &[u8])],
    expected: Option<LastEventId>,
) {
    for version in Version::ALL {
        let hub = hub();
        let addr = server.start(&hub).await;
        let mut client = Client::open_with(addr, version, path, headers).await;
        client.next().await;
        let last = seen(&hub).last_event_id;
        assert_eq!(last, expected, "of {path} with {headers:?}, {version:?}");
    }
}

pub(crate) async fn a_name_that_is_not_valid_is_a_400(server: Server) {
    let hub = hub();
    let addr = server.start(&hub).await;
    let long = "x".repeat(257);
    for query in [
        "client=".to_owned(),
        "client=a%0ab".to_owned(),
        "client=a%00b".to_owned(),
        format!("client={long}"),
        "client=ada&group=".to_owned(),
        "client=ada&group=red&group=a%0d%0ab".to_owned(),
        format!("client=ada&group={long}"),
    ] {
        let path = format!("/stream?{query}");
        assert_refused(addr, &path).await;
    }
    assert_eq!(connections(&hub), 0);
}

async fn assert_refused(addr: SocketAddr, path: &str) {
    let response = request(addr, "GET", path, &[], "").await;
    assert_eq!(response.status, 400, "{path}");
    let content_type = response.headers.get("content-type");
    let is_json =
        content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    assert!(is_json, "{path}: the content type is {content_type:?}");
    let told: serde_json::Value = response.json();
    assert!(told["error"].is_string(), "{path}: {told} says no error");
}

pub(crate) async fn a_name_of_any_kind_arrives(server: Server) {
    let hub = hub();
    let addr = server.start(&hub).await;
    for name in [
        "größe",
        "a/b",
        "../..",
        "%00 +&=#?",
        "\u{1f980}",
        "\"<script>",
        "~1",
    ] {
        let escaped: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let path = format!("/stream?client={escaped}&group={escaped}&group=red");
        let mut client = StreamClient::open(addr, &path).await;
        client.next_event().await;
        let target = Target::client(client_id(name)).within(group(name));
        let connections = hub.connections(&target);
        assert_eq!(
            connections.len(),
            1,
            "connections of client {name:?} in its group"
        );
        assert!(
            connections[0].groups().contains(&group("red")),
            "its second group"
        );
    }
}

pub(crate) async fn the_peers_address_is_known(server: Server) {
    for version in Version::ALL {
        let hub = hub();
        let addr = server.start(&hub).await;
        let mut client = Client::open(addr, version, STREAM).await;
        client.next().await;
        let known = seen(&hub).peer_addr;
        assert_eq!(known, Some(client.local_addr()), "{version:?}");
    }
}
