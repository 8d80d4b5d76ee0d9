//! A client that goes away is out of the hub within a second, idle or busy: a thousand of a
//! thousand, on each framework in each way of serving it.

use std::{net::SocketAddr, time::Duration};

use sse_conformance::StreamClient;
use sse_core::{Event, Hub, Overflow};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::{
    alone,
    http_2::Http2,
    ways::{Way, each_way, serve},
};

const CLIENTS: usize = 1000;
/// So many of them share a connection over HTTP/2.
const STREAMS: usize = 100;
const A_SECOND: Duration = Duration::from_secs(1);

each_way! {
    a_fin_on_an_idle_stream,
    a_fin_on_a_busy_stream,
    a_reset_on_an_idle_stream,
    a_reset_on_a_busy_stream,
    a_half_close_of_an_idle_stream,
    a_half_close_of_a_busy_stream,
    a_fin_on_an_idle_http_2_connection,
    a_fin_on_a_busy_http_2_connection,
    a_reset_of_idle_http_2_streams,
    a_reset_of_busy_http_2_streams,
    a_fin_after_a_request_with_a_body,
}

fn hub() -> Hub {
    // In these tests no heartbeat writes to an idle stream, and none is cut that falls behind.
    let hub = Hub::builder().heartbeat(None);
    hub.overflow(Overflow::DropOldest).build().unwrap()
}

/// All are gone from the hub within a second from now.
async fn all_gone(hub: &Hub, clients: usize) {
    let left = Instant::now();
    loop {
        let info = hub.info();
        if (info.connections, info.clients, info.groups) == (0, 0, 0) {
            return;
        }
        assert!(
            left.elapsed() < A_SECOND,
            "{} of {clients} were noticed: {info:?}",
            clients - info.connections
        );
        sleep(Duration::from_millis(5)).await;
    }
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

/// Opens streams by `open`, one after the other, has them `leave`, and waits until none is left.
async fn leaving<C>(
    way: Way,
    busy: bool,
    open: impl AsyncFn(SocketAddr, String) -> C,
    leave: impl AsyncFn(&mut C),
) {
    let _alone = alone().await;
    let hub = hub();
    let addr = serve(&hub, way);
    let mut clients = Vec::with_capacity(CLIENTS);
    for n in 0..CLIENTS {
        clients.push(open(addr, format!("/c{n}")).await);
    }
    assert_eq!(hub.info().connections, CLIENTS);
    let traffic = busy.then(|| keep_busy(&hub));
    for client in &mut clients {
        leave(client).await;
    }
    all_gone(&hub, CLIENTS).await;
    if let Some(traffic) = traffic {
        traffic.abort();
    }
}

async fn fins(way: Way, busy: bool) {
    let open = async |addr, path: String| {
        let mut client = StreamClient::open(addr, &path).await;
        client.next_named("connected").await;
        Some(client)
    };
    leaving(way, busy, open, async |client| drop(client.take())).await;
}

async fn a_fin_on_an_idle_stream(way: Way) {
    fins(way, false).await;
}

async fn a_fin_on_a_busy_stream(way: Way) {
    fins(way, true).await;
}

async fn raw_stream(addr: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 15];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    stream
}

async fn raw_get(addr: SocketAddr, path: String) -> TcpStream {
    raw_stream(addr, &format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await
}

async fn resets(way: Way, busy: bool) {
    let open = async |addr, path| Some(raw_get(addr, path).await);
    let reset = async |client: &mut Option<TcpStream>| {
        client.take().unwrap().set_zero_linger().unwrap();
    };
    leaving(way, busy, open, reset).await;
}

async fn a_reset_on_an_idle_stream(way: Way) {
    resets(way, false).await;
}

async fn a_reset_on_a_busy_stream(way: Way) {
    resets(way, true).await;
}

async fn half_closes(way: Way, busy: bool) {
    let half_close = async |client: &mut TcpStream| client.shutdown().await.unwrap();
    leaving(way, busy, raw_get, half_close).await;
}

async fn a_half_close_of_an_idle_stream(way: Way) {
    half_closes(way, false).await;
}

async fn a_half_close_of_a_busy_stream(way: Way) {
    half_closes(way, true).await;
}

async fn a_fin_after_a_request_with_a_body(way: Way) {
    let _alone = alone().await;
    let hub = hub();
    let addr = serve(&hub, way);
    let post = "POST /ada HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody";
    let stream = raw_stream(addr, post).await;
    assert_eq!(hub.info().connections, 1);
    drop(stream);
    all_gone(&hub, 1).await;
}

/// A thousand streams on a few connections; then the connections are closed, or the streams reset.
async fn over_http_2(way: Way, busy: bool, close: bool) {
    let _alone = alone().await;
    let hub = hub();
    let addr = serve(&hub, way);
    let (mut connections, mut streams) = (Vec::new(), Vec::new());
    for n in 0..CLIENTS {
        if n % STREAMS == 0 {
            connections.push(Http2::connect(addr).await);
        }
        let connection = connections.last_mut().unwrap();
        streams.push(connection.get(&format!("/c{n}")).await);
    }
    assert_eq!(hub.info().connections, CLIENTS);
    let traffic = busy.then(|| keep_busy(&hub));
    if close {
        connections.iter().for_each(Http2::close);
    } else {
        streams.clear();
    }
    all_gone(&hub, CLIENTS).await;
    if let Some(traffic) = traffic {
        traffic.abort();
    }
    if !close {
        for connection in &mut connections {
            drop(connection.get("/still-there").await);
        }
    }
}

async fn a_fin_on_an_idle_http_2_connection(way: Way) {
    over_http_2(way, false, true).await;
}

async fn a_fin_on_a_busy_http_2_connection(way: Way) {
    over_http_2(way, true, true).await;
}

async fn a_reset_of_idle_http_2_streams(way: Way) {
    over_http_2(way, false, false).await;
}

async fn a_reset_of_busy_http_2_streams(way: Way) {
    over_http_2(way, true, false).await;
}
