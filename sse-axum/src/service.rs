use std::convert::Infallible;

use axum::{extract::ConnectInfo, response::Response};
use http::Request;
use hyper::{
    body::Incoming,
    service::{Service, service_fn},
};
use hyper_util::service::TowerToHyperService;
use sse_net::SocketInfo;

/// Makes a `Router`, or another of axum's services, the service that hyper's connections take.
///
/// Handlers that extract a [`ConnectInfo`] of the peer's address find it, as they do under
/// `axum::serve`.
pub fn service<S>(
    router: S,
) -> impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static
where
    S: tower_service::Service<
            Request<Incoming>,
            Response = Response,
            Error = Infallible,
            Future: Send,
        > + Clone
        + Send
        + Sync
        + 'static,
{
    let service = TowerToHyperService::new(router);
    service_fn(move |mut request: Request<Incoming>| {
        if let Some(socket) = request.extensions().get::<SocketInfo>() {
            let peer = ConnectInfo(socket.peer);
            request.extensions_mut().insert(peer);
        }
        service.call(request)
    })
}
