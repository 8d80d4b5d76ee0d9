//! A warp server with a few streams, for the tests.

use std::net::{Ipv4Addr, SocketAddr};

use hyper::service::{Service, service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use sse_core::Hub;
use sse_net::SocketInfo;
use sse_warp::{Sse, SseResponse};
use tokio::net::TcpListener;
use warp::{Filter, Reply, filters::BoxedFilter};

/// How a filter is served: by `warp::serve`, or by a loop of one's own on hyper.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    WarpServe,
    OwnLoop,
}

impl Way {
    pub(crate) const ALL: [Self; 2] = [Self::WarpServe, Self::OwnLoop];

    /// Serves `routes` on a free port until the test ends.
    pub(crate) async fn serve(self, routes: BoxedFilter<(impl Reply + 'static,)>) -> SocketAddr {
        let (listener, addr) = listen().await;
        match self {
            Self::WarpServe => tokio::spawn(warp::serve(routes).incoming(listener).run()),
            Self::OwnLoop => tokio::spawn(own_loop(listener, routes)),
        };
        addr
    }
}

/// Listens on a free port.
pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// As a server would: it tells each request what it knows of the socket.
async fn own_loop(listener: TcpListener, routes: BoxedFilter<(impl Reply + 'static,)>) {
    let service = sse_warp::service(routes);
    loop {
        let (stream, peer) = listener.accept().await.unwrap();
        let local = stream.local_addr().unwrap();
        let service = service.clone();
        tokio::spawn(async move {
            let socket = SocketInfo {
                peer,
                local,
                tls: false,
            };
            let service = service_fn(|mut request| {
                request.extensions_mut().insert(socket);
                service.call(request)
            });
            let builder = auto::Builder::new(TokioExecutor::new());
            let served = builder.serve_connection(TokioIo::new(stream), service);
            // A client that goes away in the midst of a stream is an error to hyper.
            drop(served.await);
        });
    }
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
