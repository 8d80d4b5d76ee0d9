use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::request::Parts;
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

    /// From which address the request came: what a [`SocketInfo`] or a [`ConnectInfo`] in the
    /// request's extensions says. Behind a proxy it is the proxy's.
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

impl<S: Sync> FromRequestParts<S> for Sse {
    type Rejection = Infallible;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let stream = StreamRequest::new(&head.method, &head.headers, head.uri.query());
        Ok(Self(stream.from_peer(peer_addr(head))))
    }
}

fn peer_addr(head: &Parts) -> Option<SocketAddr> {
    let socket = head.extensions.get::<SocketInfo>();
    let connect = head.extensions.get::<ConnectInfo<SocketAddr>>();
    socket
        .map(|socket| socket.peer)
        .or_else(|| connect.map(|connect| connect.0))
}

/// A request for a stream of a certain client: [`group`](ClientRequest::group) and others say more of
/// it, [`open`](ClientRequest::open) makes it a response, and [`subscribe`](ClientRequest::subscribe)
/// a subscription first.
pub type SseClient = ClientRequest<SseResponse>;
