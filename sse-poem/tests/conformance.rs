//! The adapter, held against the suite on each way of serving poem.

use std::net::{Ipv4Addr, SocketAddr};

use poem::{
    EndpointExt, Route, Server, get, handler,
    listener::TcpAcceptor,
    web::{Data, Query},
};
use sse_conformance::adapter::Seen;
use sse_core::Hub;
use sse_poem::{CloseAware, Sse, SseResponse};
use tokio::net::TcpListener;

#[handler]
async fn stream(
    sse: Sse,
    Query(query): Query<Vec<(String, String)>>,
    Data(hub): Data<&Hub>,
) -> SseResponse {
    let seen = Seen {
        last_event_id: sse.last_event_id().cloned(),
        peer_addr: None,
    };
    let client = query.iter().find(|(name, _)| name == "client");
    let request = sse
        .client(client.map_or("", |(_, client)| client))
        .attribute(seen);
    let groups = query.iter().filter(|(name, _)| name == "group");
    let request = groups.fold(request, |request, (_, group)| request.group(&**group));
    request.open(hub).await
}

mod poem_server {
    use super::*;

    sse_conformance::adapter_tests!(|hub: Hub| async move {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr: SocketAddr = listener.local_addr().unwrap();
        let acceptor = CloseAware::new(TcpAcceptor::from_tokio(listener).unwrap());
        let app = Route::new()
            .at("/stream", get(stream).post(stream).head(stream))
            .data(hub);
        tokio::spawn(Server::new_with_acceptor(acceptor).run(app));
        addr
    });
}
