//! Cases of streams that aren't taken, and of a hub that ends.

use std::time::Duration;

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use serde_json::{Value, json};
use sse_core::{ClientId, Drain, Event, Final, Hub, Limits, Target, TrustedProxies};
use tokio::time::timeout;

use super::support::{A_SECOND, STREAM, assert_head, broadcast, quiet};
use crate::{
    adapter::{
        Server,
        client::{Client, Version},
    },
    request,
};

/// A hub that takes so many connections in all, and of one client.
fn narrow(connections: Option<usize>, per_client: Option<usize>) -> Hub {
    let mut limits = Limits::default();
    (limits.connections, limits.per_client) = (connections, per_client);
    quiet().limits(limits).build().expect("a hub")
}

pub(crate) async fn a_refusal_is_an_event(server: Server) {
    for version in Version::ALL {
        let addr = server.start(&narrow(Some(1), None)).await;
        let mut taken = Client::open(addr, version, STREAM).await;
        taken.next().await;
        let mut refused = Client::open(addr, version, STREAM).await;
        assert_eq!(refused.status(), 200, "{version:?}");
        assert_head(refused.headers(), "a refusal");
        let event = refused.next().await;
        assert_eq!(event.event, "refused", "{version:?}");
        let told: Value = serde_json::from_str(&event.data).expect("JSON");
        assert_eq!(told["reason"], "connections", "{version:?}");
        assert!(refused.ended_cleanly().await, "{version:?}");
        let retry = format!("retry: {}\n", told["retry_ms"]);
        let body = String::from_utf8_lossy(refused.body());
        assert!(body.contains(&retry), "no {retry:?} in {body:?}");
    }
}

pub(crate) async fn a_refusal_of_others_is_a_status(server: Server) {
    for (hub, status, reason) in [
        (narrow(Some(1), None), 503, "connections"),
        (narrow(None, Some(1)), 429, "per-client"),
    ] {
        let addr = server.start(&hub).await;
        let mut taken = Client::open(addr, Version::Http11, STREAM).await;
        taken.next().await;
        let refused = request(addr, "GET", STREAM, &[("accept", "*/*")], "").await;
        assert_eq!(refused.status, status);
        let content_type = refused.headers.get(CONTENT_TYPE);
        assert_eq!(
            content_type.map(|it| it.as_bytes()),
            Some(&b"application/json"[..])
        );
        let told: Value = refused.json();
        assert_eq!(told["reason"], reason);
        let retry = told["retry_ms"].as_u64().expect("a number");
        let after = refused.headers.get(RETRY_AFTER);
        let after = after.and_then(|it| it.to_str().ok()?.parse().ok());
        assert_eq!(after, Some(retry.div_ceil(1000)), "Retry-After, in seconds");
    }
}

pub(crate) async fn who_was_ended_for_good_gets_a_204(server: Server) {
    let hub = quiet().build().expect("a hub");
    let addr = server.start(&hub).await;
    for version in Version::ALL {
        let mut client = Client::open(addr, version, STREAM).await;
        client.next().await;
        let ada = Target::client(ClientId::new("ada").expect("a name"));
        hub.disconnect_for_good(&ada, Final::lasting(Duration::from_secs(600)));
        assert_eq!(client.next().await.event, "closed", "{version:?}");
        assert!(client.ended_cleanly().await, "{version:?}");
        let mut back = Client::open(addr, version, STREAM).await;
        assert_eq!(back.status(), 204, "{version:?}");
        assert!(back.ended_cleanly().await, "{version:?}");
        assert_eq!(back.body(), b"", "{version:?}");
        assert_eq!(hub.allow("ada"), Ok(true));
    }
}

pub(crate) async fn a_shutdown_ends_every_stream(server: Server) {
    let hub = quiet().build().expect("a hub");
    let addr = server.start(&hub).await;
    let mut clients = Vec::new();
    for version in Version::ALL {
        let mut client = Client::open(addr, version, STREAM).await;
        client.next().await;
        clients.push(client);
    }
    broadcast(&hub, Event::text("last")).await;
    let drain = Drain {
        over: Duration::from_millis(100),
        ..Drain::default()
    };
    let draining = tokio::spawn(async move { hub.shutdown(drain).await });
    for client in &mut clients {
        assert_eq!(client.next().await.data, "last");
        assert_eq!(client.next().await.event, "reconnect");
        assert!(client.ended_cleanly().await, "the body is cut off");
    }
    let drained = timeout(A_SECOND, draining).await;
    let drained = drained.expect("a shutdown ends with the last stream");
    let drained = drained.expect("it doesn't panic");
    assert_eq!((drained.clean, drained.cut), (clients.len(), 0));
    let mut late = Client::open(addr, Version::Http11, STREAM).await;
    assert_eq!(late.next().await.event, "refused");
}

pub(crate) async fn the_address_behind_a_trusted_proxy_is_known(server: Server) {
    let proxies = json!({ "networks": ["127.0.0.0/8"] });
    let proxies: TrustedProxies = serde_json::from_value(proxies).expect("networks");
    let mut limits = Limits::default();
    limits.per_address = Some(1);
    for version in Version::ALL {
        let hub = quiet()
            .limits(limits.clone())
            .trusted_proxies(proxies.clone());
        let addr = server.start(&hub.build().expect("a hub")).await;
        let mut open = Vec::new();
        for (behind, event) in [
            (&b"192.0.2.1"[..], "connected"),
            (b"192.0.2.2", "connected"),
            (b"192.0.2.1", "refused"),
        ] {
            let headers = [("x-forwarded-for", behind)];
            let mut client = Client::open_with(addr, version, STREAM, &headers).await;
            assert_eq!(client.next().await.event, event, "{version:?}");
            open.push(client);
        }
    }
}
