use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Uri, header::CONTENT_TYPE};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json, value::RawValue};
use sse_conformance::Dispatched;
use sse_core::{EventBody, GroupName, Hub, Position, Subscribe};

use crate::{
    demo::{Afterwards, Call, Demo, SEND, published, with_demos},
    names::broken_rule,
    stream::{Reader, with_lf},
};

/// Whatever the demo's `POST /send` accepts, on any framework, it delivers exactly to whom it is
/// for, and to nobody else; whatever it refuses reaches nobody. It is sent twice: a key makes the
/// second a duplicate.
///
/// The bytes are the body. `CONNECTION-ID` in it stands for the id of one of the connections.
///
/// # Panics
///
/// Something of that isn't so.
pub fn demo_send(data: &[u8]) {
    with_demos(async |demos| {
        let mut afterwards = Afterwards::Reuse;
        for demo in demos {
            if sent_with(demo, data).await == Afterwards::Renew {
                afterwards = Afterwards::Renew;
            }
        }
        afterwards
    });
}

async fn sent_with(demo: &Demo, data: &[u8]) -> Afterwards {
    let hub = &demo.hub;
    let before = published(hub);
    let mut watchers = Vec::new();
    for (client, group) in [("ada", "g"), ("ada", "h"), ("bob", "g")] {
        watchers.push(Watcher::open(hub, client, group).await);
    }
    let body = with_connection_id(data, &watchers[0].id);
    let expected = Expected::of(&body);
    let mut head: Position = watchers[0].last_event_id.parse().expect("a position");
    for first in [true, false] {
        let answer = demo.answer(call(&body)).await;
        match &expected {
            Expected::Sent(send, text) => {
                let duplicate = send.key.is_some() && !first;
                if !duplicate && !send.transient {
                    head = Position::new(head.epoch(), head.sequence() + 1);
                }
                let sent = Sent {
                    send,
                    text,
                    position: (!send.transient).then(|| head.to_string()),
                };
                let mut told = reach(&mut watchers, (!duplicate).then_some(&sent));
                told["duplicate"] = json!(duplicate);
                told["position"] = json!(sent.position);
                assert_eq!(answer.sent().await, told);
            }
            Expected::Refused(statuses) => {
                let status = answer.status;
                let says = answer.refused().await;
                assert!(statuses.contains(&status.as_u16()), "{status}: {says}");
                reach(&mut watchers, None);
            }
        }
    }
    let (distinct, afterwards) = match &expected {
        Expected::Sent(send, _) if send.key.is_some() => (1, Afterwards::Renew),
        Expected::Sent(..) => (2, Afterwards::Reuse),
        Expected::Refused(_) => (0, Afterwards::Reuse),
    };
    assert_eq!(published(hub) - before, distinct);
    afterwards
}

/// What was sent, and where it stands if it is kept.
#[derive(Debug)]
struct Sent<'a> {
    send: &'a Send,
    text: &'a str,
    position: Option<String>,
}

/// Asserts that those for whom it is read what was sent, and nobody else anything; returns the
/// counts that the demo has to tell of it.
fn reach(watchers: &mut [Watcher], sent: Option<&Sent<'_>>) -> Value {
    let mut reached = 0;
    for watcher in watchers {
        let meant = sent.filter(|sent| sent.send.is_for(watcher));
        watcher.assert_reads(meant);
        reached += usize::from(meant.is_some());
    }
    json!({
        "matched": reached, "queued": reached, "replaced": 0, "dropped": 0, "closed": 0,
        "passed": 0, "skipped": 0,
    })
}

/// What a body has to come to.
#[derive(Debug)]
enum Expected {
    /// It is sent, with that text as its data.
    Sent(Box<Send>, String),
    /// It is refused, with one of these.
    Refused(&'static [u16]),
}

impl Expected {
    fn of(body: &[u8]) -> Self {
        let send: serde_json::Result<Send> = serde_json::from_slice(body);
        // What is no JSON may be refused for what it says before that shows.
        let is_json = serde_json::from_slice::<IgnoredAny>(body).is_ok()
            && send.as_ref().err().is_none_or(serde_json::Error::is_data);
        let refused: &[u16] = if is_json { &[422] } else { &[400, 422] };
        let is_object = body.trim_ascii_start().starts_with(b"{");
        let valid = send.ok().filter(|send| is_object && send.is_valid());
        let sent = valid.and_then(|send| Some((send.text()?, send)));
        sent.map_or(Self::Refused(refused), |(text, send)| {
            Self::Sent(Box::new(send), text)
        })
    }
}

fn call(body: &[u8]) -> Call {
    let json = HeaderValue::from_static("application/json");
    Call {
        method: Method::POST,
        uri: Uri::from_static(SEND),
        headers: HeaderMap::from_iter([(CONTENT_TYPE, json)]),
        body: body.to_vec(),
    }
}

fn with_connection_id(data: &[u8], id: &str) -> Vec<u8> {
    const STANDS_FOR: &[u8] = b"CONNECTION-ID";
    let found = data.windows(STANDS_FOR.len()).position(|w| w == STANDS_FOR);
    match found {
        Some(at) => [&data[..at], id.as_bytes(), &data[at + STANDS_FOR.len()..]].concat(),
        None => data.to_vec(),
    }
}

/// A body that says what is sent to whom.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Send {
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
    data: Box<RawValue>,
}

impl Send {
    /// The data: a text as it is, anything else as its JSON; none if the text can't be one.
    fn text(&self) -> Option<String> {
        let json = self.data.get();
        let text = if json.starts_with('"') {
            serde_json::from_str(json).ok()?
        } else {
            json.to_owned()
        };
        Some(with_lf(&text))
    }

    fn is_valid(&self) -> bool {
        let clients = self.clients.iter().flatten();
        let names = clients.map(|client| ("client id", client)).chain(
            [
                ("client id", &self.client),
                ("group name", &self.group),
                ("client id", &self.except),
                ("event name", &self.event),
                ("event id", &self.id),
                ("idempotency key", &self.key),
                ("conflation key", &self.conflate),
            ]
            .into_iter()
            .filter_map(|(what, name)| Some((what, name.as_ref()?))),
        );
        let both = self.client.is_some() && self.clients.is_some();
        let id_not_kept = self.transient && self.id.is_some();
        !both
            && !id_not_kept
            && names
                .into_iter()
                .all(|(what, name)| broken_rule(what, name).is_none())
    }

    fn is_for(&self, watcher: &Watcher) -> bool {
        let is = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|w| w == name);
        let listed = |names: &Vec<String>| names.iter().any(|name| name == watcher.client);
        let except = self.except.as_deref();
        is(&self.client, watcher.client)
            && is(&self.group, watcher.group)
            && self.clients.as_ref().is_none_or(listed)
            && except != Some(watcher.client)
            && except != Some(&watcher.id)
    }
}

/// One stream, and what has to come out of it.
#[derive(Debug)]
struct Watcher {
    client: &'static str,
    group: &'static str,
    id: String,
    reader: Reader<EventBody>,
    last_event_id: String,
    retry: Option<Duration>,
}

impl Watcher {
    async fn open(hub: &Hub, client: &'static str, group: &'static str) -> Self {
        let subscribe = Subscribe::client_id(client).expect("a name");
        let name = GroupName::new(group).expect("a name");
        let subscription = hub.subscribe(subscribe.group(name)).await;
        let mut reader = Reader::new(subscription.expect("a stream").into_body());
        Self {
            client,
            group,
            id: reader.opening().connection_id,
            last_event_id: reader.stream().last_event_id().to_owned(),
            reader,
            retry: None,
        }
    }

    fn assert_reads(&mut self, meant: Option<&Sent<'_>>) {
        let events = self.reader.read();
        let meant = meant.map(
            |Sent {
                 send,
                 text,
                 position,
             }| {
                if let Some(id) = send.id.as_ref().or(position.as_ref()) {
                    self.last_event_id.clone_from(id);
                }
                self.retry = send.retry.map(Duration::from_millis).or(self.retry);
                Dispatched {
                    event: send.event.clone().unwrap_or_else(|| "message".to_owned()),
                    data: (*text).to_owned(),
                    last_event_id: self.last_event_id.clone(),
                }
            },
        );
        assert_eq!(events, Vec::from_iter(meant));
        assert_eq!(self.reader.stream().last_event_id(), self.last_event_id);
        assert_eq!(self.reader.stream().retry(), self.retry);
        assert!(self.reader.stream().comments().is_empty());
    }
}
