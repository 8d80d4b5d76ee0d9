//! The library's own events: `connected`, `heartbeat`, `caught-up`, `gap`, `reconnect`,
//! `replaced`, `closed`, `refused`.

mod make;

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

pub(crate) use self::make::{NoticeDraft, Notices};
use crate::{Connection, EventName};

/// What the library's own events are called, and what they tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct NoticeConfig {
    /// The name of the opening event; `connected` by default.
    pub connected: EventName,
    /// The name of heartbeats; `heartbeat` by default.
    pub heartbeat: EventName,
    /// The name of the event that ends a catch-up; `caught-up` by default.
    pub caught_up: EventName,
    /// The name of the event that tells of missing events; `gap` by default.
    pub gap: EventName,
    /// The name of the event that tells a client to come back; `reconnect` by default.
    pub reconnect: EventName,
    /// The name of the event that tells a page that a newer connection took its place; `replaced` by
    /// default.
    pub replaced: EventName,
    /// The name of the event that tells a page that it was ended for good; `closed` by default.
    pub closed: EventName,
    /// The name of the event that tells a client that it isn't taken now; `refused` by default.
    pub refused: EventName,
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
            caught_up: name("caught-up"),
            gap: name("gap"),
            reconnect: name("reconnect"),
            replaced: name("replaced"),
            closed: name("closed"),
            refused: name("refused"),
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
    /// How it goes on from where the client was.
    pub resume: Resume,
    /// The present time.
    pub time: SystemTime,
}

/// How a stream goes on from where its client was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Resume {
    /// It doesn't: the client wants nothing from before.
    Fresh,
    /// With what is kept of it; a `gap` may still follow.
    Replaying,
    /// With a `gap`, which follows.
    Gap,
}

/// Why something is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum GapCause {
    /// What the client saw last is nothing that is known here.
    Unknown,
    /// What came after it is no longer kept.
    Evicted,
    /// It is of another epoch: the hub, or the log behind it, has begun anew.
    Epoch,
    /// It comes after all that is known here.
    Ahead,
    /// The history or the router failed, or events were lost on their way to this node.
    Backend,
    /// The connection's own queue was full.
    Overflow,
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
