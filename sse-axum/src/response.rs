use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use sse_core::{StreamBody, StreamError, StreamReply, Subscription};

/// A stream as a response.
#[derive(Debug)]
#[must_use = "dropping the response ends the connection"]
pub struct SseResponse(http::Response<StreamBody>);

impl StreamReply for SseResponse {
    type Error = SseError;
}

impl From<http::Response<StreamBody>> for SseResponse {
    fn from(response: http::Response<StreamBody>) -> Self {
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
        self.0.map(Body::new)
    }
}

/// Why a request isn't answered with a stream; a handler may return it as it is.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SseError(#[from] StreamError);

impl SseError {
    /// The reason.
    #[must_use]
    pub const fn reason(&self) -> &StreamError {
        &self.0
    }
}

impl IntoResponse for SseError {
    fn into_response(self) -> Response {
        SseResponse(self.0.to_response()).into_response()
    }
}
