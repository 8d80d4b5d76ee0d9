use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::{Buf, Bytes};

use crate::{
    ConflationKey, Event, EventId, EventName, IdempotencyKey, Position,
    budget::{Budget, Charge},
    event::Labels,
    wire::Encoded,
};

/// An event encoded once, as shared bytes, with its position if it has one.
///
/// A clone is a reference to the same bytes: however many connections an event goes to, it is
/// encoded once.
#[derive(Clone)]
pub struct Frame(Arc<Inner>);

struct Inner {
    bytes: Bytes,
    position: Option<Position>,
    labels: Option<Arc<Labels>>,
    notice: bool,
    /// What it costs while it waits, where somebody counts that.
    charge: OnceLock<Charge>,
}

impl Frame {
    /// Encodes `event`, at `position` if it is kept.
    #[must_use]
    pub fn new(event: &Event, position: Option<Position>) -> Self {
        Draft::new(event).into_frame(position)
    }

    /// A line that dispatches nothing: blank, or saying when to come back (WHATWG HTML, 9.2.6).
    pub(crate) fn silent(retry: Option<Duration>) -> Self {
        let bytes = match retry {
            Some(retry) => format!("retry: {}\n\n", retry.as_millis()).into(),
            None => Bytes::from_static(b"\n"),
        };
        Self(Arc::new(Inner {
            bytes,
            position: None,
            labels: None,
            notice: true,
            charge: OnceLock::new(),
        }))
    }

    /// The bytes on the wire: one whole event, its blank line included.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    /// How many bytes the frame has on the wire.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a frame is never empty")]
    pub fn len(&self) -> usize {
        self.0.bytes.len()
    }

    /// The event's position; none where it isn't kept.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.0.position
    }

    /// The id that the application gave the event.
    #[must_use]
    pub fn event_id(&self) -> Option<&EventId> {
        self.0.labels.as_ref()?.id.as_ref()
    }

    /// The key by which the frame takes an older one's place in a queue.
    #[must_use]
    pub fn conflation_key(&self) -> Option<&ConflationKey> {
        self.0.labels.as_ref()?.conflation_key.as_ref()
    }

    /// Whether it is one of the library's own events (`connected`, `heartbeat`, `gap`, …).
    ///
    /// A sink has reserved room for those: it takes them however full it is, never drops them,
    /// and counts them neither against its limits nor as delivered.
    #[must_use]
    pub fn is_notice(&self) -> bool {
        self.0.notice
    }

    /// What waits of it from now on counts towards `budget`.
    pub(crate) fn charge_to(&self, budget: &Arc<Budget>) {
        if !self.is_notice() {
            self.0.charge.get_or_init(|| Charge::new(budget));
        }
    }

    pub(crate) fn charge(&self) -> Option<&Charge> {
        self.0.charge.get()
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("len", &self.len())
            .field("position", &self.position())
            .field("conflation_key", &self.conflation_key())
            .field("notice", &self.is_notice())
            .finish()
    }
}

/// An event that is encoded but for its position.
///
/// A router makes one before it takes its turn, so that inside the ordered section only the
/// position has to be filled in.
#[derive(Debug)]
pub struct Draft {
    encoded: Encoded,
    labels: Option<Arc<Labels>>,
    notice: bool,
}

impl Draft {
    /// Encodes `event`.
    #[must_use]
    pub fn new(event: &Event) -> Self {
        Self {
            encoded: Encoded::event(event),
            labels: event.labels().cloned(),
            notice: false,
        }
    }

    /// Encodes one of the library's own events, which may say when to come back.
    pub(crate) fn notice(name: &EventName, data: &str, retry: Option<Duration>) -> Self {
        Self {
            encoded: Encoded::notice(name, data, retry),
            labels: None,
            notice: true,
        }
    }

    /// The key by which the event is delivered once.
    pub(crate) fn idempotency_key(&self) -> Option<&IdempotencyKey> {
        self.labels.as_ref()?.idempotency_key.as_ref()
    }

    /// The frame, at `position` if the event is kept.
    #[must_use]
    pub fn into_frame(self, position: Option<Position>) -> Frame {
        let (buffer, start) = self.encoded.finish(position);
        // Not `slice`, which would count the buffer's owners from now on.
        let mut bytes = Bytes::from(buffer);
        bytes.advance(start);
        Frame(Arc::new(Inner {
            bytes,
            position,
            labels: self.labels,
            notice: self.notice,
            charge: OnceLock::new(),
        }))
    }
}
