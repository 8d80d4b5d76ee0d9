use std::time::Duration;

use serde::Deserialize;
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
    #[serde(borrow)]
    data: &'a RawValue,
}

impl SendRequest<'_> {
    /// Publishes it and tells what became of it.
    pub(crate) async fn send(self, hub: &Hub) -> Result<Sent, Refusal> {
        let (target, event) = (self.target(hub)?, self.event()?);
        let receipt = hub.publish(target, event).await?;
        Ok(Sent {
            position: receipt.position().map(|position| position.to_string()),
            duplicate: receipt.is_duplicate(),
            delivery: receipt.outcome().await?,
        })
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
