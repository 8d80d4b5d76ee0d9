use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::Serialize;
use serde_json::Value;

use super::{GapCause, Heartbeat, HeartbeatKind, NoticeConfig, Opening, Resume};
use crate::{
    Connection, ConnectionId, Draft, EventName, Frame, GroupName, Position, foreign::caught,
};

type OpeningData = dyn Fn(&Opening<'_>) -> Value + Send + Sync;
type HeartbeatData = dyn Fn(&Heartbeat<'_>) -> Value + Send + Sync;

/// Makes the frames of the library's own events; of those that may carry a position the draft,
/// because only the ordered section knows it.
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
    groups: Option<&'a [GroupName]>,
    resume: Resume,
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
struct CaughtUpPayload {
    replayed: u64,
    skipped: u64,
}

#[derive(Serialize)]
struct GapPayload {
    cause: GapCause,
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest: Option<String>,
}

#[derive(Serialize)]
struct ReplacedPayload {
    by: ConnectionId,
}

#[derive(Serialize)]
struct ClosedPayload<'a> {
    reason: &'a str,
}

/// Of `reconnect`, and of `refused`.
#[derive(Serialize)]
struct ComeBackPayload<'a> {
    reason: &'a str,
    retry_ms: u64,
}

impl Notices {
    /// The opening event of `connection`, which may say when to come back should it be cut; where
    /// it is off, a first byte that means nothing, so that the head isn't held back.
    pub(crate) fn opening(
        &self,
        connection: &Connection,
        resume: Resume,
        retry: Option<Duration>,
        time: SystemTime,
    ) -> NoticeDraft {
        if !self.config.opening {
            return NoticeDraft::Silent(retry);
        }
        let opening = Opening {
            connection,
            resume,
            time,
        };
        let hook = self.opening_data.as_ref();
        let data = made_by_application(hook.map(|hook| || hook(&opening))).unwrap_or_else(|| {
            let groups = connection.groups();
            json(&ConnectedPayload {
                connection_id: connection.id(),
                client_id: self.client_of(connection),
                groups: self.config.show_groups.then_some(&groups),
                resume,
                timestamp: unix_ms(time),
            })
        });
        NoticeDraft::Event(Draft::notice(&self.config.connected, &data, retry))
    }

    /// A heartbeat of `kind` for `connection`.
    pub(crate) fn heartbeat(
        &self,
        kind: HeartbeatKind,
        connection: &Connection,
        time: SystemTime,
    ) -> Draft {
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
        Draft::notice(&self.config.heartbeat, &data, None)
    }

    /// Ends a catch-up, after `replayed` events and past `skipped` that weren't kept.
    pub(crate) fn caught_up(&self, replayed: u64, skipped: u64) -> Draft {
        let data = json(&CaughtUpPayload { replayed, skipped });
        Draft::notice(&self.config.caught_up, &data, None)
    }

    /// Tells that a connection's own queue dropped `dropped` events.
    pub(crate) fn overflow(&self, dropped: u64) -> Frame {
        self.tell_gap(GapCause::Overflow, Some(dropped), None)
    }

    /// Tells that something is missing; and after which position everything is kept, where that
    /// is known.
    pub(crate) fn gap(&self, cause: GapCause, floor: Option<Position>) -> Frame {
        let oldest = floor.map(|floor| floor.next().to_string());
        self.tell_gap(cause, None, oldest)
    }

    fn tell_gap(&self, cause: GapCause, dropped: Option<u64>, oldest: Option<String>) -> Frame {
        let data = json(&GapPayload {
            cause,
            dropped,
            oldest,
        });
        Draft::notice(&self.config.gap, &data, None).into_frame(None)
    }

    /// Tells a client to come back after `retry`.
    pub(crate) fn reconnect(&self, reason: &str, retry: Duration) -> Frame {
        come_back(&self.config.reconnect, reason, retry)
    }

    /// Tells a page that the connection `by` took its place.
    pub(crate) fn replaced(&self, by: ConnectionId) -> Frame {
        let data = json(&ReplacedPayload { by });
        Draft::notice(&self.config.replaced, &data, None).into_frame(None)
    }

    /// Tells a page that it was ended for good.
    pub(crate) fn closed(&self, reason: &str) -> Frame {
        let data = json(&ClosedPayload { reason });
        Draft::notice(&self.config.closed, &data, None).into_frame(None)
    }

    /// Tells a client that it isn't taken now, and to come back after `retry`.
    pub(crate) fn refused(&self, reason: &str, retry: Duration) -> Frame {
        come_back(&self.config.refused, reason, retry)
    }

    fn client_of<'a>(&self, connection: &'a Connection) -> Option<&'a str> {
        self.config
            .show_client
            .then(|| connection.client().as_str())
    }
}

fn come_back(name: &EventName, reason: &str, retry: Duration) -> Frame {
    let data = json(&ComeBackPayload {
        reason,
        retry_ms: u64::try_from(retry.as_millis()).unwrap_or(u64::MAX),
    });
    Draft::notice(name, &data, Some(retry)).into_frame(None)
}

/// The opening event, but for its position; or what stands in for it.
pub(crate) enum NoticeDraft {
    Event(Draft),
    Silent(Option<Duration>),
}

impl NoticeDraft {
    pub(crate) fn into_frame(self, position: Option<Position>) -> Frame {
        match self {
            Self::Event(draft) => draft.into_frame(position),
            Self::Silent(retry) => Frame::silent(retry),
        }
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
