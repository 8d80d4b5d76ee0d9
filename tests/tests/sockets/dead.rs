//! Clients that stop reading, or vanish without a word, are gone after the reap timeout: from the hub,
//! and their sockets with what the kernel held of them.

pub(crate) mod kernel;
mod namespace;

use std::{net::SocketAddr, num::NonZeroUsize, time::Duration};

use sse_conformance::{StreamClient, eventually};
use sse_core::{Event, Hub, Overflow, QueueLimits};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    net::TcpStream,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use namespace::Namespace;

use crate::{
    alone,
    http_2::Http2,
    ways::{ANY_PORT, Way, each_way, serve_at},
};

const CLIENTS: usize = 200;
const HEARTBEAT: Duration = Duration::from_millis(500);
const REAP_AFTER: Duration = Duration::from_secs(2);
const CHECK: Duration = Duration::from_millis(250);

/// What a busy machine may take on top.
const SLACK: Duration = Duration::from_secs(3);

each_way! {
    those_who_stop_reading_are_gone_down_to_their_sockets,
}

fn hub() -> Hub {
    let queue = QueueLimits {
        events: NonZeroUsize::new(20).unwrap(),
        ..QueueLimits::default()
    };
    let builder = Hub::builder()
        .heartbeat(HEARTBEAT)
        .reap_after(REAP_AFTER)
        .reap_check(CHECK)
        .queue(queue);
    // So that none is cut before it is reaped.
    builder.overflow(Overflow::DropOldest).build().unwrap()
}

/// Publishes to everybody until it is aborted.
fn keep_busy(hub: &Hub) -> JoinHandle<()> {
    let hub = hub.clone();
    tokio::spawn(async move {
        loop {
            hub.broadcast(Event::text("x".repeat(8_000))).await.unwrap();
            sleep(Duration::from_millis(5)).await;
        }
    })
}

/// One that reads on, whatever happens to the others.
async fn healthy(addr: SocketAddr) -> JoinHandle<()> {
    let mut client = StreamClient::open(addr, "/healthy").await;
    client.next_named("connected").await;
    tokio::spawn(async move { while client.try_next(Duration::from_secs(60)).await.is_some() {} })
}

/// A client that has read the head of its stream, and reads no more.
async fn stopped(addr: SocketAddr, path: String) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(addr).await.unwrap();
    let get = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(get.as_bytes()).await.unwrap();
    let mut first = [0; 15];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    stream
}

/// Waits until all but the healthy one are out of the hub, and their sockets closed.
async fn all_dead(hub: &Hub, addr: SocketAddr, within: Duration) {
    eventually("out of the hub", within, || {
        let info = hub.info();
        (info.connections, info.clients) == (1, 1)
    })
    .await;
    assert_eq!(hub.info().ended.overflow, 0);
    eventually("their sockets are closed", within, || {
        kernel::sockets_of(addr).len() == 1
    })
    .await;
    let held: u64 = kernel::sockets_of(addr).iter().sum();
    assert!(
        held < 1_000_000,
        "{held} bytes are held for the healthy one"
    );
    assert!(hub.info().queued <= 20, "{:?}", hub.info());
}

async fn those_who_stop_reading_are_gone_down_to_their_sockets(way: Way) {
    let _alone = alone().await;
    let hub = hub();
    let addr = serve_at(ANY_PORT, &hub, way, REAP_AFTER);
    let healthy = healthy(addr).await;
    let before = kernel::sockets();
    let mut clients = Vec::new();
    for n in 0..CLIENTS {
        clients.push(stopped(addr, format!("/c{n}")).await);
    }
    assert_eq!(hub.info().connections, CLIENTS + 1);
    let busy = keep_busy(&hub);
    // Until the buffers of the first are full, then the timeout, and a check.
    let held = Duration::from_secs(2);
    all_dead(&hub, addr, held + REAP_AFTER + CHECK + SLACK).await;
    assert_eq!(
        hub.info().reaped + hub.info().ended.client_gone,
        CLIENTS as u64
    );
    // Other tests' runtimes have a few, and come and go.
    let left = || kernel::sockets() <= before + CLIENTS + 8;
    eventually("their own ends are left", SLACK, left).await;
    assert!(!healthy.is_finished());
    busy.abort();
}

/// Streams of one connection that nobody takes, while the connection itself is read.
async fn stalled_streams(way: Way) {
    let _alone = alone().await;
    let hub = hub();
    let addr = serve_at(ANY_PORT, &hub, way, REAP_AFTER);
    let healthy = healthy(addr).await;
    let mut connections = Vec::new();
    let mut streams = Vec::new();
    for n in 0..CLIENTS {
        if n % 50 == 0 {
            connections.push(Http2::connect(addr).await);
        }
        let connection = connections.last_mut().unwrap();
        streams.push(connection.get(&format!("/c{n}")).await);
    }
    assert_eq!(hub.info().connections, CLIENTS + 1);
    let busy = keep_busy(&hub);
    let held = Duration::from_secs(2);
    all_dead(&hub, addr, held + REAP_AFTER + CHECK + SLACK).await;
    assert!(!healthy.is_finished());
    busy.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_streams_that_nobody_takes_end_their_connection_on_poem() {
    stalled_streams(Way::PoemOnSseNet).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_streams_that_nobody_takes_end_their_connection_on_warp() {
    stalled_streams(Way::WarpOnSseNet).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_several_http_2_streams_ends_its_connection_after_twice_the_time() {
    let _alone = alone().await;
    let hub = hub();
    let addr = serve_at(ANY_PORT, &hub, Way::WarpOnSseNet, REAP_AFTER);
    let mut connection = Http2::connect(addr).await;
    let stalled = connection.get("/stalled").await;
    let mut taken = connection.get("/taken").await;
    let busy = keep_busy(&hub);
    let begun = Instant::now();
    let end = async {
        use http_body_util::BodyExt;
        while let Some(Ok(_)) = taken.frame().await {}
    };
    timeout(REAP_AFTER * 2 + SLACK * 2, end).await.unwrap();
    assert!(
        begun.elapsed() > REAP_AFTER * 3 / 2,
        "{:?}",
        begun.elapsed()
    );
    eventually("all are gone", SLACK, || hub.info().connections == 0).await;
    assert_eq!(hub.info().ended.stalled, 1, "{:?}", hub.info().ended);
    busy.abort();
    drop(stalled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it makes a network namespace, for which it has to be root: `cargo xtask test` runs it where it can"]
async fn those_who_vanish_without_a_word_are_gone() {
    let _alone = alone().await;
    let namespace = Namespace::new();
    for way in [Way::Poem, Way::PoemOnSseNet, Way::Warp, Way::WarpOnSseNet] {
        let hub = hub();
        let addr = serve_at(namespace.our_side(), &hub, way, REAP_AFTER);
        let _curl = namespace.curl(&format!("http://{addr}/c[1-{CLIENTS}]"));
        let all = || hub.info().connections == CLIENTS;
        eventually("all are connected", Duration::from_secs(30), all).await;
        namespace.unplug();
        let within = HEARTBEAT + REAP_AFTER + CHECK + SLACK;
        let none = || hub.info().connections == 0 && kernel::sockets_of(addr).is_empty();
        eventually("all are gone", within, none).await;
        namespace.plug_in();
    }
}
