use std::{
    convert::Infallible,
    error::Error,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
};
use http_body::{Body, Frame};
use serde_json::json;

use crate::{EventBody, NameError, Refusal, RegistryError, SubscribeError, Subscription};

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
    /// The stream isn't taken now, and may be later.
    #[error("{refusal}")]
    Refused {
        /// Why, and when to come back.
        refusal: Refusal,
        /// Whether the client is told so by an event of a stream that ends, rather than by a status.
        by_event: bool,
    },
    /// The hub didn't open the stream.
    #[error(transparent)]
    Subscribe(SubscribeError),
}

/// A refusal is told by an event, unless the hub is set to tell it by status.
impl From<SubscribeError> for StreamError {
    fn from(error: SubscribeError) -> Self {
        match error {
            SubscribeError::Refused(refusal) => Self::Refused {
                by_event: !refusal.is_by_status(),
                refusal,
            },
            error => Self::Subscribe(error),
        }
    }
}

impl StreamError {
    /// The same for a client that reads events, or one that doesn't: that is told by status.
    pub(crate) fn for_client(mut self, wants_events: bool) -> Self {
        if let Self::Refused { by_event, .. } = &mut self {
            *by_event &= wants_events;
        }
        self
    }

    /// The status of the response.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Name(_) => StatusCode::BAD_REQUEST,
            Self::HeadOnly | Self::Refused { by_event: true, .. } => StatusCode::OK,
            Self::Refused { refusal, .. } => refusal.status(),
            Self::Subscribe(SubscribeError::Final) => StatusCode::NO_CONTENT,
            Self::Subscribe(SubscribeError::NoRuntime | SubscribeError::Random(_)) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::Subscribe(SubscribeError::Registry(RegistryError::Refused(_))) => {
                StatusCode::FORBIDDEN
            }
            Self::Subscribe(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The response: `{"error": …}`, or the bare head where that was asked for; a refusal is a stream
    /// of one event, or has `Retry-After`, and `reason` and `retry_ms` in its JSON.
    pub fn to_response(&self) -> Response<StreamBody> {
        let error = self.to_string();
        let (json, retry_after) = match self {
            Self::HeadOnly => return stream_head(Kind::Whole(None)),
            Self::Subscribe(SubscribeError::Final) => {
                let mut response = Response::new(StreamBody(Kind::Whole(None)));
                *response.status_mut() = self.status();
                return response;
            }
            Self::Refused {
                refusal,
                by_event: true,
            } => return stream_head(Kind::Whole(Some(refusal.event()))),
            Self::Refused { refusal, .. } => {
                let (reason, retry) = (refusal.reason(), refusal.retry());
                let retry_ms = u64::try_from(retry.as_millis()).unwrap_or(u64::MAX);
                let json = json!({ "error": error, "reason": reason, "retry_ms": retry_ms });
                (json, Some(retry_ms.div_ceil(1000)))
            }
            _ => (json!({ "error": error }), None),
        };
        if self.status().is_server_error() && retry_after.is_none() {
            tracing::warn!(error = self as &dyn Error, "a stream wasn't opened");
        }
        let body = Kind::Whole(Some(json.to_string().into()));
        let mut response = Response::new(StreamBody(body));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}
