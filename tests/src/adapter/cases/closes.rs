//! Cases of clients that go away.

use std::net::SocketAddr;

use http::Method;
use sse_core::{Event, Hub, Overflow};
use tokio::task::{JoinHandle, yield_now};

use super::support::{A_SECOND, STREAM, broadcast, connections, quiet};
use crate::{
    StreamClient,
    adapter::{Server, client::Http2Client},
    eventually,
};

/// How many clients leave at once.
const CLIENTS: usize = 20;

/// Whoever is gone has to be noticed, not cut because it falls behind.
fn hub() -> Hub {
    let hub = quiet().overflow(Overflow::DropOldest);
    hub.build().expect("a hub")
}

pub(crate) async fn a_fin_on_an_idle_stream_is_noticed(server: Server) {
    assert_noticed(&server, false, drop).await;
}

pub(crate) async fn a_fin_on_a_busy_stream_is_noticed(server: Server) {
    assert_noticed(&server, true, drop).await;
}

pub(crate) async fn a_reset_on_an_idle_stream_is_noticed(server: Server) {
    assert_noticed(&server, false, StreamClient::reset).await;
}

pub(crate) async fn a_reset_on_a_busy_stream_is_noticed(server: Server) {
    assert_noticed(&server, true, StreamClient::reset).await;
}

async fn assert_noticed(server: &Server, busy: bool, leave: fn(StreamClient)) {
    let hub = hub();
    let addr = server.start(&hub).await;
    let opening: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(open(addr))).collect();
    let mut clients = Vec::new();
    for client in opening {
        clients.push(client.await.expect("the stream opens"));
    }
    assert_eq!(connections(&hub), CLIENTS);
    let traffic = busy.then(|| keep_busy(&hub));
    clients.into_iter().for_each(leave);
    assert_gone(&hub).await;
    if let Some(traffic) = traffic {
        traffic.abort();
    }
}

async fn open(addr: SocketAddr) -> StreamClient {
    let mut client = StreamClient::open(addr, STREAM).await;
    client.next_event().await;
    client
}

/// Publishes without a pause until it is aborted.
fn keep_busy(hub: &Hub) -> JoinHandle<()> {
    let hub = hub.clone();
    tokio::spawn(async move {
        loop {
            broadcast(&hub, Event::text("x".repeat(64))).await;
            yield_now().await;
        }
    })
}

async fn assert_gone(hub: &Hub) {
    eventually("the hub has nobody left", A_SECOND, || {
        let info = hub.info();
        (info.connections, info.clients, info.groups) == (0, 0, 0)
    })
    .await;
}

pub(crate) async fn a_half_close_of_an_idle_stream_is_noticed(server: Server) {
    assert_half_close_noticed(&server, false).await;
}

pub(crate) async fn a_half_close_of_a_busy_stream_is_noticed(server: Server) {
    assert_half_close_noticed(&server, true).await;
}

async fn assert_half_close_noticed(server: &Server, busy: bool) {
    let hub = hub();
    let addr = server.start(&hub).await;
    let mut client = open(addr).await;
    assert_eq!(connections(&hub), 1);
    let traffic = busy.then(|| keep_busy(&hub));
    client.half_close().await.expect("the connection is there");
    // It goes on reading: a stream that is stuck isn't busy.
    tokio::select! {
        () = assert_gone(&hub) => {}
        _ = client.ended() => assert_gone(&hub).await,
    }
    if let Some(traffic) = traffic {
        traffic.abort();
    }
}

/// While a request's body lies unread hyper doesn't look for a FIN: the next write finds out.
pub(crate) async fn a_fin_after_a_body_is_noticed_by_a_write(server: Server) {
    let hub = hub();
    let addr = server.start(&hub).await;
    let mut client = StreamClient::open(addr, STREAM)
        .method("POST")
        .body("body")
        .await;
    client.next_event().await;
    assert_eq!(connections(&hub), 1);
    drop(client);
    let traffic = keep_busy(&hub);
    assert_gone(&hub).await;
    traffic.abort();
}

pub(crate) async fn a_reset_stream_of_http_2_is_noticed(server: Server) {
    for busy in [false, true] {
        assert_http_2_noticed(&server, busy, |client| Box::new(client.reset_stream())).await;
    }
}

pub(crate) async fn a_closed_connection_of_http_2_is_noticed(server: Server) {
    for busy in [false, true] {
        let close = |client: Http2Client| -> Box<dyn Send> {
            client.close_connection();
            Box::new(client)
        };
        assert_http_2_noticed(&server, busy, close).await;
    }
}

/// What `leave` returns is kept: only what it did is to be noticed.
async fn assert_http_2_noticed(
    server: &Server,
    busy: bool,
    leave: fn(Http2Client) -> Box<dyn Send>,
) {
    let hub = hub();
    let addr = server.start(&hub).await;
    let client = Http2Client::open(addr, Method::GET, STREAM).await;
    eventually("the stream is open", A_SECOND, || connections(&hub) == 1).await;
    let traffic = busy.then(|| keep_busy(&hub));
    let left = leave(client);
    assert_gone(&hub).await;
    drop(left);
    if let Some(traffic) = traffic {
        traffic.abort();
    }
}
