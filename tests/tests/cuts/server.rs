//! A hub's streams on each framework, served in both ways at once.

use std::net::{Ipv4Addr, SocketAddr};

use poem::{
    Endpoint, EndpointExt, IntoResponse, Response, Route, get, handler,
    listener::TcpAcceptor,
    web::{Data, Html, Path},
};
use socket2::SockRef;
use sse_core::Hub;
use sse_poem::CloseAware;
use tokio::{net::TcpListener, spawn};
use warp::{Filter, Rejection, Reply};

use crate::proxy::SMALL_BUFFER;

/// Opens the streams that its query names.
const PAGE: &str = include_str!("page.html");

#[derive(Debug, Clone, Copy)]
pub(crate) enum Framework {
    Poem,
    Warp,
}

/// Serves streams at `/streams/:client/:group` and the page at `/` until the test ends: on the
/// framework's own server, and on the loop of `sse-net`.
pub(crate) fn serve(hub: &Hub, framework: Framework) -> [SocketAddr; 2] {
    let (own, own_addr) = listen();
    let (net, net_addr) = listen();
    let net = sse_net::Server::new(net);
    match framework {
        Framework::Poem => {
            let acceptor = CloseAware::new(TcpAcceptor::from_tokio(own).unwrap());
            spawn(poem::Server::new_with_acceptor(acceptor).run(poem_app(hub)));
            spawn(net.serve(sse_poem::service(poem_app(hub))));
        }
        Framework::Warp => {
            spawn(warp::serve(warp_app(hub)).incoming(own).run());
            spawn(net.serve(sse_warp::service(warp_app(hub))));
        }
    }
    [own_addr, net_addr]
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = sse_net::listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    // Accepted sockets inherit it: the kernel is to hide little of a slow line from the hub.
    let socket = SockRef::from(&listener);
    socket.set_send_buffer_size(SMALL_BUFFER as usize).unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

#[handler]
async fn stream(
    sse: sse_poem::Sse,
    Path((client, group)): Path<(String, String)>,
    Data(hub): Data<&Hub>,
) -> sse_poem::SseResponse {
    sse.client(client).group(group).open(hub).await
}

// Without a close the browser would open a stream on the page's connection, past the proxy's eyes.
#[handler]
fn page() -> Response {
    Html(PAGE)
        .with_header("connection", "close")
        .into_response()
}

fn poem_app(hub: &Hub) -> impl Endpoint + use<> {
    Route::new()
        .at("/", get(page))
        .at("/streams/:client/:group", get(stream))
        .data(hub.clone())
}

fn warp_app(hub: &Hub) -> impl Filter<Extract: Reply, Error = Rejection> + Clone + use<> {
    let hub = hub.clone();
    let html = warp::path::end()
        .map(|| warp::reply::with_header(warp::reply::html(PAGE), "connection", "close"));
    let streams = warp::path!("streams" / String / String)
        .and(sse_warp::sse())
        .and(warp::any().map(move || hub.clone()))
        .then(
            |client: String, group: String, sse: sse_warp::Sse, hub: Hub| async move {
                sse.client(client).group(group).open(&hub).await
            },
        );
    html.or(streams)
}
