//! A browser's own `EventSource` behind a proxy.

use serde_json::json;
use sse_browser::{Browser, BrowserKind};
use sse_conformance::request;
use tokio::time::timeout;

use super::{
    PATIENCE,
    proxy::{Kind, Proxy, free_addr},
};
use crate::frameworks::Framework;

behind_each_proxy! {
    an_event_source_comes_back_by_itself,
}

/// Counts its streams and keeps what it gets.
const FOLLOW: &str = "window.source = new EventSource('/api/v1/sse/stream?id=ada'); \
     window.streams = 0; source.onopen = () => streams++; \
     window.got = []; source.onmessage = event => got.push(event.data);";

async fn send(proxy: &Proxy, data: &str) {
    let body = json!({ "data": data }).to_string();
    let sent = request(proxy.plain, "POST", "/api/v1/sse/send", &[], body).await;
    assert_eq!(sent.status, 200, "{}", sent.text());
}

async fn an_event_source_comes_back_by_itself(kind: Kind) {
    // It would be held for longer than it takes here.
    let changes: &[_] = match kind {
        Kind::Nginx => &[],
        Kind::Haproxy => &[("retries 3", "retries 0")],
        Kind::Caddy => &[("lb_try_duration 5s", "lb_try_duration 100ms")],
    };
    let addr = free_addr();
    let port = addr.port().to_string();
    let start = async || {
        let args = ["--port", &port, "--drain", "100ms"];
        Framework("poem").start(&args).await
    };
    let mut server = start().await;
    let proxy = Proxy::start(kind, addr, changes).await;
    let url = format!("https://{}/?auto=0", proxy.secure);
    Browser::run(BrowserKind::Chromium, &url, async |browser| {
        browser.script(FOLLOW).await;
        browser.until("streams === 1").await;
        send(&proxy, "before").await;
        browser.until("got.join() === 'before'").await;
        server.terminate();
        timeout(PATIENCE, server.process.wait())
            .await
            .unwrap()
            .unwrap();
        // The second is the proxy's own.
        browser.until("streams === 2").await;
        let _restarted = start().await;
        send(&proxy, "after").await;
        browser.until("got.join() === 'before,after'").await;
        let protocol = "performance.getEntriesByType('navigation')[0].nextHopProtocol === 'h2'";
        browser.until(protocol).await;
    })
    .await;
}
