//! What the server answers, whatever the framework.

use std::{collections::BTreeMap, fmt::Display};

use bytes::Buf;
use example_support::read_json;
use futures_util::Stream;
use http::HeaderMap;
use percent_encoding::percent_decode_str;
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use sse_core::{Bounds, ClientId, Final, GroupName, Hub, Info, Position, Target};

use crate::{
    answer::{Answer, Refusal},
    draining::before_draining,
    send::{BatchRequest, SendRequest},
};

/// The methods of a stream, as `Allow` tells them.
pub(crate) const STREAM_METHODS: &str = "GET, HEAD, POST";

/// The methods of what only tells something.
pub(crate) const READ_METHODS: &str = "GET, HEAD";

/// The methods of what does something.
pub(crate) const ACTION_METHODS: &str = "POST";

/// How many bytes the body of a request may have.
const MAX_BODY: usize = 2 * 1024 * 1024;

/// The group of a stream that names none.
const DEFAULT_GROUP: &str = "default";

/// Refuses a query that isn't UTF-8, which would be changed silently (percent-encoded or not).
pub(crate) fn check_query(query: Option<&str>) -> Result<(), Refusal> {
    let decoded = percent_decode_str(query.unwrap_or_default()).decode_utf8();
    decoded.map(drop).map_err(|_| Refusal::NotUtf8("query"))
}

/// Reads a query.
pub(crate) fn query<T: DeserializeOwned>(query: Option<&str>) -> Result<T, Refusal> {
    serde_urlencoded::from_str(query.unwrap_or_default())
        .map_err(|error| Refusal::BadRequest(format!("query: {error}")))
}

/// The names in what is left of a path, of which the frameworks' own parameters take no empty one, or
/// leave what they take as it stands there.
pub(crate) fn names<const N: usize>(tail: &str) -> Result<[String; N], Refusal> {
    let segments: Vec<_> = tail.split('/').collect();
    let segments = <[&str; N]>::try_from(segments).map_err(|_| Refusal::NotFound)?;
    if segments.last() == Some(&"") {
        return Err(Refusal::NotFound);
    }
    let mut names = [const { String::new() }; N];
    for (name, segment) in names.iter_mut().zip(segments) {
        let decoded = percent_decode_str(segment).decode_utf8();
        *name = decoded.map_err(|_| Refusal::NotUtf8("path"))?.into_owned();
    }
    Ok(names)
}

/// The query of `GET /api/v1/sse/stream`.
#[derive(Debug, Deserialize)]
pub(crate) struct StreamQuery {
    group: Option<String>,
    id: Option<String>,
}

impl StreamQuery {
    /// The group and the client of the stream.
    pub(crate) fn names(self) -> Result<(String, String), Refusal> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let id = given(self.id).ok_or_else(|| Refusal::BadRequest("id: missing".to_owned()))?;
        let group = given(self.group).unwrap_or_else(|| DEFAULT_GROUP.to_owned());
        Ok((group, id))
    }
}

/// Publishes what the body of a request says.
pub(crate) async fn send<B, E>(
    hub: &Hub,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<B, E>> + Send,
) -> Result<Answer, Refusal>
where
    B: Buf + Send,
    E: Display + Send,
{
    let body = read_object(headers, body).await?;
    let request = serde_json::from_slice::<SendRequest<'_>>(&body)?;
    let done = before_draining(hub, request.send(hub)).await?;
    Ok(Answer::json(&done))
}

/// Publishes all that the body of a request says, or nothing.
pub(crate) async fn batch<B, E>(
    hub: &Hub,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<B, E>> + Send,
) -> Result<Answer, Refusal>
where
    B: Buf + Send,
    E: Display + Send,
{
    let body = read_object(headers, body).await?;
    let request = serde_json::from_slice::<BatchRequest<'_>>(&body)?;
    let done = before_draining(hub, request.send(hub)).await?;
    Ok(Answer::json(&done))
}

/// A body that is an object in JSON; in the words that are easiest to understand if it isn't.
pub(crate) async fn read_object<B, E>(
    headers: &HeaderMap,
    body: impl Stream<Item = Result<B, E>> + Send,
) -> Result<Vec<u8>, Refusal>
where
    B: Buf + Send,
    E: Display + Send,
{
    let body = read_json(headers, body, MAX_BODY).await?;
    if !body.trim_ascii_start().starts_with(b"{") {
        serde_json::from_slice::<IgnoredAny>(&body)?;
        return Err(Refusal::NotAnObject);
    }
    Ok(body)
}

#[derive(Debug, Serialize)]
struct Disconnected {
    closed: usize,
}

/// For how long a client isn't to come back; if it isn't said, it may at once.
#[derive(Debug, Deserialize)]
pub(crate) struct DisconnectQuery {
    r#for: Option<String>,
}

pub(crate) fn disconnect(
    hub: &Hub,
    group: &str,
    id: &str,
    query: &DisconnectQuery,
) -> Result<Answer, Refusal> {
    let target = Target::client(ClientId::new(id)?).within(GroupName::new(group)?);
    let closed = match &query.r#for {
        None => hub.disconnect(&target),
        Some(time) => {
            let time = humantime::parse_duration(time);
            let time = time.map_err(|error| Refusal::BadRequest(format!("for: {error}")))?;
            hub.disconnect_for_good(&target, Final::lasting(time))
        }
    };
    Ok(Answer::json(&Disconnected { closed }))
}

#[derive(Debug, Serialize)]
struct Allowed {
    allowed: bool,
}

pub(crate) fn allow(hub: &Hub, id: &str) -> Result<Answer, Refusal> {
    let allowed = hub.allow(id)?;
    Ok(Answer::json(&Allowed { allowed }))
}

#[derive(Debug, Serialize)]
struct InfoAnswer {
    #[serde(flatten)]
    info: Info,
    history: Option<HistoryAnswer>,
}

/// What the history holds.
#[derive(Debug, Serialize)]
struct HistoryAnswer {
    events: u64,
    bytes: u64,
    oldest: Option<String>,
    newest: String,
}

impl From<Bounds> for HistoryAnswer {
    fn from(bounds: Bounds) -> Self {
        let Bounds { floor, newest, .. } = bounds;
        let oldest = Position::new(floor.epoch(), floor.sequence().saturating_add(1));
        Self {
            events: bounds.events,
            bytes: bounds.bytes,
            oldest: (bounds.events > 0).then(|| oldest.to_string()),
            newest: newest.to_string(),
        }
    }
}

pub(crate) async fn info(hub: &Hub) -> Result<Answer, Refusal> {
    let history = hub.history().await?.map(HistoryAnswer::from);
    let info = hub.info();
    Ok(Answer::json(&InfoAnswer { info, history }))
}

/// Which part of a list to answer with: what comes after a name, and how many.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct PageQuery {
    after: String,
    limit: Limit,
}

/// How many names a list has: 100 unless told, 1,000 at the most.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Limit(usize);

impl TryFrom<String> for Limit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.parse() {
            Ok(limit @ 1..=1000) => Ok(Self(limit)),
            _ => Err("limit: not a number from 1 to 1000".to_owned()),
        }
    }
}

impl Default for PageQuery {
    fn default() -> Self {
        Self {
            after: String::new(),
            limit: Limit(100),
        }
    }
}

impl PageQuery {
    /// That part of `items`, and the name to go on after if there is more.
    fn cut<T>(&self, items: BTreeMap<String, T>) -> (Vec<(String, T)>, Option<String>) {
        let mut rest = items.into_iter().filter(|(name, _)| *name > self.after);
        let page: Vec<_> = rest.by_ref().take(self.limit.0).collect();
        let more = rest.next().is_some();
        let next = page.last().filter(|_| more).map(|(name, _)| name.clone());
        (page, next)
    }
}

#[derive(Debug, Serialize)]
struct GroupAnswer {
    connections: usize,
    clients: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

pub(crate) fn group(hub: &Hub, name: &str, page: &PageQuery) -> Result<Answer, Refusal> {
    let members = hub.connections(&Target::group(GroupName::new(name)?));
    let clients = members.iter().filter_map(|member| member.client());
    let (clients, next) = page.cut(clients.map(|client| (client.into(), ())).collect());
    Ok(Answer::json(&GroupAnswer {
        connections: members.len(),
        clients: clients.into_iter().map(|(client, ())| client).collect(),
        next,
    }))
}

#[derive(Debug, Serialize)]
struct GroupsAnswer {
    groups: Vec<GroupSize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Serialize)]
struct GroupSize {
    name: String,
    connections: usize,
}

pub(crate) fn groups(hub: &Hub, page: &PageQuery) -> Answer {
    let mut sizes = BTreeMap::new();
    for connection in hub.connections(&Target::everybody()) {
        for group in connection.groups() {
            *sizes.entry(group.into()).or_default() += 1;
        }
    }
    let (page, next) = page.cut(sizes);
    let size = |(name, connections)| GroupSize { name, connections };
    Answer::json(&GroupsAnswer {
        groups: page.into_iter().map(size).collect(),
        next,
    })
}
