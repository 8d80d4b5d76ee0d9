//! A client that goes away is noticed within a second, however the filter is served: plain
//! `warp::serve` needs no help.

mod support;

use std::time::Duration;

use sse_conformance::{StreamClient, eventually};
use sse_core::{Event, Hub};
use support::{Way, stream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const CLIENTS: usize = 1000;

fn hub() -> Hub {
    // No heartbeat writes to an idle stream in these tests.
    Hub::builder().heartbeat(None).build().unwrap()
}

async fn none_is_left(hub: &Hub, what: &str) {
    let what = format!("none is left: {what}");
    eventually(&what, Duration::from_secs(1), || {
        let info = hub.info();
        (info.connections, info.clients, info.groups) == (0, 0, 0)
    })
    .await;
}

/// Publishes to everybody without a pause.
async fn traffic(hub: Hub) {
    loop {
        hub.broadcast(Event::text("busy")).await.unwrap();
        tokio::task::yield_now().await;
    }
}

async fn a_thousand_leave(leave: fn(StreamClient)) {
    for (way, busy) in Way::ALL
        .into_iter()
        .flat_map(|way| [(way, false), (way, true)])
    {
        let hub = hub();
        let addr = way.serve(stream(&hub)).await;
        let mut clients = Vec::with_capacity(CLIENTS);
        for n in 0..CLIENTS {
            let mut client = StreamClient::open(addr, &format!("/stream/{n}")).await;
            client.next_named("connected").await;
            clients.push(client);
        }
        assert_eq!(hub.info().connections, CLIENTS);
        let traffic = busy.then(|| tokio::spawn(traffic(hub.clone())));
        clients.into_iter().for_each(leave);
        none_is_left(&hub, &format!("{way:?}, busy: {busy}")).await;
        if let Some(traffic) = traffic {
            traffic.abort();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_of_a_thousand_that_close_are_noticed() {
    a_thousand_leave(drop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_of_a_thousand_that_reset_are_noticed() {
    a_thousand_leave(StreamClient::reset).await;
}

#[tokio::test]
async fn one_that_closes_its_half_is_noticed_too_and_one_whose_body_nobody_read() {
    let get = "GET /stream/ada HTTP/1.1\r\nHost: x\r\n\r\n";
    let post = "POST /stream/ada HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody";
    for way in Way::ALL {
        for (request, half) in [(get, true), (post, true), (post, false)] {
            let hub = hub();
            let addr = way.serve(stream(&hub)).await;
            let mut socket = TcpStream::connect(addr).await.unwrap();
            socket.write_all(request.as_bytes()).await.unwrap();
            let mut status = [0; 15];
            socket.read_exact(&mut status).await.unwrap();
            assert_eq!(&status, b"HTTP/1.1 200 OK");
            assert_eq!(hub.info().connections, 1);
            socket.shutdown().await.unwrap();
            // The other half goes with the socket.
            let _kept = half.then_some(socket);
            none_is_left(&hub, &format!("{way:?}, half: {half}, {request:?}")).await;
        }
    }
}
