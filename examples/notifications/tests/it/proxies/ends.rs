//! How streams end: by the client, or by the proxy's own end.

use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use tokio::time::timeout;

use super::{
    PATIENCE,
    client::{Connection, Wire},
    connections, has_connections,
    proxy::{Kind, Proxy},
};
use crate::frameworks::Framework;

behind_each_proxy! {
    a_client_that_closes_is_gone_at_once,
    a_stream_that_is_reset_is_gone_at_once,
    a_proxy_that_is_told_to_end_ends_its_streams,
}

const PATH: &str = "/api/v1/sse/stream?id=ada";

/// Within what the demo knows. The first heartbeat would tell it after 22 seconds at the earliest.
const AT_ONCE: Duration = Duration::from_secs(2);

async fn a_client_that_closes_is_gone_at_once(kind: Kind) {
    let server = Framework("poem").start(&[]).await;
    let proxy = Proxy::start(kind, server.addr, &[]).await;
    for wire in Wire::ALL {
        let mut connection = Connection::open(&proxy.entrance(wire)).await.unwrap();
        let mut stream = connection.stream(PATH, &[]).await.unwrap();
        stream.next_named("connected").await;
        assert_eq!(connections(&server).await, 1);
        let begun = Instant::now();
        drop((connection, stream));
        has_connections(&server, 0).await;
        assert!(begun.elapsed() < AT_ONCE, "{wire:?}: {:?}", begun.elapsed());
    }
}

async fn a_stream_that_is_reset_is_gone_at_once(kind: Kind) {
    let server = Framework("poem").start(&[]).await;
    let proxy = Proxy::start(kind, server.addr, &[]).await;
    let mut connection = Connection::open(&proxy.entrance(Wire::Http2Tls))
        .await
        .unwrap();
    let mut first = connection.stream(PATH, &[]).await.unwrap();
    let mut second = connection.stream(PATH, &[]).await.unwrap();
    first.next_named("connected").await;
    second.next_named("connected").await;
    let begun = Instant::now();
    drop(first);
    has_connections(&server, 1).await;
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    // The connection is as it was.
    let page = connection.get("/", &[]).await.unwrap();
    page.collect().await.unwrap();
    assert_eq!(connections(&server).await, 1);
}

/// It would wait for them for ever: for the old configuration's after a reload, too.
async fn a_proxy_that_is_told_to_end_ends_its_streams(kind: Kind) {
    let server = Framework("poem").start(&["--heartbeat", "200ms"]).await;
    let proxy = Proxy::start(kind, server.addr, &[("10s", "1s")]).await;
    let mut streams = Vec::new();
    for wire in Wire::ALL {
        let mut connection = Connection::open(&proxy.entrance(wire)).await.unwrap();
        let mut stream = connection.stream(PATH, &[]).await.unwrap();
        stream.next_named("connected").await;
        streams.push((connection, stream));
    }
    let begun = Instant::now();
    proxy.end_gracefully();
    for (_, stream) in &mut streams {
        let to_the_end = async { while stream.next().await.is_some() {} };
        timeout(PATIENCE, to_the_end).await.unwrap();
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
}
