//! A poem application with one stream, served in every way that is supported.

use std::net::{Ipv4Addr, SocketAddr};

use poem::{
    Body, Endpoint, EndpointExt, IntoResponse, Request, Response, Route, Server, get, handler,
    http::StatusCode,
    listener::{Acceptor, TcpAcceptor},
    post,
    web::{Data, Path},
};
use sse_core::Hub;
use sse_poem::{CloseAware, Sse, SseError, SseResponse};

/// A way of serving a poem application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// `poem::Server`, its acceptor wrapped in `CloseAware`.
    PoemServer,
    /// `sse_net::Server`.
    SseNet,
}

/// Stamps a test for each way and case: an `async fn` that takes the way.
macro_rules! both_ways {
    ($($case:ident,)*) => {
        mod on_poem_server {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case($crate::support::Way::PoemServer).await;
            })*
        }
        mod on_sse_net {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case($crate::support::Way::SseNet).await;
            })*
        }
    };
}
pub(crate) use both_ways;

/// Serves `hub` until the test ends.
pub(crate) fn serve(hub: &Hub, way: Way) -> SocketAddr {
    match way {
        Way::PoemServer => serve_by_poem(hub, CloseAware::new),
        Way::SseNet => {
            let server = sse_net::Server::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
            let addr = server.local_addr().unwrap();
            tokio::spawn(server.serve(sse_poem::service(app(hub))));
            addr
        }
    }
}

/// Serves `hub` by `poem::Server` on the tuned listener, through the acceptor that `wrap` makes of
/// poem's own, until the test ends.
pub(crate) fn serve_by_poem<A: Acceptor + 'static>(
    hub: &Hub,
    wrap: impl FnOnce(TcpAcceptor) -> A,
) -> SocketAddr {
    let listener = sse_net::listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let addr = listener.local_addr().unwrap();
    let acceptor = wrap(TcpAcceptor::from_tokio(listener).unwrap());
    tokio::spawn(Server::new_with_acceptor(acceptor).run(app(hub)));
    addr
}

pub(crate) fn app(hub: &Hub) -> impl Endpoint + use<> {
    Route::new()
        .at("/stream/:client", get(open).head(open))
        .at("/no-head/:client", get(open))
        .at("/subscribe/:client", get(subscribe).head(subscribe))
        .at("/addresses", get(addresses))
        .at("/echo", post(echo).get(echo_upgraded))
        .data(hub.clone())
}

#[handler]
async fn open(sse: Sse, Path(client): Path<String>, Data(hub): Data<&Hub>) -> SseResponse {
    sse.client(client).open(hub).await
}

/// Says in a header which connection it is.
#[handler]
async fn subscribe(
    sse: Sse,
    Path(client): Path<String>,
    Data(hub): Data<&Hub>,
) -> Result<Response, SseError> {
    let subscription = sse.client(client).subscribe(hub).await?;
    let id = subscription.id().to_string();
    let response = SseResponse::from(subscription).into_response();
    Ok(response.with_header("x-connection", id).into_response())
}

/// What is known of the socket.
#[handler]
fn addresses(sse: Sse, request: &Request) -> String {
    let peer = sse.peer_addr().unwrap();
    let (remote, local) = (request.remote_addr(), request.local_addr());
    format!("{peer} {remote} {local} {}", request.scheme())
}

#[handler]
fn echo(body: Body) -> Body {
    body
}

/// Answers with whatever comes once the connection isn't HTTP any more.
#[handler]
fn echo_upgraded(request: &Request) -> poem::Result<Response> {
    let upgrade = request.take_upgrade()?;
    tokio::spawn(async move {
        let (mut from, mut to) = tokio::io::split(upgrade.await.unwrap());
        tokio::io::copy(&mut from, &mut to).await
    });
    let response = Response::builder().header("upgrade", "echo");
    Ok(response.status(StatusCode::SWITCHING_PROTOCOLS).finish())
}
