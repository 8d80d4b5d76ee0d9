//! The adapter, held against the suite, in each way of serving it.

use std::net::SocketAddr;

use axum::{
    Router,
    extract::{Query, State},
    routing::get,
};
use sse_axum::{Sse, SseResponse};
use sse_conformance::adapter::Seen;
use sse_core::Hub;

use crate::support::Way;

async fn stream(
    State(hub): State<Hub>,
    Query(query): Query<Vec<(String, String)>>,
    sse: Sse,
) -> SseResponse {
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

fn app(hub: Hub) -> Router {
    Router::new()
        .route("/stream", get(stream).post(stream))
        .with_state(hub)
}

mod axum_serve {
    use super::*;

    async fn serve(hub: Hub) -> SocketAddr {
        Way::AxumServe.serve(app(hub)).await
    }

    sse_conformance::adapter_tests!(serve);
}

mod sse_net_server {
    use super::*;

    async fn serve(hub: Hub) -> SocketAddr {
        Way::SseNet.serve(app(hub)).await
    }

    sse_conformance::adapter_tests!(serve);
}
