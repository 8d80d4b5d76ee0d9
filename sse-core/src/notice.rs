//! The library's own events: `connected`, `heartbeat`, `gap`.

use std::{fmt, sync::Arc, time::SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Connection, ConnectionId, EventName, Frame, foreign::caught};

/// What the library's own events are called, and what they tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct NoticeConfig {
    /// The name of the opening event; `connected` by default.
    pub connected: EventName,
    /// The name of heartbeats; `heartbeat` by default.
    pub heartbeat: EventName,
    /// The name of the event that tells of missing events; `gap` by default.
    pub gap: EventName,
    /// Whether a stream starts with the opening event; on by default. Where it is off, a blank line
    /// is its first byte, so that the head isn't held back.
    pub opening: bool,
    /// Whether payloads name the client; on by default.
    pub show_client: bool,
    /// Whether payloads list the groups; on by default.
    pub show_groups: bool,
}

impl Default for NoticeConfig {
    fn default() -> Self {
        let name = |name| EventName::new(name).expect("a valid literal");
        Self {
            connected: name("connected"),
            heartbeat: name("heartbeat"),
            gap: name("gap"),
            opening: true,
            show_client: true,
            show_groups: true,
        }
    }
}

/// What the opening event is about, for an application that makes its data itself.
#[derive(Debug)]
#[non_exhaustive]
pub struct Opening<'a> {
    /// The connection that opens.
    pub connection: &'a Connection,
    /// The present time.
    pub time: SystemTime,
}

/// What a heartbeat is about, for an application that makes its data itself.
#[derive(Debug)]
#[non_exhaustive]
pub struct Heartbeat<'a> {
    /// Which of the three kinds it is.
    pub kind: HeartbeatKind,
    /// The connection that gets it.
    pub connection: &'a Connection,
    /// The present time.
    pub time: SystemTime,
}

/// Why a heartbeat is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HeartbeatKind {
    /// Right after the opening event.
    Initial,
    /// There was nothing to read for an interval.
    Periodic,
    /// An interval is over, whatever the connection's traffic.
    Healthcheck,
}

type OpeningData = dyn Fn(&Opening<'_>) -> Value + Send + Sync;
type HeartbeatData = dyn Fn(&Heartbeat<'_>) -> Value + Send + Sync;

/// Makes the frames of the library's own events.
#[derive(Clone, Default)]
pub(crate) struct Notices {
    pub(crate) config: NoticeConfig,
    pub(crate) opening_data: Option<Arc<OpeningData>>,
    pub(crate) heartbeat_data: Option<Arc<HeartbeatData>>,
}

#[derive(Serialize)]
struct ConnectedPayload<'a> {
    connection_id: ConnectionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<&'a [crate::GroupName]>,
    resume: &'static str,
    timestamp: u64,
}

#[derive(Serialize)]
struct HeartbeatPayload<'a> {
    #[serde(rename = "type")]
    kind: HeartbeatKind,
    timestamp: u64,
    time: String,
    connection_id: ConnectionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
}

#[derive(Serialize)]
struct GapPayload {
    cause: GapCause,
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped: Option<u64>,
}

/// Why something is missing.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum GapCause {
    /// The connection's own queue was full.
    Overflow,
    /// The router or the registry lost events.
    Backend,
}

impl Notices {
    /// The opening event of `connection`; where it is off, a first byte that means nothing, so that
    /// the head isn't held back.
    pub(crate) fn opening(&self, connection: &Connection, time: SystemTime) -> Frame {
        if !self.config.opening {
            return Frame::blank();
        }
        let opening = Opening { connection, time };
        let hook = self.opening_data.as_ref();
        let data = made_by_application(hook.map(|hook| || hook(&opening))).unwrap_or_else(|| {
            let groups = connection.groups();
            json(&ConnectedPayload {
                connection_id: connection.id(),
                client_id: self.client_of(connection),
                groups: self.config.show_groups.then_some(&groups),
                resume: "fresh",
                timestamp: unix_ms(time),
            })
        });
        Frame::notice(&self.config.connected, &data, None)
    }

    /// A heartbeat of `kind` for `connection`.
    pub(crate) fn heartbeat(
        &self,
        kind: HeartbeatKind,
        connection: &Connection,
        time: SystemTime,
    ) -> Frame {
        let heartbeat = Heartbeat {
            kind,
            connection,
            time,
        };
        let hook = self.heartbeat_data.as_ref();
        let data = made_by_application(hook.map(|hook| || hook(&heartbeat))).unwrap_or_else(|| {
            json(&HeartbeatPayload {
                kind,
                timestamp: unix_ms(time),
                time: humantime::format_rfc3339_millis(time).to_string(),
                connection_id: connection.id(),
                client_id: self.client_of(connection),
            })
        });
        Frame::notice(&self.config.heartbeat, &data, None)
    }

    /// Tells that a connection's own queue dropped `dropped` events.
    pub(crate) fn overflow(&self, dropped: u64) -> Frame {
        self.gap(GapCause::Overflow, Some(dropped))
    }

    /// Tells that events were lost on their way to this node.
    pub(crate) fn lost(&self) -> Frame {
        self.gap(GapCause::Backend, None)
    }

    fn gap(&self, cause: GapCause, dropped: Option<u64>) -> Frame {
        Frame::notice(
            &self.config.gap,
            &json(&GapPayload { cause, dropped }),
            None,
        )
    }

    fn client_of<'a>(&self, connection: &'a Connection) -> Option<&'a str> {
        self.config
            .show_client
            .then(|| connection.client().as_str())
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notices")
            .field("config", &self.config)
            .field("opening_data", &self.opening_data.is_some())
            .field("heartbeat_data", &self.heartbeat_data.is_some())
            .finish()
    }
}

/// What the application's own function made; nothing if there is none or it panicked.
fn made_by_application(hook: Option<impl FnOnce() -> Value>) -> Option<String> {
    let value = caught(hook?);
    if value.is_none() {
        tracing::error!("the application's notice data panicked: the library's own is sent");
    }
    value.map(|value| value.to_string())
}

fn json(data: &impl Serialize) -> String {
    serde_json::to_string(data).expect("plain structs of text and numbers always serialize")
}

fn unix_ms(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}
