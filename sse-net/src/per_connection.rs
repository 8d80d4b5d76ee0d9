use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response, Version, header::CONTENT_TYPE};
use http_body::Body;
use hyper::service::Service;
use pin_project_lite::pin_project;

use crate::{
    SocketInfo,
    connections::Control,
    stalls::{self, Watched},
};

/// A service for one connection: it puts a [`SocketInfo`] into each request's extensions, and watches
/// whether streams of events get on over HTTP/2.
#[derive(Debug, Clone)]
pub(crate) struct PerConnection<S> {
    pub(crate) service: S,
    pub(crate) socket: SocketInfo,
    pub(crate) control: Arc<Control>,
}

impl<S, B, R: Body> Service<Request<B>> for PerConnection<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<Watched<R>>;
    type Error = S::Error;
    type Future = Watching<S::Future>;

    fn call(&self, mut request: Request<B>) -> Self::Future {
        request.extensions_mut().insert(self.socket.clone());
        // Over HTTP/1 a write that waits tells, and a body that isn't polled says nothing: a large
        // piece of it may be on its way.
        let control = (request.version() == Version::HTTP_2).then(|| Arc::clone(&self.control));
        Watching {
            response: self.service.call(request),
            control,
        }
    }
}

fn is_event_stream<B>(response: &Response<B>) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"))
}

pin_project! {
    /// A response whose body is going to be watched.
    #[derive(Debug)]
    pub(crate) struct Watching<F> {
        #[pin]
        response: F,
        control: Option<Arc<Control>>,
    }
}

impl<F, B: Body, E> Future for Watching<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<Watched<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let own = self.project();
        let response = ready!(own.response.poll(cx));
        Poll::Ready(response.map(|response| {
            let is_watched = is_event_stream(&response);
            response.map(|body| match own.control {
                Some(control) if is_watched => control.stalls.watch(body),
                Some(_) => Watched::alone(body, stalls::MOST),
                // `Server` has hyper copy what it writes over HTTP/1.
                None => Watched::alone(body, stalls::MOST_COPIED),
            })
        }))
    }
}
