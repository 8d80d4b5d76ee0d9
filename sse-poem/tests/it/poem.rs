//! What is poem's own; what every adapter does is in `conformance.rs`.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use crate::support::{Way, app, both_ways, serve, serve_by_poem};
use poem::{Server, listener::TcpAcceptor};
use serde_json::json;
use sse_conformance::{End, StreamClient, eventually, request};
use sse_core::{Drain, Event, Hub, Target};
use sse_poem::CloseAware;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    time::timeout,
};

const A_SECOND: Duration = Duration::from_secs(1);

both_ways! {
    a_head_that_poem_turns_into_a_get_is_no_presence,
    a_handler_may_return_the_error,
    the_addresses_are_those_of_the_socket,
    bodies_go_through,
    an_upgrade_goes_through,
}

fn start(way: Way) -> (Hub, SocketAddr) {
    let hub = Hub::builder().build().unwrap();
    let addr = serve(&hub, way);
    (hub, addr)
}

/// Alone it would wait for ever: the streams have to be ended first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poems_graceful_shutdown_finishes_by_itself_behind_the_hubs() {
    let hub = Hub::builder().build().unwrap();
    let listener = sse_net::listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let addr = listener.local_addr().unwrap();
    let acceptor = CloseAware::new(TcpAcceptor::from_tokio(listener).unwrap());
    let (stop, stopped) = oneshot::channel();
    let ending = {
        let hub = hub.clone();
        async move {
            stopped.await.unwrap();
            let drain = Drain {
                over: Duration::from_millis(200),
                ..Drain::default()
            };
            assert_eq!(hub.shutdown(drain).await.clean, 20);
        }
    };
    let server = Server::new_with_acceptor(acceptor);
    let server = tokio::spawn(server.run_with_graceful_shutdown(app(&hub), ending, None));
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = StreamClient::open(addr, "/stream/ada").await;
        client.next_named("connected").await;
        clients.push(client);
    }
    stop.send(()).unwrap();
    for client in &mut clients {
        client.next_named("reconnect").await;
        assert_eq!(client.ended().await, End::Clean);
    }
    let finished = timeout(Duration::from_secs(5), server).await;
    finished.expect("it finishes by itself").unwrap().unwrap();
}

async fn a_head_that_poem_turns_into_a_get_is_no_presence(way: Way) {
    let (hub, addr) = start(way);
    let mut presence = hub.presence();
    let response = request(addr, "HEAD", "/no-head/ada", &[], "").await;
    assert_eq!((response.status.as_u16(), &*response.body), (200, &b""[..]));
    eventually("nothing is left", A_SECOND, || {
        (hub.info().connections, hub.info().clients) == (0, 0)
    })
    .await;
    let none = timeout(Duration::from_millis(50), presence.next()).await;
    assert!(none.is_err(), "a HEAD was announced: {none:?}");
}

async fn a_handler_may_return_the_error(way: Way) {
    let (hub, addr) = start(way);
    let refused = request(addr, "GET", "/subscribe/a%0ab", &[], "").await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.headers["content-type"], "application/json");
    let told = "client id has the control character '\\n' at byte 1";
    assert_eq!(
        refused.json::<serde_json::Value>(),
        json!({ "error": told })
    );
    let mut client = StreamClient::open(addr, "/subscribe/ada").await;
    let id = client.headers()["x-connection"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(client.next_named("connected").await.data.contains(&id));
    assert_eq!(hub.info().connections, 1);
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

/// What [`CloseAware`](sse_poem::CloseAware) is for. Should this fail one day, poem has learnt it,
/// and the wrapper can go.
#[tokio::test]
async fn poem_alone_does_not_notice_a_fin_on_an_idle_stream() {
    let hub = Hub::builder().heartbeat(None).build().unwrap();
    let addr = serve_by_poem(&hub, |acceptor| acceptor);
    let mut client = StreamClient::open(addr, "/stream/ada").await;
    client.next_named("connected").await;
    let handle = hub.connections(&Target::everybody()).pop().unwrap();
    drop(client);
    let noticed = timeout(A_SECOND, handle.closed()).await;
    assert!(noticed.is_err(), "poem noticed");
    eventually("writing finds out", A_SECOND, || {
        drop(hub.try_publish(Target::everybody(), Event::text("anybody?")));
        hub.info().connections == 0
    })
    .await;
}
