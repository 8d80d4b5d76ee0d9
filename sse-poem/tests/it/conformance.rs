//! The adapter, held against the suite, in each way of serving it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use poem::{
    Endpoint, EndpointExt, Route, Server, get, handler,
    listener::TcpAcceptor,
    web::{Data, Query},
};
use sse_conformance::adapter::Seen;
use sse_core::Hub;
use sse_poem::{CloseAware, Sse, SseResponse};

#[handler]
async fn streamed(
    sse: Sse,
    Query(query): Query<Vec<(String, String)>>,
    Data(hub): Data<&Hub>,
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
        .open(hub)
        .await
}

fn app(hub: Hub) -> impl Endpoint + use<> {
    let stream = get(streamed).post(streamed).head(streamed);
    Route::new().at("/stream", stream).data(hub)
}

const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

mod poem_server {
    use super::*;

    async fn serve(hub: Hub) -> SocketAddr {
        let listener = sse_net::listen(ANY_PORT).unwrap();
        let addr = listener.local_addr().unwrap();
        let acceptor = CloseAware::new(TcpAcceptor::from_tokio(listener).unwrap());
        tokio::spawn(Server::new_with_acceptor(acceptor).run(app(hub)));
        addr
    }

    sse_conformance::adapter_tests!(serve);
}

mod sse_net_server {
    use super::*;

    async fn serve(hub: Hub) -> SocketAddr {
        let server = sse_net::Server::bind(ANY_PORT).unwrap();
        let addr = server.local_addr().unwrap();
        tokio::spawn(server.serve(sse_poem::service(app(hub))));
        addr
    }

    sse_conformance::adapter_tests!(serve);
}
