//! A warp server with a few streams, for the tests.

use std::net::{Ipv4Addr, SocketAddr};

use sse_core::Hub;
use sse_warp::{Sse, SseResponse};
use tokio::net::TcpListener;
use warp::{Filter, Reply, filters::BoxedFilter};

/// How a filter is served: by `warp::serve`, or by `sse_net::Server`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    WarpServe,
    SseNet,
}

impl Way {
    pub(crate) const ALL: [Self; 2] = [Self::WarpServe, Self::SseNet];

    /// Serves `routes` on a free port until the test ends.
    pub(crate) async fn serve(self, routes: BoxedFilter<(impl Reply + 'static,)>) -> SocketAddr {
        let (listener, addr) = listen().await;
        match self {
            Self::WarpServe => {
                drop(tokio::spawn(warp::serve(routes).incoming(listener).run()));
            }
            Self::SseNet => {
                let server = sse_net::Server::new(listener);
                drop(tokio::spawn(server.serve(sse_warp::service(routes))));
            }
        }
        addr
    }
}

/// Listens on a free port.
pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// A filter that hands out `hub`.
pub(crate) fn with(hub: &Hub) -> BoxedFilter<(Hub,)> {
    let hub = hub.clone();
    warp::any().map(move || hub.clone()).boxed()
}

/// `/stream/:client`: opens a stream of that client, in the group `g`.
pub(crate) fn stream(hub: &Hub) -> BoxedFilter<(SseResponse,)> {
    warp::path!("stream" / String)
        .and(sse_warp::sse())
        .and(with(hub))
        .then(|client: String, sse: Sse, hub: Hub| async move {
            sse.client(client).group("g").open(&hub).await
        })
        .boxed()
}
