//! What the server answers, whatever the framework.

use std::collections::BTreeMap;

use mime::Mime;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use sse_core::{ClientId, GroupName, Hub, Target};

use crate::{
    answer::{Refusal, Sent},
    send::SendRequest,
};

/// How many bytes the body of a request may have.
pub(crate) const MAX_BODY: usize = 2 * 1024 * 1024;

/// The group of a stream that names none.
pub(crate) const DEFAULT_GROUP: &str = "default";

/// The query of `GET /api/v1/sse/stream`.
#[derive(Debug, Deserialize)]
pub(crate) struct StreamQuery {
    pub(crate) group: Option<String>,
    pub(crate) id: Option<String>,
}

impl StreamQuery {
    /// The client and the group of the stream.
    pub(crate) fn names(self) -> Result<(String, String), Refusal> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let id = given(self.id).ok_or_else(|| Refusal::BadRequest("id: missing".to_owned()))?;
        let group = given(self.group).unwrap_or_else(|| DEFAULT_GROUP.to_owned());
        Ok((id, group))
    }
}

pub(crate) async fn send(hub: &Hub, body: &[u8]) -> Result<Sent, Refusal> {
    if !body.trim_ascii_start().starts_with(b"{") {
        serde_json::from_slice::<IgnoredAny>(body)?;
        return Err(Refusal::NotAnObject);
    }
    serde_json::from_slice::<SendRequest<'_>>(body)?
        .send(hub)
        .await
}

/// Whether a `Content-Type` says JSON.
pub(crate) fn is_json(content_type: Option<&str>) -> bool {
    let mime = content_type.and_then(|value| value.parse::<Mime>().ok());
    mime.is_some_and(|mime| {
        mime.type_() == mime::APPLICATION
            && (mime.subtype() == mime::JSON || mime.suffix() == Some(mime::JSON))
    })
}

#[derive(Debug, Serialize)]
pub(crate) struct Disconnected {
    closed: usize,
}

pub(crate) fn disconnect(hub: &Hub, group: &str, id: &str) -> Result<Disconnected, Refusal> {
    let target = Target::client(ClientId::new(id)?).within(GroupName::new(group)?);
    let closed = hub.disconnect(&target);
    Ok(Disconnected { closed })
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
pub(crate) struct GroupAnswer {
    connections: usize,
    clients: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

pub(crate) fn group(hub: &Hub, name: &str, page: &PageQuery) -> Result<GroupAnswer, Refusal> {
    let members = hub.connections(&Target::group(GroupName::new(name)?));
    let clients = members.iter().filter_map(|member| member.client());
    let (clients, next) = page.cut(clients.map(|client| (client.into(), ())).collect());
    Ok(GroupAnswer {
        connections: members.len(),
        clients: clients.into_iter().map(|(client, ())| client).collect(),
        next,
    })
}

#[derive(Debug, Serialize)]
pub(crate) struct GroupsAnswer {
    groups: Vec<GroupSize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Serialize)]
struct GroupSize {
    name: String,
    connections: usize,
}

pub(crate) fn groups(hub: &Hub, page: &PageQuery) -> GroupsAnswer {
    let mut sizes = BTreeMap::new();
    for connection in hub.connections(&Target::everybody()) {
        for group in connection.groups() {
            *sizes.entry(group.into()).or_default() += 1;
        }
    }
    let (page, next) = page.cut(sizes);
    let size = |(name, connections)| GroupSize { name, connections };
    GroupsAnswer {
        groups: page.into_iter().map(size).collect(),
        next,
    }
}
