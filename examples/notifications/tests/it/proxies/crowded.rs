//! A proxy that has as many connections as it takes.

use super::{
    client::{Connection, Wire},
    proxy::{Kind, Proxy},
};
use crate::frameworks::Framework;

/// HAProxy has clients wait for their turn, and Caddy knows no limit.
#[tokio::test]
async fn nginx_tells_an_event_source_to_come_back() {
    let server = Framework("poem").start(&[]).await;
    let few = [("worker_connections 19900", "worker_connections 16")];
    let proxy = Proxy::start(Kind::Nginx, server.addr, &few).await;
    let mut open = Vec::new();
    loop {
        let mut connection = Connection::open(&proxy.entrance(Wire::Http1))
            .await
            .unwrap();
        let path = "/api/v1/sse/stream?id=ada";
        let mut stream = connection.stream(path, &[]).await.unwrap();
        assert!(stream.is_one(), "{stream:?}");
        if stream.next().await.is_none() {
            assert_eq!(stream.retry().unwrap().as_millis(), 2_000);
            break;
        }
        open.push((connection, stream));
    }
    assert!(open.len() > 2, "{}", open.len());
}
