//! Where a client is, as the demo sees it behind a proxy.

use std::net::Ipv4Addr;

use super::{
    client::{Connection, Wire},
    proxy::{Kind, Proxy},
};
use crate::frameworks::Framework;

behind_each_proxy! {
    the_demo_sees_the_address_of_the_client,
}

/// The proxy is at 127.0.0.1, which is trusted; clients are at others of the machine's.
const ONE_EACH: [&str; 4] = [
    "--trusted-proxies",
    "127.0.0.1/32",
    "--max-streams-per-address",
    "1",
];

/// What a client may say to be taken for another.
const LIES: [&[(&str, &str)]; 4] = [
    &[],
    &[("x-forwarded-for", "203.0.113.9")],
    &[
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-for", "127.0.0.1"),
    ],
    &[
        ("forwarded", "for=203.0.113.9"),
        ("x-real-ip", "203.0.113.9"),
    ],
];

async fn the_demo_sees_the_address_of_the_client(kind: Kind) {
    let server = Framework("poem").start(&ONE_EACH).await;
    let proxy = Proxy::start(kind, server.addr, &[]).await;
    let path = "/api/v1/sse/stream?id=ada";
    let mut open = Vec::new();
    for (last, wire) in (2..).zip(Wire::ALL) {
        let (from, entrance) = (Ipv4Addr::new(127, 0, 0, last), proxy.entrance(wire));
        let mut first = Connection::open_from(from, &entrance).await.unwrap();
        let mut stream = first.stream(path, &[]).await.unwrap();
        stream.next_named("connected").await;
        for lie in LIES {
            let mut second = Connection::open_from(from, &entrance).await.unwrap();
            let mut stream = second.stream(path, lie).await.unwrap();
            let told = stream.next_named("refused").await.data;
            assert!(
                told.contains(r#""reason":"per-address""#),
                "{lie:?}: {told}"
            );
        }
        open.push((first, stream));
    }
}
