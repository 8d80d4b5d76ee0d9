use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, Method};
use sse_core::{ClientId, ClientRequest, Hub, LastEventId, NameError, StreamRequest};
use sse_net::SocketInfo;
use warp::{Filter, Rejection};

use crate::SseResponse;

/// A filter that extracts a request for a stream, a [`Sse`]; GET, POST or HEAD.
///
/// It rejects other methods as warp's own method filters do (405), so that it stands behind those
/// of the path. It reads the head only, so that the body can be extracted beside it.
pub fn sse() -> impl Filter<Extract = (Sse,), Error = Rejection> + Copy {
    let method = warp::get().or(warp::post()).unify();
    let method = method.or(warp::head()).unify().and(warp::method());
    let query = warp::query::raw().map(Some);
    let query = query.or(warp::any().map(|| None)).unify();
    method
        .and(warp::header::headers_cloned())
        .and(query)
        .and(peer_addr())
        .map(
            |method: Method, headers: HeaderMap, query: Option<String>, peer_addr| {
                let request = StreamRequest::new(&method, &headers, query.as_deref());
                Sse(request.from_peer(peer_addr))
            },
        )
}

/// What the server says of the socket; `warp::serve` has a way of its own.
fn peer_addr()
-> impl Filter<Extract = (Option<SocketAddr>,), Error = std::convert::Infallible> + Copy {
    warp::ext::optional()
        .and(warp::addr::remote())
        .map(|socket: Option<SocketInfo>, remote| socket.map(|socket| socket.peer).or(remote))
}

/// A request for a stream.
#[derive(Debug, Clone)]
#[must_use = "say whose stream it is, then open it"]
pub struct Sse(StreamRequest);

impl Sse {
    /// What the client says that it saw last.
    #[must_use]
    pub const fn last_event_id(&self) -> Option<&LastEventId> {
        self.0.last_event_id()
    }

    /// From which address the request came: what `warp::serve` or a
    /// [`SocketInfo`] in the request's extensions says. Behind a proxy it is the proxy's.
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

/// A request for a stream of a certain client: [`group`](ClientRequest::group) and others say more of
/// it, [`open`](ClientRequest::open) makes it a reply, and [`subscribe`](ClientRequest::subscribe)
/// a subscription first.
pub type SseClient = ClientRequest<SseResponse>;
