use std::{fmt, sync::Arc};

use bytes::Bytes;

use crate::{ConflationKey, Event, EventName, Position, wire::Encoded};

/// An event encoded once, as shared bytes, with its position if it has one.
///
/// A clone is a reference to the same bytes: however many connections an event goes to, it is
/// encoded once.
#[derive(Clone)]
pub struct Frame(Arc<Inner>);

struct Inner {
    bytes: Bytes,
    position: Option<Position>,
    conflation_key: Option<ConflationKey>,
    notice: bool,
}

impl Frame {
    /// Encodes `event`, at `position` if it is kept.
    #[must_use]
    pub fn new(event: &Event, position: Option<Position>) -> Self {
        Draft::new(event).into_frame(position)
    }

    /// Encodes one of the library's own events.
    pub(crate) fn notice(name: &EventName, data: &str, position: Option<Position>) -> Self {
        Self::finish(Encoded::notice(name, data), position, None, true)
    }

    /// A blank line: a byte on the wire that dispatches nothing (WHATWG HTML, 9.2.6).
    pub(crate) fn blank() -> Self {
        Self(Arc::new(Inner {
            bytes: Bytes::from_static(b"\n"),
            position: None,
            conflation_key: None,
            notice: true,
        }))
    }

    fn finish(
        encoded: Encoded,
        position: Option<Position>,
        conflation_key: Option<ConflationKey>,
        notice: bool,
    ) -> Self {
        let (buffer, start) = encoded.finish(position);
        Self(Arc::new(Inner {
            bytes: Bytes::from(buffer).slice(start..),
            position,
            conflation_key,
            notice,
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

    /// The key by which the frame takes an older one's place in a queue.
    #[must_use]
    pub fn conflation_key(&self) -> Option<&ConflationKey> {
        self.0.conflation_key.as_ref()
    }

    /// Whether it is one of the library's own events (`connected`, `heartbeat`, `gap`, …).
    ///
    /// A sink has reserved room for those: it takes them however full it is, never drops them,
    /// and counts them neither against its limits nor as delivered.
    #[must_use]
    pub fn is_notice(&self) -> bool {
        self.0.notice
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
    conflation_key: Option<ConflationKey>,
}

impl Draft {
    /// Encodes `event`.
    #[must_use]
    pub fn new(event: &Event) -> Self {
        Self {
            encoded: Encoded::event(event),
            conflation_key: event.conflation_key().cloned(),
        }
    }

    /// The frame, at `position` if the event is kept.
    #[must_use]
    pub fn into_frame(self, position: Option<Position>) -> Frame {
        Frame::finish(self.encoded, position, self.conflation_key, false)
    }
}
