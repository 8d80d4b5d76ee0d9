//! What is spoken on a connection.

use std::net::SocketAddr;

use crate::support::{App, bind, get_text, http_2, read_until, rest, send, try_get};
use sse_conformance::request;
use sse_net::Server;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

fn start(set: impl FnOnce(Server) -> Server) -> SocketAddr {
    let (server, addr) = bind();
    tokio::spawn(set(server).serve(App::new()));
    addr
}

#[tokio::test]
async fn http_11_keeps_the_connection() {
    let addr = start(|server| server);
    let mut socket = send(addr, "GET /1 HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let first = read_until(&mut socket, "GET /1").await;
    assert!(first.starts_with("HTTP/1.1 200 OK\r\n"), "{first}");
    let last = b"GET /2 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    socket.write_all(last).await.unwrap();
    let second = rest(socket).await;
    assert!(second.ends_with("\r\n\r\nGET /2"), "{second}");
}

#[tokio::test]
async fn http_10_ends_with_the_connection() {
    let addr = start(|server| server);
    let response = rest(send(addr, "GET /old HTTP/1.0\r\n\r\n").await).await;
    assert!(response.starts_with("HTTP/1.0 200 OK\r\n"), "{response}");
    assert!(response.ends_with("\r\n\r\nGET /old"), "{response}");
}

#[tokio::test]
async fn http_2_with_prior_knowledge() {
    let addr = start(|server| server);
    let mut http_2 = http_2(TcpStream::connect(addr).await.unwrap()).await;
    for path in ["/1", "/2"] {
        assert_eq!(get_text(&mut http_2, path).await, format!("GET {path}"));
    }
}

/// The value of a setting that the server announces to an HTTP/2 client (RFC 9113, 6.5).
async fn announced(addr: SocketAddr, setting: u16) -> Option<u32> {
    const SETTINGS: u8 = 4;
    let empty_settings = [0, 0, 0, SETTINGS, 0, 0, 0, 0, 0];
    let mut socket = send(addr, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    socket.write_all(&empty_settings).await.unwrap();
    let mut head = [0; 9];
    socket.read_exact(&mut head).await.unwrap();
    assert_eq!((head[3], head[4]), (SETTINGS, 0));
    let mut settings = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
    socket.read_exact(&mut settings).await.unwrap();
    let mut settings = settings.chunks_exact(6).map(|setting| {
        let (id, value) = setting.split_at(2);
        (
            u16::from_be_bytes(id.try_into().unwrap()),
            u32::from_be_bytes(value.try_into().unwrap()),
        )
    });
    settings.find_map(|(id, value)| (id == setting).then_some(value))
}

#[tokio::test]
async fn the_stream_limit_is_announced() {
    const MAX_CONCURRENT_STREAMS: u16 = 3;
    let addr = start(|server| server);
    assert_eq!(announced(addr, MAX_CONCURRENT_STREAMS).await, Some(256));
    let addr = start(|server| server.max_concurrent_streams(7));
    assert_eq!(announced(addr, MAX_CONCURRENT_STREAMS).await, Some(7));
}

#[tokio::test]
async fn the_buffer_bounds_the_head() {
    let long = "x".repeat(10_000);
    let cookie = [("cookie", &*long)];
    for (set, status) in [(None, 431), (Some(0), 431), (Some(64 * 1024), 200)] {
        let addr = start(|server| match set {
            Some(bytes) => server.max_buffer_size(bytes),
            None => server,
        });
        let response = request(addr, "GET", "/", &cookie, "").await;
        assert_eq!(response.status, status, "{set:?}");
    }
}

#[tokio::test]
async fn an_upgraded_connection_is_no_http_any_more() {
    let addr = start(|server| server);
    let upgrade =
        "GET /upgrade HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    // The first bytes of the other protocol come with the request.
    let mut socket = send(addr, &format!("{upgrade}early ")).await;
    let head = read_until(&mut socket, "\r\n\r\n").await;
    assert!(
        head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"),
        "{head}"
    );
    read_until(&mut socket, "early ").await;
    for word in ["ping", "pong"] {
        socket.write_all(word.as_bytes()).await.unwrap();
        assert_eq!(read_until(&mut socket, word).await, word);
    }
    socket.shutdown().await.unwrap();
    assert_eq!(rest(socket).await, "");
}

#[tokio::test]
async fn a_request_knows_its_socket() {
    let addr = start(|server| server);
    let get = "GET /socket HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let socket = send(addr, get).await;
    let expected = format!("{} {addr} false", socket.local_addr().unwrap());
    let response = rest(socket).await;
    assert_eq!(response.split("\r\n\r\n").nth(1), Some(&*expected));

    let socket = TcpStream::connect(addr).await.unwrap();
    let expected = format!("{} {addr} false", socket.local_addr().unwrap());
    let mut http_2 = http_2(socket).await;
    assert_eq!(get_text(&mut http_2, "/socket").await, expected);
}

#[tokio::test]
async fn a_panic_costs_its_own_connection_only() {
    let addr = start(|server| server);
    let mut other = send(addr, "GET /1 HTTP/1.1\r\nhost: x\r\n\r\n").await;
    read_until(&mut other, "GET /1").await;
    let panics = send(addr, "GET /panic HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(rest(panics).await, "");
    let again = b"GET /2 HTTP/1.1\r\nhost: x\r\n\r\n";
    other.write_all(again).await.unwrap();
    read_until(&mut other, "GET /2").await;
    assert_eq!(request(addr, "GET", "/3", &[], "").await.text(), "GET /3");
}

#[tokio::test]
async fn over_http_2_a_panic_costs_its_own_stream_only() {
    let addr = start(|server| server);
    let mut http_2 = http_2(TcpStream::connect(addr).await.unwrap()).await;
    assert!(try_get(&mut http_2, "/panic").await.is_err());
    assert_eq!(get_text(&mut http_2, "/1").await, "GET /1");
}
