//! What a client gets from poem, over real sockets.

mod support;

use std::{net::SocketAddr, time::Duration};

use http_body_util::BodyExt;
use poem::http;
use sse_conformance::{Call, End, EventStream, StreamClient, eventually, request};
use sse_core::{Event, GroupName, Hub, Target};
use support::{Way, both_ways, connect_http_2, get_http_2, serve};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

both_ways! {
    get_post_and_http_10_open_a_stream,
    http_2_with_prior_knowledge,
    head_answers_the_head_and_registers_nothing,
    the_last_event_id_reaches_the_core,
    a_bad_name_is_a_400_with_json,
    names_of_any_kind_go_through_the_url,
    the_first_bytes_leave_at_once,
    the_addresses_are_those_of_the_socket,
    bodies_go_through,
    an_upgrade_goes_through,
}

fn start(way: Way) -> (Hub, SocketAddr) {
    let hub = Hub::builder().build().unwrap();
    let addr = serve(&hub, way);
    (hub, addr)
}

fn assert_stream_headers(headers: &http::HeaderMap) {
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-cache, no-transform"),
        ("x-accel-buffering", "no"),
    ] {
        let values: Vec<_> = headers.get_all(name).iter().collect();
        assert_eq!(values, [value], "{name}");
    }
    assert!(!headers.contains_key("connection"));
}

/// Opens ada's stream, in a group, with what `set` adds to the request.
async fn open(addr: SocketAddr, set: impl FnOnce(Call) -> Call) -> StreamClient {
    set(StreamClient::open(addr, "/stream/ada?group=g")).await
}

async fn get_post_and_http_10_open_a_stream(way: Way) {
    let (hub, addr) = start(way);
    let calls: [fn(Call) -> Call; 3] = [
        |call| call,
        |call| call.method("POST").body("ignored"),
        |call| call.http_10(),
    ];
    for (n, set) in calls.into_iter().enumerate() {
        let mut client = open(addr, set).await;
        assert_stream_headers(client.headers());
        assert_eq!(client.next_event().await.event, "connected", "{n}");
        let greeting = Event::text("a\nb").event("greeting").id("7");
        let receipt = hub.send_group("g", greeting).await.unwrap();
        assert_eq!(receipt.outcome().await.unwrap().matched, 1);
        let event = client.next_event().await;
        assert_eq!((&*event.event, &*event.data), ("greeting", "a\nb"));
        assert_eq!(event.last_event_id, "7");
        assert_eq!(hub.disconnect(&Target::everybody()), 1);
        assert_eq!(client.ended().await, End::Clean, "{n}");
        eventually("it is gone", Duration::from_secs(1), || {
            hub.info().groups == 0
        })
        .await;
    }
}

async fn http_2_with_prior_knowledge(way: Way) {
    let (hub, addr) = start(way);
    let (mut http_2, _) = connect_http_2(addr).await;
    let mut response = get_http_2(&mut http_2, "/stream/ada").await;
    assert_eq!(response.version(), http::Version::HTTP_2);
    assert_stream_headers(response.headers());

    hub.send_to("ada", Event::text("over HTTP/2"))
        .await
        .unwrap();
    let mut stream = EventStream::new();
    let mut events = Vec::new();
    while events.len() < 2 {
        let frame = response.body_mut().frame().await.unwrap().unwrap();
        events.extend(stream.push(&frame.into_data().unwrap()));
    }
    assert_eq!(events[1].data, "over HTTP/2");

    drop(response);
    eventually(
        "the stream's end is noticed",
        Duration::from_secs(1),
        || hub.info().connections == 0,
    )
    .await;
}

async fn head_answers_the_head_and_registers_nothing(way: Way) {
    let (hub, addr) = start(way);
    let mut presence = hub.presence();
    for path in ["/stream/ada", "/subscribe", "/no-head/ada"] {
        let response = request(addr, "HEAD", path, &[], "").await;
        assert_eq!(response.status, 200, "{path}");
        assert_stream_headers(&response.headers);
        assert_eq!(response.body, b"", "{path}");
    }
    eventually("nothing is left", Duration::from_secs(1), || {
        (hub.info().connections, hub.info().clients) == (0, 0)
    })
    .await;
    let none = tokio::time::timeout(Duration::from_millis(50), presence.next()).await;
    assert!(none.is_err(), "a HEAD was announced: {none:?}");
}

async fn the_last_event_id_reaches_the_core(way: Way) {
    let (_hub, addr) = start(way);
    for (path, header, expected) in [
        ("/subscribe", None, "None"),
        ("/subscribe", Some("7"), r#"Some(Event("7"))"#),
        ("/subscribe?lastEventId=8", None, r#"Some(Event("8"))"#),
        ("/subscribe?last_event_id=9", None, r#"Some(Event("9"))"#),
        ("/subscribe?lastEventId=8", Some("7"), r#"Some(Event("7"))"#),
        ("/subscribe?lastEventId=8", Some(""), "None"),
        ("/subscribe", Some("\u{ff}\u{fe}"), r#"Some(Event("ÿþ"))"#),
    ] {
        let mut call = StreamClient::open(addr, path);
        if let Some(id) = header {
            call = call.header("last-event-id", id);
        }
        let mut client = call.await;
        let last = &client.headers()["x-last"];
        assert_eq!(last.as_bytes(), expected.as_bytes(), "{path} {header:?}");
        let connected = client.next_named("connected").await.data;
        assert!(connected.contains(r#""resume":"fresh""#), "{connected}");
    }
}

async fn a_bad_name_is_a_400_with_json(way: Way) {
    let (hub, addr) = start(way);
    let long = "x".repeat(300);
    for (path, error) in [
        (
            "/stream/a%0ab".to_owned(),
            "client id has the control character '\\n' at byte 1",
        ),
        (
            format!("/stream/{long}"),
            "client id has 300 bytes, more than 256",
        ),
        ("/stream/ada?group=".to_owned(), "group name is empty"),
        (
            "/stream/ada?group=g&group=%00".to_owned(),
            "group name has the control",
        ),
    ] {
        let response = request(addr, "GET", &path, &[], "").await;
        assert_eq!(response.status, 400, "{path}");
        assert_eq!(response.headers["content-type"], "application/json");
        let json: serde_json::Value = response.json();
        let told = json["error"].as_str().unwrap();
        assert!(told.starts_with(error), "{told}");
    }
    assert_eq!(hub.info().connections, 0);
}

async fn names_of_any_kind_go_through_the_url(way: Way) {
    let (hub, addr) = start(way);
    let name = "größe/../%00 🦀?&=#";
    let escaped: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let path = format!("/stream/ada?group={escaped}");
    let mut client = StreamClient::open(addr, &path).await;
    client.next_named("connected").await;
    hub.send_group(name, Event::text("hello")).await.unwrap();
    assert_eq!(client.next_event().await.data, "hello");
    let group = Target::group(GroupName::new(name).unwrap());
    assert_eq!(hub.connections(&group).len(), 1);
}

async fn the_first_bytes_leave_at_once(way: Way) {
    let (_hub, addr) = start(way);
    let started = std::time::Instant::now();
    let mut client = open(addr, |call| call).await;
    client.next_named("connected").await;
    assert!(started.elapsed() < Duration::from_millis(500));
}

async fn the_addresses_are_those_of_the_socket(way: Way) {
    let (_hub, addr) = start(way);
    let mut client = TcpStream::connect(addr).await.unwrap();
    let ours = client.local_addr().unwrap();
    let get = b"GET /addresses HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    client.write_all(get).await.unwrap();
    let mut response = String::new();
    client.read_to_string(&mut response).await.unwrap();
    let told = response.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(told, format!("{ours} socket://{ours} socket://{addr} http"));
}

async fn bodies_go_through(way: Way) {
    let (_hub, addr) = start(way);
    let body: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let response = request(addr, "POST", "/echo", &[], body.clone()).await;
    assert_eq!(response.status, 200);
    assert!(response.body == body, "{} bytes came", response.body.len());
}

async fn an_upgrade_goes_through(way: Way) {
    let (_hub, addr) = start(way);
    let mut client = TcpStream::connect(addr).await.unwrap();
    let get = b"GET /echo HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    client.write_all(get).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    for word in [*b"ping", *b"pong"] {
        client.write_all(&word).await.unwrap();
        let mut echo = [0; 4];
        client.read_exact(&mut echo).await.unwrap();
        assert_eq!(echo, word);
    }
}
