use std::{error::Error, future::poll_fn, pin::pin, sync::Arc};

use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, service::Service};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};

use crate::{connections::Finish, first_bytes::FirstBytes};

/// Both protocols of HTTP, as they are to be spoken.
pub(crate) type Http = auto::Builder<TokioExecutor>;

/// Serves a connection until it ends, and gracefully to its end once that is asked for.
///
/// hyper reports a FIN in the midst of a response as an error, with which this ends and closes
/// the socket: [`CloseAware`](crate::CloseAware) has nothing to add here.
pub(crate) async fn serve<T, S, B>(
    http: Arc<Http>,
    stream: T,
    service: S,
    first_bytes_by: Option<Instant>,
    mut finish: Finish,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let stream = TokioIo::new(FirstBytes::new(stream, first_bytes_by));
    let mut connection = pin!(http.serve_connection_with_upgrades(stream, service));
    let mut is_finishing = false;
    let ended = poll_fn(|cx| {
        let ended = connection.as_mut().poll(cx);
        if ended.is_ready() || is_finishing || finish.poll_asked(cx).is_pending() {
            return ended;
        }
        is_finishing = true;
        connection.as_mut().graceful_shutdown();
        connection.as_mut().poll(cx)
    });
    if let Err(error) = ended.await {
        tracing::debug!(error, "a connection failed");
    }
}
