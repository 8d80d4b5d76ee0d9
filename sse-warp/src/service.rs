use std::convert::Infallible;

use http::Request;
use hyper::{body::Incoming, service::Service};
use hyper_util::service::TowerToHyperService;
use warp::{Filter, Reply, reply::Response};

/// Makes a filter the service that hyper's connections take; `warp::service` makes it one of
/// tower's.
///
/// The request's extensions reach the filter, so that a server that puts a
/// [`SocketInfo`](sse_net::SocketInfo) there tells [`sse`](crate::sse) who is at the other end.
pub fn service<F>(
    filter: F,
) -> impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static
where
    F: Filter<Extract: Reply> + Clone + Send + Sync + 'static,
{
    TowerToHyperService::new(warp::service(filter))
}
