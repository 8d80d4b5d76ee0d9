use std::{
    convert::Infallible,
    error::Error,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use http_body::{Body, Frame};

use crate::{EventBody, NameError, RegistryError, SubscribeError, Subscription};

/// The headers of every stream, on every version of HTTP: no cache and no proxy may hold it back
/// or change it.
const STREAM_HEADERS: [(HeaderName, HeaderValue); 3] = [
    (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
    (
        CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-transform"),
    ),
    (
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    ),
];

/// The body of the answer to a request for a stream: the stream, an error in JSON, or nothing.
#[derive(Debug)]
#[must_use = "dropping the body ends the connection"]
pub struct StreamBody(Kind);

#[derive(Debug)]
enum Kind {
    Events(EventBody),
    /// What is left of a body that is known whole.
    Whole(Option<Bytes>),
}

impl StreamBody {
    /// The stream's events, which are a [`Stream`](futures_core::Stream) too; or, where it isn't
    /// one, all of its bytes: for frameworks that take no [`Body`].
    ///
    /// # Errors
    ///
    /// What there is instead of events.
    pub fn into_events(self) -> Result<EventBody, Bytes> {
        match self.0 {
            Kind::Events(events) => Ok(events),
            Kind::Whole(whole) => Err(whole.unwrap_or_default()),
        }
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Kind::Events(events) => Pin::new(events).poll_frame(cx),
            Kind::Whole(whole) => Poll::Ready(whole.take().map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Events(events) => events.is_end_stream(),
            Kind::Whole(whole) => whole.is_none(),
        }
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match &self.0 {
            Kind::Events(events) => events.size_hint(),
            Kind::Whole(whole) => {
                http_body::SizeHint::with_exact(whole.as_ref().map_or(0, |w| w.len() as u64))
            }
        }
    }
}

impl Subscription {
    /// The response that carries the stream.
    pub fn into_response(self) -> Response<StreamBody> {
        stream_head(Kind::Events(self.into_body()))
    }
}

fn stream_head(body: Kind) -> Response<StreamBody> {
    let mut response = Response::new(StreamBody(body));
    response.headers_mut().extend(STREAM_HEADERS);
    response
}

/// Why a request isn't answered with a stream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The client or a group has a name that isn't valid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Only the head was asked for: nothing is registered.
    #[error("the request is for the head only")]
    HeadOnly,
    /// The hub didn't open the stream.
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
}

impl StreamError {
    /// The status of the response.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Name(_) => StatusCode::BAD_REQUEST,
            Self::HeadOnly => StatusCode::OK,
            Self::Subscribe(SubscribeError::NoRuntime | SubscribeError::Random(_)) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::Subscribe(SubscribeError::Registry(RegistryError::Refused(_))) => {
                StatusCode::FORBIDDEN
            }
            Self::Subscribe(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The response: `{"error": …}`, or the bare head where that was asked for.
    pub fn to_response(&self) -> Response<StreamBody> {
        if matches!(self, Self::HeadOnly) {
            return stream_head(Kind::Whole(None));
        }
        if self.status().is_server_error() {
            tracing::warn!(error = self as &dyn Error, "a stream wasn't opened");
        }
        let json = serde_json::json!({ "error": self.to_string() }).to_string();
        let mut response = Response::new(StreamBody(Kind::Whole(Some(json.into()))));
        *response.status_mut() = self.status();
        let content_type = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        response
    }
}
