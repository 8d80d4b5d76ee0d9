//! An axum server, for the tests.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use tokio::net::TcpListener;

/// How a router is served: by `axum::serve`, or by `sse_net::Server`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    AxumServe,
    SseNet,
}

impl Way {
    pub(crate) const ALL: [Self; 2] = [Self::AxumServe, Self::SseNet];

    /// Serves `router` on a free port until the test ends.
    pub(crate) async fn serve(self, router: Router) -> SocketAddr {
        let (listener, addr) = listen();
        match self {
            Self::AxumServe => {
                let service = router.into_make_service_with_connect_info::<SocketAddr>();
                drop(tokio::spawn(async { axum::serve(listener, service).await }));
            }
            Self::SseNet => {
                let server = sse_net::Server::new(listener);
                drop(tokio::spawn(server.serve(sse_axum::service(router))));
            }
        }
        addr
    }
}

/// Listens on a free port.
pub(crate) fn listen() -> (TcpListener, SocketAddr) {
    let listener = sse_net::listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}
