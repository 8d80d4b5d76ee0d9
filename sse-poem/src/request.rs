use std::net::{IpAddr, SocketAddr};

use poem::{FromRequest, Request, RequestBody};
use sse_core::{ClientId, ClientRequest, Hub, LastEventId, NameError, StreamRequest};
use sse_net::SocketInfo;

use crate::SseResponse;

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
        self.0.client(client).reply_with()
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

/// A request for a stream of a certain client: [`group`](ClientRequest::group) and others say more of
/// it, [`open`](ClientRequest::open) makes it a response, and [`subscribe`](ClientRequest::subscribe)
/// a subscription first.
pub type SseClient = ClientRequest<SseResponse>;
