//! The adapter, held against the suite, in each way of serving it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use sse_conformance::adapter::Seen;
use sse_core::Hub;
use sse_warp::{Sse, SseResponse};
use warp::Filter;

async fn stream(sse: Sse, query: Vec<(String, String)>, hub: Hub) -> SseResponse {
    let named = |wanted| query.iter().filter(move |(name, _)| name == wanted);
    let client = named("client").next().map_or("", |(_, client)| client);
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

fn app(hub: Hub) -> impl Filter<Extract = (SseResponse,), Error = warp::Rejection> + Clone {
    warp::path!("stream")
        .and(sse_warp::sse())
        .and(warp::query())
        .and(warp::any().map(move || hub.clone()))
        .then(stream)
}

const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

mod warp_serve {
    use super::*;

    async fn serve(hub: Hub) -> SocketAddr {
        let listener = sse_net::listen(ANY_PORT).unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(warp::serve(app(hub)).incoming(listener).run());
        addr
    }

    sse_conformance::adapter_tests!(serve);
}

mod sse_net_server {
    use super::*;

    async fn serve(hub: Hub) -> SocketAddr {
        let server = sse_net::Server::bind(ANY_PORT).unwrap();
        let addr = server.local_addr().unwrap();
        tokio::spawn(server.serve(sse_warp::service(app(hub))));
        addr
    }

    sse_conformance::adapter_tests!(serve);
}
