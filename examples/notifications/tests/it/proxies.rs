//! The demo behind the proxies of `examples/proxy`, each configured by the file that is there.

/// Makes each case a test behind each proxy: `nginx::case`, `haproxy::case` and `caddy::case`.
macro_rules! behind_each_proxy {
    ($($case:ident,)*) => {
        behind_each_proxy! { nginx, Nginx: $($case)* }
        behind_each_proxy! { haproxy, Haproxy: $($case)* }
        behind_each_proxy! { caddy, Caddy: $($case)* }
    };
    ($proxy:ident, $kind:ident: $($case:ident)*) => {
        mod $proxy {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(crate::proxies::proxy::Kind::$kind).await;
                }
            )*
        }
    };
}

mod addresses;
mod client;
mod crowded;
mod ends;
mod heartbeats;
mod page;
mod proxy;
mod restarts;
mod streams;

use std::time::Duration;

use serde_json::Value;
use sse_conformance::request;

use crate::support::Server;
use proxy::{CERTIFICATE, Kind};

/// How long anything may take that isn't measured.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn the_readme_says_how_each_is_started() {
    let readme = proxy::committed("README.md");
    let commands = [Kind::Nginx, Kind::Haproxy, Kind::Caddy].map(Kind::command);
    for command in commands.into_iter().chain([CERTIFICATE]) {
        assert!(readme.contains(command), "{command}");
    }
}

/// How many streams the demo has.
async fn connections(server: &Server) -> u64 {
    let info = request(server.addr, "GET", "/api/v1/sse/info", &[], "").await;
    info.json::<Value>()["connections"].as_u64().unwrap()
}

/// Waits until the demo has so many streams.
async fn has_connections(server: &Server, expected: u64) {
    let wait = async {
        while connections(server).await != expected {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    assert!(waited.is_ok(), "not {expected} streams");
}
