use http::Response;
use sse_core::{StreamBody, StreamError, StreamReply, Subscription};
use warp::{Reply, reject::Reject};

/// A stream as a reply.
#[derive(Debug)]
#[must_use = "dropping the reply ends the connection"]
pub struct SseResponse(Response<StreamBody>);

impl StreamReply for SseResponse {
    type Error = SseError;
}

impl From<Response<StreamBody>> for SseResponse {
    fn from(response: Response<StreamBody>) -> Self {
        Self(response)
    }
}

impl From<Subscription> for SseResponse {
    fn from(subscription: Subscription) -> Self {
        Self(subscription.into_response())
    }
}

impl Reply for SseResponse {
    fn into_response(self) -> warp::reply::Response {
        let (head, body) = self.0.into_parts();
        let reply = match body.into_events() {
            Ok(events) => warp::reply::stream(events).into_response(),
            Err(whole) => Response::new(whole).into_response(),
        };
        Response::from_parts(head, reply.into_body())
    }
}

/// Why a request isn't answered with a stream. A handler may return it as it is: it is a reply,
/// and a rejection.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SseError(#[from] StreamError);

impl SseError {
    /// The reason.
    #[must_use]
    pub const fn reason(&self) -> &StreamError {
        &self.0
    }

    /// The reply to it: for a `recover` filter, which finds it in a rejection by reference.
    pub fn to_reply(&self) -> SseResponse {
        SseResponse(self.0.to_response())
    }
}

impl Reply for SseError {
    fn into_response(self) -> warp::reply::Response {
        self.to_reply().into_response()
    }
}

impl Reject for SseError {}
