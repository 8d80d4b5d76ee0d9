//! The adapter, held against the suite, and against what is told of it.

use std::{convert::Infallible, net::SocketAddr};

use form_urlencoded::parse;
use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_adapter::{Sse, SseResponse};
use sse_conformance::adapter::Seen;
use sse_core::Hub;

async fn stream(request: Request<Incoming>, hub: Hub) -> SseResponse {
    let (head, _body) = request.into_parts();
    let query: Vec<_> = parse(head.uri.query().unwrap_or_default().as_bytes()).collect();
    let named = |wanted| query.iter().filter(move |(name, _)| *name == wanted);
    let client = named("client").next().map_or("", |(_, client)| client);
    let sse = Sse::new(&head);
    let seen = Seen {
        last_event_id: sse.last_event_id().cloned(),
        peer_addr: sse.peer_addr(),
    };
    let request = sse.client(client).attribute(seen);
    let groups = named("group").map(|(_, group)| &**group);
    groups
        .fold(request, |request, group| request.group(group))
        .open(&hub)
        .await
}

async fn serve(hub: Hub) -> SocketAddr {
    let server = sse_net::Server::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let addr = server.local_addr().unwrap();
    let service = service_fn(move |request| {
        let hub = hub.clone();
        async move { Ok::<_, Infallible>(stream(request, hub).await.into_response()) }
    });
    tokio::spawn(server.serve(service));
    addr
}

sse_conformance::adapter_tests!(serve);

/// Each block of the walkthrough stands in the code, letter by letter.
#[test]
fn what_is_told_of_the_adapter_is_the_adapter() {
    const TOLD: &str = include_str!("../../../docs/writing-an-adapter.md");
    const CODE: [&str; 2] = [include_str!("../src/lib.rs"), include_str!("it.rs")];
    let blocks = TOLD.split("```rust\n").skip(1);
    let blocks: Vec<_> = blocks
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(blocks.len() >= 6, "{}", blocks.len());
    for block in blocks {
        for part in block.split("\n// …\n") {
            let part = part.trim_matches('\n');
            assert!(CODE.iter().any(|code| code.contains(part)), "{part}");
        }
    }
}
