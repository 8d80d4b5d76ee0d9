//! A poem server with one stream, for the tests.

use std::net::{Ipv4Addr, SocketAddr};

use poem::{
    EndpointExt, IntoResponse, Response, Route, Server, get, handler,
    listener::{Acceptor, TcpAcceptor},
    web::{Data, Path, Query},
};
use sse_core::Hub;
use sse_poem::{Sse, SseError, SseResponse};
use tokio::net::TcpListener;

/// Serves `hub` through the acceptor that `wrap` makes of poem's own, until the test ends.
pub(crate) async fn serve<A: Acceptor + 'static>(
    hub: &Hub,
    wrap: impl FnOnce(TcpAcceptor) -> A,
) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let acceptor = wrap(TcpAcceptor::from_tokio(listener).unwrap());
    let app = Route::new()
        .at("/stream/:client", get(open).post(open).head(open))
        .at("/no-head/:client", get(open))
        .at("/subscribe", get(subscribe).head(subscribe))
        .data(hub.clone());
    tokio::spawn(Server::new_with_acceptor(acceptor).run(app));
    addr
}

#[handler]
async fn open(
    sse: Sse,
    Path(client): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    Data(hub): Data<&Hub>,
) -> SseResponse {
    let groups = query.into_iter().filter(|(name, _)| name == "group");
    let request = sse.client(client);
    let request = groups.fold(request, |request, (_, group)| request.group(group));
    request.open(hub).await
}

/// Answers with what the library understood as the last event id, then the stream's bytes.
#[handler]
async fn subscribe(sse: Sse, Data(hub): Data<&Hub>) -> Result<Response, SseError> {
    let subscription = sse.client("ada").subscribe(hub).await?;
    let last = format!("{:?}", subscription.last_event_id());
    let response = SseResponse::from(subscription).into_response();
    Ok(response.with_header("x-last", last).into_response())
}
