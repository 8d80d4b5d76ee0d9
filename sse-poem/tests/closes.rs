//! A client that goes away is out of the registry within a second, idle or busy.

mod support;

use std::{net::SocketAddr, time::Duration};

use sse_conformance::{StreamClient, eventually};
use sse_core::{Event, Hub, Target};
use sse_poem::CloseAware;
use support::serve;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};

const CLIENTS: usize = 200;
const A_SECOND: Duration = Duration::from_secs(1);

#[derive(Clone, Copy)]
enum Leave {
    Fin,
    Rst,
}

fn hub() -> Hub {
    // No heartbeat writes to an idle stream in these tests.
    Hub::builder().heartbeat(None).build().unwrap()
}

async fn open_all(addr: SocketAddr) -> Vec<StreamClient> {
    let mut clients = Vec::with_capacity(CLIENTS);
    for n in 0..CLIENTS {
        let mut client = StreamClient::open(addr, &format!("/stream/c{n}?group=g")).await;
        client.next_named("connected").await;
        clients.push(client);
    }
    clients
}

async fn all_gone(hub: &Hub) {
    let info = || {
        let info = hub.info();
        (info.connections, info.clients, info.groups)
    };
    eventually("all connections are gone", A_SECOND, || info() == (0, 0, 0)).await;
}

/// Publishes to everybody without a pause until it is aborted.
fn keep_busy(hub: &Hub) -> JoinHandle<()> {
    let hub = hub.clone();
    tokio::spawn(async move {
        loop {
            hub.broadcast(Event::text("x".repeat(64))).await.unwrap();
            tokio::task::yield_now().await;
        }
    })
}

async fn leave(busy: bool, how: Leave) {
    let hub = hub();
    let addr = serve(&hub, CloseAware::new).await;
    let clients = open_all(addr).await;
    assert_eq!(hub.info().connections, CLIENTS);
    let traffic = busy.then(|| keep_busy(&hub));
    for client in clients {
        match how {
            Leave::Fin => drop(client),
            Leave::Rst => client.reset(),
        }
    }
    all_gone(&hub).await;
    if let Some(traffic) = traffic {
        traffic.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fin_on_an_idle_stream() {
    leave(false, Leave::Fin).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fin_on_a_busy_stream() {
    leave(true, Leave::Fin).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_on_an_idle_stream() {
    leave(false, Leave::Rst).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_on_a_busy_stream() {
    leave(true, Leave::Rst).await;
}

async fn raw_stream(addr: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 15];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    stream
}

const GET: &str = "GET /stream/ada HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn a_half_close() {
    let hub = hub();
    let addr = serve(&hub, CloseAware::new).await;
    let mut stream = raw_stream(addr, GET).await;
    assert_eq!(hub.info().connections, 1);
    stream.shutdown().await.unwrap();
    all_gone(&hub).await;
}

#[tokio::test]
async fn a_fin_after_a_request_with_a_body() {
    let hub = hub();
    let addr = serve(&hub, CloseAware::new).await;
    let post = "POST /stream/ada HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody";
    let stream = raw_stream(addr, post).await;
    assert_eq!(hub.info().connections, 1);
    drop(stream);
    all_gone(&hub).await;
}

/// What the wrapper is for. Should this fail one day, poem has learnt it, and the wrapper can go.
#[tokio::test]
async fn poem_alone_does_not_notice_a_fin_on_an_idle_stream() {
    let hub = hub();
    let addr = serve(&hub, |acceptor| acceptor).await;
    let mut client = StreamClient::open(addr, "/stream/ada").await;
    client.next_named("connected").await;
    let handle = hub.connections(&Target::everybody()).pop().unwrap();
    drop(client);
    let noticed = tokio::time::timeout(A_SECOND, handle.closed()).await;
    assert!(noticed.is_err(), "poem noticed");
    eventually("writing finds out", A_SECOND, || {
        drop(hub.try_publish(Target::everybody(), Event::text("anybody?")));
        hub.info().connections == 0
    })
    .await;
}
