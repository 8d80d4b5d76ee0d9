use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use hyper::service::Service;
use pin_project_lite::pin_project;

use crate::{
    SocketInfo,
    stalls::{Stalls, Watched},
};

/// A service for one connection: it puts a [`SocketInfo`] into each request's extensions, and watches
/// the bodies of the responses.
#[derive(Debug, Clone)]
pub(crate) struct PerConnection<S> {
    pub(crate) service: S,
    pub(crate) socket: SocketInfo,
    pub(crate) stalls: Arc<Stalls>,
}

impl<S, B, R> Service<Request<B>> for PerConnection<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<Watched<R>>;
    type Error = S::Error;
    type Future = Watching<S::Future>;

    fn call(&self, mut request: Request<B>) -> Self::Future {
        request.extensions_mut().insert(self.socket.clone());
        Watching {
            response: self.service.call(request),
            stalls: Arc::clone(&self.stalls),
        }
    }
}

pin_project! {
    /// A response whose body is going to be watched.
    #[derive(Debug)]
    pub(crate) struct Watching<F> {
        #[pin]
        response: F,
        stalls: Arc<Stalls>,
    }
}

impl<F, B, E> Future for Watching<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<Watched<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let own = self.project();
        let response = ready!(own.response.poll(cx));
        Poll::Ready(response.map(|response| response.map(|body| own.stalls.watch(body))))
    }
}
