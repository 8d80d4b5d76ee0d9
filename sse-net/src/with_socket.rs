use http::Request;
use hyper::service::Service;

use crate::SocketInfo;

/// A service that puts a [`SocketInfo`] into each request's extensions.
#[derive(Debug, Clone)]
pub(crate) struct WithSocket<S> {
    pub(crate) service: S,
    pub(crate) socket: SocketInfo,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for WithSocket<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, mut request: Request<B>) -> Self::Future {
        request.extensions_mut().insert(self.socket.clone());
        self.service.call(request)
    }
}
