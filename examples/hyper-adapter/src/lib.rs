//! An adapter for services of hyper's own, without a framework: what `docs/writing-an-adapter.md` walks
//! through.

#![forbid(unsafe_code)]

use std::net::SocketAddr;

use http::{Response, request::Parts};
use sse_core::{
    ClientId, ClientRequest, LastEventId, NameError, StreamBody, StreamError, StreamReply,
    StreamRequest, Subscription,
};
use sse_net::SocketInfo;

/// A request for a stream.
#[derive(Debug, Clone)]
#[must_use = "say whose stream it is, then open it"]
pub struct Sse(StreamRequest);

impl Sse {
    /// Reads the head of a request.
    pub fn new(head: &Parts) -> Self {
        let stream = StreamRequest::new(&head.method, &head.headers, head.uri.query());
        let socket = head.extensions.get::<SocketInfo>();
        Self(stream.from_peer(socket.map(|socket| socket.peer)))
    }

    /// What the client says that it saw last.
    #[must_use]
    pub const fn last_event_id(&self) -> Option<&LastEventId> {
        self.0.last_event_id()
    }

    /// From which address the request came.
    #[must_use]
    pub const fn peer_addr(&self) -> Option<SocketAddr> {
        self.0.peer_addr()
    }

    /// Says whose stream it will be.
    pub fn client(
        self,
        client: impl TryInto<ClientId, Error: Into<NameError>>,
    ) -> ClientRequest<SseResponse> {
        self.0.client(client).reply_with()
    }
}

/// A stream as a response.
#[derive(Debug)]
#[must_use = "dropping the response ends the connection"]
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

impl SseResponse {
    /// What hyper sends.
    pub fn into_response(self) -> Response<StreamBody> {
        self.0
    }
}

/// Why a request isn't answered with a stream.
#[derive(Debug)]
pub struct SseError(pub StreamError);

impl From<StreamError> for SseError {
    fn from(error: StreamError) -> Self {
        Self(error)
    }
}

impl From<SseError> for SseResponse {
    fn from(error: SseError) -> Self {
        Self(error.0.to_response())
    }
}
