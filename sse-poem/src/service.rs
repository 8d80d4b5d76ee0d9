use std::{convert::Infallible, io, pin::Pin, sync::Arc};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::{Request, Response, body::Incoming};
use poem::{
    Endpoint, IntoEndpoint,
    http::uri::Scheme,
    web::{LocalAddr, RemoteAddr},
};
use sse_net::SocketInfo;

/// Makes an endpoint a service for [`sse_net::Server`].
pub fn service<E: IntoEndpoint>(endpoint: E) -> PoemService<E::Endpoint> {
    PoemService(Arc::new(endpoint.into_endpoint()))
}

/// A poem endpoint as a hyper service; [`service`] makes it.
///
/// It gives poem's request what `poem::Server` does: both addresses, the scheme, the upgrade. The
/// bodies of requests and responses pass as they are.
#[derive(Debug)]
pub struct PoemService<E>(Arc<E>);

impl<E> Clone for PoemService<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E: Endpoint + 'static> hyper::service::Service<Request<Incoming>> for PoemService<E> {
    type Response = Response<BoxBody<Bytes, io::Error>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let endpoint = Arc::clone(&self.0);
        Box::pin(async move {
            let response = endpoint.get_response(poem_request(request)).await;
            Ok(Response::from(response))
        })
    }
}

fn poem_request(request: Request<Incoming>) -> poem::Request {
    let (local, remote, scheme) = match request.extensions().get::<SocketInfo>() {
        Some(socket) => (
            LocalAddr(socket.local.into()),
            RemoteAddr(socket.peer.into()),
            if socket.tls {
                Scheme::HTTPS
            } else {
                Scheme::HTTP
            },
        ),
        None => (LocalAddr::default(), RemoteAddr::default(), Scheme::HTTP),
    };
    (request, local, remote, scheme).into()
}
