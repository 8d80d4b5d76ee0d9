use std::{
    fmt,
    marker::PhantomData,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use http::{HeaderMap, Method, Response, header};
use percent_encoding::percent_decode_str;

use crate::{
    ClientId, GroupName, Hub, LastEventId, Latest, NameError, StreamBody, StreamError, Subscribe,
    SubscribeError, Subscription, remote_addr::Told,
};

/// The header by which a client says what it saw last (WHATWG HTML, 9.2.4).
const LAST_EVENT_ID: &str = "last-event-id";

/// Its stand-ins in the query, for clients that can't set a header at their first request.
const LAST_EVENT_ID_PARAMETERS: [&str; 2] = ["lastEventId", "last_event_id"];

/// What an adapter needs to know of a request for a stream.
#[derive(Debug, Clone)]
#[must_use = "say whose stream it is, then open it"]
pub struct StreamRequest {
    head_only: bool,
    wants_events: bool,
    last_event_id: Option<LastEventId>,
    peer_addr: Option<SocketAddr>,
    told: Told,
}

impl StreamRequest {
    /// Reads a request's method, headers and query.
    ///
    /// The last event id is that of the `Last-Event-ID` header, which wins over the query
    /// parameters `lastEventId` and `last_event_id`. Empty means none.
    pub fn new(method: &Method, headers: &HeaderMap, query: Option<&str>) -> Self {
        let last_event_id = match headers.get(LAST_EVENT_ID) {
            Some(value) => LastEventId::parse(value.as_bytes()),
            None => parameter(query.unwrap_or_default(), &LAST_EVENT_ID_PARAMETERS)
                .and_then(|value| LastEventId::parse(&value)),
        };
        Self {
            head_only: method == Method::HEAD,
            wants_events: wants_events(headers),
            last_event_id,
            peer_addr: None,
            told: Told::new(headers),
        }
    }

    /// Says from which address the request came, as the socket tells it; unknown unless told.
    pub const fn from_peer(mut self, peer_addr: Option<SocketAddr>) -> Self {
        self.peer_addr = peer_addr;
        self
    }

    /// What the client says that it saw last.
    #[must_use]
    pub const fn last_event_id(&self) -> Option<&LastEventId> {
        self.last_event_id.as_ref()
    }

    /// From which address the request came, where the server tells. Behind a proxy it is the
    /// proxy's.
    #[must_use]
    pub const fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer_addr
    }

    /// Where the client is: the peer, or what the proxies say that `hub` trusts.
    #[must_use]
    pub fn remote_addr(&self, hub: &Hub) -> Option<IpAddr> {
        origin(hub, self.peer_addr, &self.told)
    }

    /// Says whose stream it will be.
    pub fn client(self, client: impl TryInto<ClientId, Error: Into<NameError>>) -> ClientRequest {
        let client = client.try_into().map_err(Into::into);
        let last_event_id = self.last_event_id;
        ClientRequest {
            asked: Asked {
                head_only: self.head_only,
                wants_events: self.wants_events,
                peer_addr: self.peer_addr,
                told: self.told,
                subscribe: client.map(|client| Subscribe::new(client).last_event_id(last_event_id)),
            },
            reply: PhantomData,
        }
    }
}

fn origin(hub: &Hub, peer: Option<SocketAddr>, told: &Told) -> Option<IpAddr> {
    peer.map(|peer| hub.trusted_proxies().origin(peer.ip(), told))
}

/// Whether the client says that it reads events, as an `EventSource` does (WHATWG HTML, 9.2.3): it
/// gives up for good at any other answer than a stream.
fn wants_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).into_iter();
    let mut ranges = accepted.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    ranges.any(|range| {
        let essence = range.split(|byte| *byte == b';').next().unwrap_or_default();
        essence
            .trim_ascii()
            .eq_ignore_ascii_case(b"text/event-stream")
    })
}

/// The value of the first parameter of one of these names, as the bytes that it is: a parser that
/// made it text would change what isn't UTF-8 (WHATWG URL, 5.1).
fn parameter(query: &str, names: &[&str]) -> Option<Vec<u8>> {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).collect::<Vec<_>>();
    query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded(name);
        let wanted = names.iter().any(|wanted| wanted.as_bytes() == name);
        wanted.then(|| decoded(value))
    })
}

/// What a stream is answered with: the response of a framework, made of the library's.
pub trait StreamReply: From<Response<StreamBody>> {
    /// Why a stream isn't opened, as a handler of the framework returns it.
    type Error: From<StreamError>;
}

impl StreamReply for Response<StreamBody> {
    type Error = StreamError;
}

/// A request for a stream of a certain client; keeps its first error until it is opened.
///
/// `R` is what it is answered with: an adapter names it for its framework.
#[must_use = "open it"]
pub struct ClientRequest<R = Response<StreamBody>> {
    asked: Asked,
    reply: PhantomData<fn() -> R>,
}

#[derive(Debug, Clone)]
struct Asked {
    head_only: bool,
    wants_events: bool,
    peer_addr: Option<SocketAddr>,
    told: Told,
    subscribe: Result<Subscribe, NameError>,
}

impl<R> ClientRequest<R> {
    /// The same, answered with another response.
    pub fn reply_with<T>(self) -> ClientRequest<T> {
        ClientRequest {
            asked: self.asked,
            reply: PhantomData,
        }
    }

    /// Also puts the connection into `group`.
    pub fn group(mut self, group: impl TryInto<GroupName, Error: Into<NameError>>) -> Self {
        self.asked.subscribe = self.asked.subscribe.and_then(|subscribe| {
            let group: GroupName = group.try_into().map_err(Into::into)?;
            Ok(subscribe.group(group))
        });
        self
    }

    /// Attaches a value of the application's own, one of each type.
    pub fn attribute<T: Clone + Send + Sync + 'static>(self, value: T) -> Self {
        self.set(|subscribe| subscribe.attribute(value))
    }

    /// Ends the stream after so much time. See [`Subscribe::lifetime`].
    pub fn lifetime(self, time: impl Into<Option<Duration>>) -> Self {
        self.set(|subscribe| subscribe.lifetime(time))
    }

    /// Takes the stream back after so much time, as when a token expires. See [`Subscribe::valid_for`].
    pub fn valid_for(self, time: impl Into<Option<Duration>>) -> Self {
        self.set(|subscribe| subscribe.valid_for(time))
    }

    /// Begins the stream with how things stand. See [`Subscribe::begin_with_state`].
    pub fn begin_with_state(self) -> Self {
        self.set(Subscribe::begin_with_state)
    }

    /// Replays some of the latest events to a client that says nothing of what it saw last; nothing
    /// by default. See [`Subscribe::latest`].
    pub fn latest(self, wanted: Latest) -> Self {
        self.set(|subscribe| subscribe.latest(wanted))
    }

    fn set(mut self, set: impl FnOnce(Subscribe) -> Subscribe) -> Self {
        self.asked.subscribe = self.asked.subscribe.map(set);
        self
    }
}

impl<R: StreamReply> ClientRequest<R> {
    /// Opens the stream and makes it a response. What can't be opened is answered with
    /// `{"error": …}`: a name that isn't valid with 400, what the registry refuses with 403, what
    /// this process can't do (no runtime, no random numbers) with 500, all else with 503. What the hub
    /// [refuses](crate::Refusal) for now is told to an `EventSource` by an event, at 200; to others
    /// with 503 or 429, `Retry-After` and JSON. A client that was ended for good is answered with 204.
    ///
    /// # Cancel safety
    ///
    /// As [`Hub::subscribe`].
    pub async fn open(self, hub: &Hub) -> R {
        let response = match self.asked.subscribe(hub).await {
            Ok(subscription) => subscription.into_response(),
            Err(error) => error.to_response(),
        };
        response.into()
    }

    /// Answers that the stream isn't taken now and may be later, because something that the application
    /// needs to judge it isn't there, such as the store of its sessions: as a limit of the hub's is told
    /// (see [`open`](Self::open)), with the reason `unavailable`. An `EventSource` comes back by itself,
    /// where it gives up for good at a status.
    pub fn refuse(self, hub: &Hub) -> R {
        let refusal = hub.refuse().map_err(SubscribeError::Random);
        let error = StreamError::from(refusal.map_or_else(|error| error, SubscribeError::Refused));
        let error = match self.asked.head_only {
            true => StreamError::HeadOnly,
            false => error.for_client(self.asked.wants_events),
        };
        error.to_response().into()
    }

    /// Opens the stream, for a handler that wants its handle first.
    ///
    /// # Errors
    ///
    /// [`StreamError`], or what the framework makes of it, which a handler may return as it is.
    ///
    /// # Cancel safety
    ///
    /// As [`Hub::subscribe`].
    pub async fn subscribe(self, hub: &Hub) -> Result<Subscription, R::Error> {
        Ok(self.asked.subscribe(hub).await?)
    }
}

impl Asked {
    async fn subscribe(self, hub: &Hub) -> Result<Subscription, StreamError> {
        let subscribe = self.subscribe?;
        if self.head_only {
            return Err(StreamError::HeadOnly);
        }
        let remote_addr = origin(hub, self.peer_addr, &self.told);
        // On the heap: frameworks keep room for a handler's future as long as its connection is there.
        let subscribed = Box::pin(hub.subscribe(subscribe.remote_addr(remote_addr))).await;
        subscribed.map_err(|error| StreamError::from(error).for_client(self.wants_events))
    }
}

impl<R> Clone for ClientRequest<R> {
    fn clone(&self) -> Self {
        Self {
            asked: self.asked.clone(),
            reply: PhantomData,
        }
    }
}

impl<R> fmt::Debug for ClientRequest<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientRequest").field(&self.asked).finish()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::EventId;

    fn last(header: Option<&[u8]>, query: &str) -> Option<LastEventId> {
        let header = header.map(|value| HeaderValue::from_bytes(value).unwrap());
        let headers = header
            .into_iter()
            .map(|v| (LAST_EVENT_ID.parse().unwrap(), v));
        let request = StreamRequest::new(&Method::GET, &headers.collect(), Some(query));
        request.last_event_id().cloned()
    }

    #[test]
    fn the_header_wins_over_the_query() {
        let id = |text| Some(LastEventId::Event(EventId::new(text).unwrap()));
        assert_eq!(last(None, ""), None);
        assert_eq!(last(None, "a=b&lastEventId=x%2Fy"), id("x/y"));
        assert_eq!(last(None, "last_event_id=7"), id("7"));
        assert_eq!(last(Some(b"8"), "lastEventId=7"), id("8"));
        assert_eq!(last(Some(b""), "lastEventId=7"), None);
        assert_eq!(last(Some(b"\xff"), ""), Some(LastEventId::Unknown));
        assert_eq!(last(None, "lastEventId=%ff"), Some(LastEventId::Unknown));
        assert_eq!(last(None, "lastEventId=a%0a"), Some(LastEventId::Unknown));
        assert_eq!(last(None, "lastEventId=a+b%2b"), id("a b+"));
        assert_eq!(last(None, "last%45ventId=7&lastEventId=8"), id("7"));
        assert_eq!(last(None, "lastEventId"), None);
    }

    #[test]
    fn an_event_source_is_known_by_what_it_accepts() {
        for (accept, expected) in [
            ("text/event-stream", true),
            ("text/html, TEXT/Event-Stream ; q=0.5", true),
            ("*/*", false),
            ("text/event-streams", false),
            ("", false),
        ] {
            let accept_header = (header::ACCEPT, HeaderValue::from_static(accept));
            let headers = HeaderMap::from_iter([accept_header]);
            assert_eq!(wants_events(&headers), expected, "{accept}");
        }
        assert!(!wants_events(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn a_request_for_the_head_registers_nothing() {
        let hub = Hub::builder().build().unwrap();
        let head = || StreamRequest::new(&Method::HEAD, &HeaderMap::new(), None).client("ada");
        let refused = head().subscribe(&hub).await;
        assert!(matches!(refused, Err(StreamError::HeadOnly)));
        let response = head().open(&hub).await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.into_body().into_events().unwrap_err(), "");
        assert_eq!(
            (hub.info().connections, hub.info().ended.client_gone),
            (0, 0)
        );
    }
}
