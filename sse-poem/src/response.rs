use http_body_util::BodyExt;
use poem::{Body, IntoResponse, Response, http};
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
        let (head, body) = self.0.into_parts();
        let body = body.map_err(|never| match never {}).boxed();
        let mut response = Response::from(Body::from(body));
        response.set_status(head.status);
        *response.headers_mut() = head.headers;
        response
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

impl From<SseError> for poem::Error {
    fn from(error: SseError) -> Self {
        Self::from_response(SseResponse(error.0.to_response()).into_response())
    }
}
