//! How a server comes to its end.

use std::{io::ErrorKind, net::SocketAddr, time::Duration};

use crate::support::{App, PATIENCE, bind, get, get_text, http_2, read_until, rest, send, try_get};
use http_body_util::BodyExt;
use sse_conformance::{End, StreamClient, eventually};
use sse_net::{Server, Stopped};
use tokio::{net::TcpStream, sync::oneshot, task::JoinHandle, time::Instant};

/// Longer than any test may take.
const LONG: Duration = Duration::from_secs(600);

/// A server that can be stopped.
struct Running {
    app: App,
    addr: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<Stopped>,
}

fn start(set: impl FnOnce(Server) -> Server) -> Running {
    let (app, (server, addr)) = (App::new(), bind());
    let (stop, stopped) = oneshot::channel();
    let stopped = async { drop(stopped.await) };
    let server = tokio::spawn(set(server).serve_until(app.clone(), stopped));
    Running {
        app,
        addr,
        stop,
        server,
    }
}

/// How many were cut off, once it has stopped.
async fn cut_off(server: JoinHandle<Stopped>) -> usize {
    let stopped = tokio::time::timeout(PATIENCE, server).await;
    stopped.expect("it doesn't stop").unwrap().cut_off
}

#[tokio::test]
async fn connections_that_ask_for_nothing_close_at_once() {
    let patient = |server: Server| server.shutdown_grace(LONG).header_read_timeout(None);
    let Running {
        addr, stop, server, ..
    } = start(patient);
    let silent = TcpStream::connect(addr).await.unwrap();
    let mut idle = send(addr, "GET /1 HTTP/1.1\r\nhost: x\r\n\r\n").await;
    read_until(&mut idle, "GET /1").await;
    let mut idle_http_2 = http_2(TcpStream::connect(addr).await.unwrap()).await;
    get_text(&mut idle_http_2, "/2").await;

    stop.send(()).unwrap();
    assert_eq!(cut_off(server).await, 0);
    assert_eq!((rest(idle).await, rest(silent).await), Default::default());
    assert!(idle_http_2.ready().await.is_err());
    let refused = TcpStream::connect(addr).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn answers_under_way_are_given() {
    let Running {
        app,
        addr,
        stop,
        server,
    } = start(|server| server.shutdown_grace(LONG));
    let mut http_2 = http_2(TcpStream::connect(addr).await.unwrap()).await;
    let gated_http_2 = tokio::spawn(async move { get_text(&mut http_2, "/gated").await });
    let gated = send(addr, "GET /gated HTTP/1.1\r\nhost: x\r\n\r\n").await;
    app.came.acquire_many(2).await.unwrap().forget();

    stop.send(()).unwrap();
    // Nobody listens any more: the server has seen it.
    eventually("it has heard", PATIENCE, || {
        std::net::TcpStream::connect(addr).is_err()
    })
    .await;
    assert!(!server.is_finished());
    app.gate.add_permits(2);
    let response = rest(gated).await;
    assert!(response.ends_with("\r\n\r\npassed"), "{response}");
    assert!(response.contains("\r\nconnection: close\r\n"), "{response}");
    assert_eq!(gated_http_2.await.unwrap(), "passed");
    assert_eq!(cut_off(server).await, 0);
}

#[tokio::test]
async fn streams_that_end_within_the_grace_period_end_cleanly() {
    let Running {
        app,
        addr,
        stop,
        server,
    } = start(|server| server.shutdown_grace(LONG));
    let mut stream = StreamClient::open(addr, "/stream").await;
    let mut http_2 = http_2(TcpStream::connect(addr).await.unwrap()).await;
    let stream_http_2 = get(&mut http_2, "/stream").await;
    stop.send(()).unwrap();
    let no_more = async { while try_get(&mut http_2, "/more").await.is_ok() {} };
    let told = tokio::time::timeout(PATIENCE, no_more).await;
    told.expect("there is no GOAWAY");
    assert_eq!(app.streams(), 2);
    app.end_streams();
    assert_eq!(stream.ended().await, End::Clean);
    let body = stream_http_2.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "first\n");
    assert_eq!(cut_off(server).await, 0);
}

#[tokio::test(start_paused = true)]
async fn streams_without_an_end_are_cut_off_after_the_grace_period() {
    let Running {
        app,
        addr,
        stop,
        server,
    } = start(|server| server);
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(StreamClient::open(addr, "/stream").await);
    }
    let mut http_2 = http_2(TcpStream::connect(addr).await.unwrap()).await;
    let mut streams_http_2 = Vec::new();
    for _ in 0..3 {
        streams_http_2.push(get(&mut http_2, "/stream").await.into_body());
    }
    assert_eq!(app.streams(), 6);

    let stopped = Instant::now();
    stop.send(()).unwrap();
    assert_eq!(server.await.unwrap().cut_off, 4);
    assert_eq!(stopped.elapsed().as_secs(), 10, "by default");
    for stream in &mut streams {
        assert_eq!(stream.ended().await, End::Cut);
    }
    for stream in streams_http_2 {
        assert!(stream.collect().await.is_err());
    }
    eventually("all bodies are gone", PATIENCE, || app.streams() == 0).await;
}

#[tokio::test]
async fn without_a_grace_period_all_are_cut_off_at_once() {
    let Running {
        app,
        addr,
        stop,
        server,
    } = start(|server| server.shutdown_grace(Duration::ZERO));
    let mut stream = StreamClient::open(addr, "/stream").await;
    let gated = send(addr, "GET /gated HTTP/1.1\r\nhost: x\r\n\r\n").await;
    app.came.acquire().await.unwrap().forget();
    stop.send(()).unwrap();
    assert_eq!(cut_off(server).await, 2);
    assert_eq!(stream.ended().await, End::Cut);
    assert_eq!(rest(gated).await, "");
    assert_eq!(app.streams(), 0);
}

#[tokio::test]
async fn panics_and_closes_are_not_waited_for() {
    let Running {
        app,
        addr,
        stop,
        server,
    } = start(|server| server.shutdown_grace(LONG));
    let panics = send(addr, "GET /panic HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(rest(panics).await, "");
    for _ in 0..3 {
        drop(StreamClient::open(addr, "/stream").await);
    }
    eventually("the streams are gone", PATIENCE, || app.streams() == 0).await;
    stop.send(()).unwrap();
    assert_eq!(cut_off(server).await, 0);
}

#[tokio::test]
async fn an_upgraded_connection_goes_on() {
    let Running {
        addr, stop, server, ..
    } = start(|server| server.shutdown_grace(LONG));
    let upgrade =
        "GET /upgrade HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    let mut socket = send(addr, &format!("{upgrade}ping")).await;
    read_until(&mut socket, "ping").await;
    stop.send(()).unwrap();
    assert_eq!(cut_off(server).await, 0);
    tokio::io::AsyncWriteExt::write_all(&mut socket, b"pong")
        .await
        .unwrap();
    read_until(&mut socket, "pong").await;
}

#[tokio::test]
async fn dropping_the_future_cuts_off_all() {
    let Running {
        app,
        addr,
        stop: _stop,
        server,
    } = start(|server| server);
    let mut stream = StreamClient::open(addr, "/stream").await;
    server.abort();
    assert_eq!(stream.ended().await, End::Cut);
    eventually("the body is gone", PATIENCE, || app.streams() == 0).await;
    assert!(TcpStream::connect(addr).await.is_err());
}
