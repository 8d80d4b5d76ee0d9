use std::fmt;

use http_body_util::BodyExt;
use poem::{Body, IntoResponse, Response, http};
use sse_core::{StreamBody, StreamError, Subscription};

/// A stream as a response.
#[must_use = "dropping the response ends the connection"]
pub struct SseResponse(http::Response<StreamBody>);

impl SseResponse {
    pub(crate) const fn new(response: http::Response<StreamBody>) -> Self {
        Self(response)
    }
}

impl From<Subscription> for SseResponse {
    fn from(subscription: Subscription) -> Self {
        Self(subscription.into_response())
    }
}

impl IntoResponse for SseResponse {
    fn into_response(self) -> Response {
        let (head, body) = self.0.into_parts();
        let body = body.map_err(|never| match never {}).boxed();
        let mut response = Response::from(Body::from(body));
        response.set_status(head.status);
        *response.headers_mut() = head.headers;
        response
    }
}

impl fmt::Debug for SseResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Why a request isn't answered with a stream; a handler may return it as it is.
#[derive(Debug)]
pub struct SseError(StreamError);

impl SseError {
    /// The reason.
    #[must_use]
    pub const fn reason(&self) -> &StreamError {
        &self.0
    }
}

impl fmt::Display for SseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for SseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl From<StreamError> for SseError {
    fn from(error: StreamError) -> Self {
        Self(error)
    }
}

impl From<SseError> for poem::Error {
    fn from(error: SseError) -> Self {
        Self::from_response(SseResponse::new(error.0.to_response()).into_response())
    }
}
