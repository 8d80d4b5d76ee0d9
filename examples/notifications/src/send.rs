use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sse_core::{
    ClientId, ConflationKey, ConnectionId, Event, EventBuilder, EventError, EventId, EventName,
    GroupName, Hub, IdempotencyKey, NameError, PublishError, Target,
};

use crate::answer::{Refusal, Sent};

/// The body of `POST /api/v1/sse/send`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendRequest<'a> {
    client: Option<String>,
    clients: Option<Vec<String>>,
    group: Option<String>,
    except: Option<String>,
    event: Option<String>,
    id: Option<String>,
    retry: Option<u64>,
    key: Option<String>,
    #[serde(default)]
    transient: bool,
    conflate: Option<String>,
    #[serde(default)]
    if_connected: bool,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// The body of `POST /api/v1/sse/batch`: several sends, of which all are published or none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchRequest<'a> {
    #[serde(borrow)]
    sends: Vec<SendRequest<'a>>,
}

/// What became of a send.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Done {
    Sent(Sent),
    /// It was for those who are connected, and nobody is.
    Left {
        sent: bool,
    },
}

/// How many sends a batch may have: a small part of those of which the hub remembers what became of them.
const MOST_SENDS: usize = 100;

impl BatchRequest<'_> {
    /// Publishes them together, and tells what became of each.
    pub(crate) async fn send(self, hub: &Hub) -> Result<Vec<Done>, Refusal> {
        if self.sends.len() > MOST_SENDS {
            return Err(Refusal::field("sends", format!("more than {MOST_SENDS}")));
        }
        let mut done = Vec::new();
        let mut publications = Vec::new();
        for send in &self.sends {
            let publication = send.publication(hub)?;
            done.push(publication.is_none());
            publications.extend(publication);
        }
        let mut receipts = hub.publish_many(publications).await?.into_iter();
        let mut answers = Vec::new();
        for left in done {
            let receipt = if left { None } else { receipts.next() };
            answers.push(match receipt {
                Some(receipt) => Done::Sent(Sent::of(&receipt).await?),
                None => Done::Left { sent: false },
            });
        }
        Ok(answers)
    }
}

impl SendRequest<'_> {
    /// Publishes it and tells what became of it.
    pub(crate) async fn send(self, hub: &Hub) -> Result<Done, Refusal> {
        let Some((target, event)) = self.publication(hub)? else {
            return Ok(Done::Left { sent: false });
        };
        let receipt = hub.publish(target, event).await?;
        Ok(Done::Sent(Sent::of(&receipt).await?))
    }

    /// What is published, and for whom; none where it is for those who are connected, and nobody is.
    fn publication(&self, hub: &Hub) -> Result<Option<(Target, Event)>, Refusal> {
        let (target, event) = (self.target(hub)?, self.event()?);
        let is_left = self.if_connected && !hub.has_connections(&target);
        Ok((!is_left).then_some((target, event)))
    }

    fn target(&self, hub: &Hub) -> Result<Target, Refusal> {
        let group = optional::<GroupName>("group", self.group.as_deref())?;
        let client = optional::<ClientId>("client", self.client.as_deref())?;
        let mut target = match (client, &self.clients) {
            (Some(_), Some(_)) => {
                return Err(Refusal::field(
                    "clients",
                    "give client or clients, not both",
                ));
            }
            (Some(client), None) => Target::client(client),
            (None, Some(clients)) => {
                let clients: Result<Vec<ClientId>, _> = clients
                    .iter()
                    .map(|client| checked("clients", client))
                    .collect();
                Target::clients(clients?)
            }
            (None, None) => match &group {
                Some(group) => Target::group(group),
                None => Target::everybody(),
            },
        };
        if let Some(group) = group
            && (self.client.is_some() || self.clients.is_some())
        {
            target = target.within(group);
        }
        match &self.except {
            None => Ok(target),
            Some(except) => except_one(hub, target, except),
        }
    }

    fn event(&self) -> Result<Event, Refusal> {
        let json = self.data.get();
        let mut event = if json.starts_with('"') {
            let text = serde_json::from_str::<String>(json);
            Event::text(text.map_err(|error| Refusal::field("data", error))?)
        } else {
            Event::text(json)
        };
        if let Some(name) = optional::<EventName>("event", self.event.as_deref())? {
            event = event.event(name);
        }
        if let Some(id) = optional::<EventId>("id", self.id.as_deref())? {
            event = event.id(id);
        }
        if let Some(key) = optional::<IdempotencyKey>("key", self.key.as_deref())? {
            event = event.idempotency_key(key);
        }
        if let Some(key) = optional::<ConflationKey>("conflate", self.conflate.as_deref())? {
            event = event.conflation_key(key);
        }
        if let Some(retry) = self.retry {
            event = event.retry(Duration::from_millis(retry));
        }
        if self.transient {
            event = event.transient();
        }
        built(event)
    }
}

fn built(event: EventBuilder) -> Result<Event, Refusal> {
    event
        .build()
        .map_err(|error: EventError| PublishError::from(error).into())
}

/// Leaves out the connection of that id, or else the client.
fn except_one(hub: &Hub, target: Target, except: &str) -> Result<Target, Refusal> {
    if let Ok(id) = except.parse::<ConnectionId>()
        && !hub.connections(&Target::connection(id)).is_empty()
    {
        return Ok(target.except_connection(id));
    }
    Ok(target.except_client(checked::<ClientId>("except", except)?))
}

fn optional<'a, N>(field: &'static str, text: Option<&'a str>) -> Result<Option<N>, Refusal>
where
    N: TryFrom<&'a str, Error = NameError>,
{
    text.map(|text| checked(field, text)).transpose()
}

fn checked<'a, N>(field: &'static str, text: &'a str) -> Result<N, Refusal>
where
    N: TryFrom<&'a str, Error = NameError>,
{
    N::try_from(text).map_err(|error| Refusal::field(field, error))
}
