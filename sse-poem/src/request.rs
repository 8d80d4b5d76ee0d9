use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use poem::{FromRequest, Request, RequestBody};
use sse_core::{
    ClientId, ClientRequest, GroupName, Hub, LastEventId, Latest, NameError, StreamRequest,
    Subscription,
};
use sse_net::SocketInfo;

use crate::{SseError, SseResponse};

/// Extracts a request for a stream; GET, POST or HEAD.
///
/// It reads the head only, so that a handler may extract the body beside it.
#[derive(Debug, Clone)]
#[must_use = "say whose stream it is, then open it"]
pub struct Sse(StreamRequest);

impl Sse {
    /// What the client says that it saw last.
    #[must_use]
    pub const fn last_event_id(&self) -> Option<&LastEventId> {
        self.0.last_event_id()
    }

    /// From which address the request came, unless the server listens on something else than TCP.
    /// Behind a proxy it is the proxy's.
    #[must_use]
    pub const fn peer_addr(&self) -> Option<SocketAddr> {
        self.0.peer_addr()
    }

    /// Where the client is: the peer, or what the proxies say that `hub` trusts.
    #[must_use]
    pub fn remote_addr(&self, hub: &Hub) -> Option<IpAddr> {
        self.0.remote_addr(hub)
    }

    /// Says whose stream it will be.
    pub fn client(self, client: impl TryInto<ClientId, Error: Into<NameError>>) -> SseClient {
        SseClient(self.0.client(client))
    }
}

impl<'a> FromRequest<'a> for Sse {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let (method, query) = (request.method(), request.uri().query());
        let stream = StreamRequest::new(method, request.headers(), query);
        Ok(Self(stream.from_peer(peer_addr(request))))
    }
}

fn peer_addr(request: &Request) -> Option<SocketAddr> {
    let socket = request.extensions().get::<SocketInfo>();
    socket
        .map(|socket| socket.peer)
        .or_else(|| request.remote_addr().as_socket_addr().copied())
}

/// A request for a stream of a certain client; keeps its first error until it is opened.
#[derive(Debug, Clone)]
#[must_use = "open it"]
pub struct SseClient(ClientRequest);

impl SseClient {
    /// Also puts the connection into `group`.
    pub fn group(self, group: impl TryInto<GroupName, Error: Into<NameError>>) -> Self {
        Self(self.0.group(group))
    }

    /// Attaches a value of the application's own, one of each type.
    pub fn attribute<T: Clone + Send + Sync + 'static>(self, value: T) -> Self {
        Self(self.0.attribute(value))
    }

    /// Ends the stream after so much time. See [`Subscribe::lifetime`](sse_core::Subscribe::lifetime).
    pub fn lifetime(self, time: impl Into<Option<Duration>>) -> Self {
        Self(self.0.lifetime(time))
    }

    /// Replays some of the latest events to a client that says nothing of what it saw last; nothing
    /// by default. See [`Subscribe::latest`](sse_core::Subscribe::latest).
    pub fn latest(self, wanted: Latest) -> Self {
        Self(self.0.latest(wanted))
    }

    /// Opens the stream and makes it a response. What can't be opened is answered with
    /// `{"error": …}`: a name that isn't valid with 400, what the registry refuses with 403, what
    /// this process can't do (no runtime, no random numbers) with 500, all else with 503. What the hub
    /// [refuses](sse_core::Refusal) for now is told to an `EventSource` by an event, at 200; to others
    /// with 503 or 429, `Retry-After` and JSON. A client that was ended for good is answered with 204.
    ///
    /// # Cancel safety
    ///
    /// As [`Hub::subscribe`].
    pub async fn open(self, hub: &Hub) -> SseResponse {
        SseResponse::new(self.0.open(hub).await)
    }

    /// Opens the stream, for a handler that wants its handle first.
    ///
    /// # Errors
    ///
    /// [`SseError`], which a handler may return as it is.
    ///
    /// # Cancel safety
    ///
    /// As [`Hub::subscribe`].
    pub async fn subscribe(self, hub: &Hub) -> Result<Subscription, SseError> {
        Ok(self.0.subscribe(hub).await?)
    }
}
