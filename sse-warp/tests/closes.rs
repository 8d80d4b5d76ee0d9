//! A client that goes away is out of the registry within a second, idle or busy, however the
//! filter is served.

mod support;

use std::{net::SocketAddr, time::Duration};

use sse_conformance::{StreamClient, eventually};
use sse_core::{Event, Hub};
use support::{Way, stream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Mutex,
    task::JoinHandle,
};

const CLIENTS: usize = 1000;
const A_SECOND: Duration = Duration::from_secs(1);

/// A thousand clients at a time: each is two sockets, and a second isn't long for more.
static TURN: Mutex<()> = Mutex::const_new(());

#[derive(Debug, Clone, Copy)]
enum Leave {
    Fin,
    Rst,
}

fn hub() -> Hub {
    // No heartbeat writes to an idle stream in these tests.
    Hub::builder().heartbeat(None).build().unwrap()
}

async fn all_gone(hub: &Hub, what: &str) {
    let info = || {
        let info = hub.info();
        (info.connections, info.clients, info.groups)
    };
    eventually(what, A_SECOND, || info() == (0, 0, 0)).await;
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
    let _turn = TURN.lock().await;
    for way in Way::ALL {
        let hub = hub();
        let addr = way.serve(stream(&hub)).await;
        let mut clients = Vec::with_capacity(CLIENTS);
        for n in 0..CLIENTS {
            let mut client = StreamClient::open(addr, &format!("/stream/c{n}")).await;
            client.next_named("connected").await;
            clients.push(client);
        }
        assert_eq!(hub.info().connections, CLIENTS);
        let traffic = busy.then(|| keep_busy(&hub));
        for client in clients {
            match how {
                Leave::Fin => drop(client),
                Leave::Rst => client.reset(),
            }
        }
        all_gone(&hub, &format!("all noticed on {way:?}")).await;
        if let Some(traffic) = traffic {
            traffic.abort();
        }
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

/// Opens a stream by `request` and closes the client's half, or all of it.
async fn close(way: Way, request: &str, half: bool) {
    let hub = hub();
    let addr = way.serve(stream(&hub)).await;
    let mut socket = raw_stream(addr, request).await;
    assert_eq!(hub.info().connections, 1);
    if half {
        socket.shutdown().await.unwrap();
    } else {
        drop(socket);
    }
    all_gone(&hub, &format!("it is gone on {way:?}")).await;
}

#[tokio::test]
async fn a_half_close() {
    for way in Way::ALL {
        close(way, "GET /stream/ada HTTP/1.1\r\nHost: x\r\n\r\n", true).await;
    }
}

#[tokio::test]
async fn a_fin_after_a_request_whose_body_nobody_reads() {
    let post = "POST /stream/ada HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody";
    for way in Way::ALL {
        close(way, post, false).await;
    }
}
