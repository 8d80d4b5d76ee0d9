//! Who keeps a connection waiting loses it.

use std::{net::SocketAddr, time::Duration};

use crate::support::{App, bind, get, get_text, http_2, read_until, rest, send};
use sse_net::Server;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::Instant};

/// By default.
const TEN_SECONDS: Duration = Duration::from_secs(10);

fn start(set: impl FnOnce(Server) -> Server) -> (App, SocketAddr) {
    let (app, (server, addr)) = (App::new(), bind());
    tokio::spawn(set(server).serve(app.clone()));
    (app, addr)
}

/// How long, on the paused clock, it takes the server to close a connection on which `sent` came.
async fn closed_after(addr: SocketAddr, sent: &str) -> Duration {
    let socket = send(addr, sent).await;
    let started = Instant::now();
    assert_eq!(rest(socket).await, "", "{sent:?}");
    started.elapsed()
}

fn assert_about(took: Duration, expected: Duration, what: &str) {
    let late = took.checked_sub(expected);
    let in_time = late.is_some_and(|late| late < Duration::from_millis(100));
    assert!(in_time, "{what:?} took {took:?}");
}

#[tokio::test(start_paused = true)]
async fn silence_and_an_unfinished_head_are_dropped() {
    let (_app, addr) = start(|server| server);
    for sent in [
        "",
        "P",
        "PRI * HTTP/2.0\r\n\r\nSM",
        "G",
        "GET / HTTP/1.1\r\nhost: x\r\n",
    ] {
        assert_about(closed_after(addr, sent).await, TEN_SECONDS, sent);
    }
}

#[tokio::test(start_paused = true)]
async fn the_timeout_can_be_set() {
    let limit = Duration::from_secs(3);
    let (_app, addr) = start(|server| server.header_read_timeout(limit));
    for sent in ["", "GET / HTTP/1.1\r\n"] {
        assert_about(closed_after(addr, sent).await, limit, sent);
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_trickles_in_is_dropped() {
    let (_app, addr) = start(|server| server);
    let (started, mut socket) = (Instant::now(), send(addr, "GET / HTTP/1.1\r\n").await);
    let mut headers = 0;
    while socket.write_all(b"x: y\r\n").await.is_ok() && headers < 60 {
        headers += 1;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let took = started.elapsed();
    assert!(took < TEN_SECONDS + Duration::from_secs(3), "{took:?}");
    assert!(headers >= 10, "{headers} headers");
}

#[tokio::test(start_paused = true)]
async fn without_a_timeout_silence_is_kept() {
    let (_app, addr) = start(|server| server.header_read_timeout(None));
    let silent = TcpStream::connect(addr).await.unwrap();
    let mut half = send(addr, "GET / HTTP/1.1\r\n").await;
    tokio::time::sleep(360 * TEN_SECONDS).await;
    let mut silent = silent;
    silent
        .write_all(b"GET /1 HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    read_until(&mut silent, "GET /1").await;
    half.write_all(b"host: x\r\n\r\n").await.unwrap();
    read_until(&mut half, "GET /").await;
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_that_asks_for_nothing_is_closed() {
    let (_app, addr) = start(|server| server);
    let mut socket = send(addr, "GET /1 HTTP/1.1\r\nhost: x\r\n\r\n").await;
    read_until(&mut socket, "GET /1").await;
    let started = Instant::now();
    assert_eq!(rest(socket).await, "");
    assert_about(started.elapsed(), TEN_SECONDS, "idling");
}

#[tokio::test(start_paused = true)]
async fn a_stream_and_a_slow_answer_have_no_timeout() {
    let (app, addr) = start(|server| server);
    let mut stream = send(addr, "GET /stream HTTP/1.1\r\nhost: x\r\n\r\n").await;
    read_until(&mut stream, "first\n\r\n").await;
    let mut gated = send(addr, "GET /gated HTTP/1.1\r\nhost: x\r\n\r\n").await;
    app.came.acquire().await.unwrap().forget();
    tokio::time::sleep(360 * TEN_SECONDS).await;
    assert_eq!(app.streams(), 1);
    app.gate.add_permits(1);
    read_until(&mut gated, "passed").await;
    app.end_streams();
    assert_eq!(read_until(&mut stream, "0\r\n\r\n").await, "0\r\n\r\n");
}

/// A client that has spoken HTTP/2 and then vanished: nothing answers a ping.
async fn dead_http_2_client(addr: SocketAddr) -> TcpStream {
    let mut socket = send(addr, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    socket
        .write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0])
        .await
        .unwrap();
    socket
}

/// Waits for the server's close, whatever comes before it.
async fn closed(socket: &TcpStream) {
    let mut bytes = [0; 1024];
    loop {
        socket.readable().await.unwrap();
        match socket.try_read(&mut bytes) {
            Ok(1..) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => return,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_http_2_client_that_answers_no_ping_is_dropped() {
    let (_app, addr) = start(|server| server);
    let socket = dead_http_2_client(addr).await;
    let started = Instant::now();
    closed(&socket).await;
    assert_about(started.elapsed(), Duration::from_secs(40), "two pings");
}

#[tokio::test]
async fn an_http_2_client_that_answers_pings_stays() {
    let interval = Duration::from_millis(100);
    let (app, addr) = start(|server| server.keep_alive_ping(interval, 10 * interval));
    let mut alive = http_2(TcpStream::connect(addr).await.unwrap()).await;
    let _stream = get(&mut alive, "/stream").await;
    // It connects later, and so is dropped when the other would have been.
    closed(&dead_http_2_client(addr).await).await;
    assert_eq!(app.streams(), 1);
    assert_eq!(get_text(&mut alive, "/1").await, "GET /1");
}

#[tokio::test(start_paused = true)]
async fn without_pings_nobody_is_dropped_for_them() {
    let (_app, addr) = start(|server| server.keep_alive_ping(None, TEN_SECONDS));
    let socket = dead_http_2_client(addr).await;
    let kept = tokio::time::timeout(360 * TEN_SECONDS, closed(&socket)).await;
    assert!(kept.is_err());
}
