use std::convert::Infallible;

use http::{Request, Uri};
use hyper::{
    body::Incoming,
    service::{Service, service_fn},
};
use hyper_util::service::TowerToHyperService;
use warp::{Filter, Reply, reply::Response};

/// Makes a filter the service that hyper's connections take; `warp::service` makes it one of
/// tower's.
///
/// The request's extensions reach the filter, so that a server that puts a
/// [`SocketInfo`](sse_net::SocketInfo) there tells [`sse`](crate::sse) who is at the other end.
///
/// A request whose target has no path (`CONNECT host:80`) reaches the filter as one for `*`, which
/// no path matches: warp 0.4.3 panics where a filter asks for the path of such a request.
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
    let service = TowerToHyperService::new(warp::service(filter));
    service_fn(move |mut request: Request<Incoming>| {
        if request.uri().path_and_query().is_none() {
            *request.uri_mut() = Uri::from_static("*");
        }
        service.call(request)
    })
}
