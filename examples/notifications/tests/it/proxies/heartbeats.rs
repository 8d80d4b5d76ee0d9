//! What keeps a quiet stream open.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::time::timeout;

use super::{
    client::{Connection, Stream, Wire},
    proxy::{Kind, Proxy},
};
use crate::frameworks::Framework;

behind_each_proxy! {
    heartbeats_keep_a_quiet_stream_open,
    without_them_it_is_cut,
}

/// The committed time would be tried for minutes.
const TIMEOUT: Duration = Duration::from_secs(2);
const SHORT: [(&str, &str); 1] = [("75s", "2s")];

/// A quiet stream over each protocol, and its connection.
async fn quiet(proxy: &Proxy) -> Vec<(Connection, Stream)> {
    let mut streams = Vec::new();
    for wire in Wire::ALL {
        let mut connection = Connection::open(&proxy.entrance(wire)).await.unwrap();
        let path = "/api/v1/sse/stream?id=ada";
        let mut stream = connection.stream(path, &[]).await.unwrap();
        stream.next_named("connected").await;
        streams.push((connection, stream));
    }
    streams
}

async fn heartbeats_keep_a_quiet_stream_open(kind: Kind) {
    let server = Framework("poem").start(&["--heartbeat", "500ms"]).await;
    let proxy = Proxy::start(kind, server.addr, &SHORT).await;
    let mut streams = quiet(&proxy).await;
    let stays = streams
        .iter_mut()
        .zip(Wire::ALL)
        .map(async |((_, stream), wire)| {
            let to_the_end = async { while stream.next().await.is_some() {} };
            let ended = timeout(TIMEOUT * 3, to_the_end).await;
            assert!(ended.is_err(), "{wire:?}: the stream ended");
        });
    join_all(stays).await;
}

/// Or else the other case would say nothing.
async fn without_them_it_is_cut(kind: Kind) {
    let server = Framework("poem").start(&["--heartbeat", "1h"]).await;
    let proxy = Proxy::start(kind, server.addr, &SHORT).await;
    let begun = Instant::now();
    let mut streams = quiet(&proxy).await;
    let ends = streams
        .iter_mut()
        .zip(Wire::ALL)
        .map(async |((_, stream), wire)| {
            let ended = timeout(TIMEOUT * 3, stream.next()).await;
            assert_eq!(ended, Ok(None), "{wire:?}");
            assert!(
                begun.elapsed() > TIMEOUT / 2,
                "{wire:?}: {:?}",
                begun.elapsed()
            );
        });
    join_all(ends).await;
}
