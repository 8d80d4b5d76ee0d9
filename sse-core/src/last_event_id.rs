use crate::{EventId, Position};

/// What a reconnecting client says that it saw last (WHATWG HTML, 9.2.4: `Last-Event-ID`).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LastEventId {
    /// A position of a hub.
    Position(Position),
    /// An id that an application gave to an event.
    Event(EventId),
    /// Something that no event of this library can have carried: too long, not UTF-8, malformed.
    Unknown,
}

impl LastEventId {
    /// Reads the value of a header or query parameter, which may be any bytes; empty means none.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        if value.is_empty() {
            return None;
        }
        let known = || {
            let text = std::str::from_utf8(value).ok()?;
            if let Ok(position) = text.parse() {
                return Some(Self::Position(position));
            }
            EventId::new(text).ok().map(Self::Event)
        };
        Some(known().unwrap_or(Self::Unknown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_are_something() {
        assert_eq!(LastEventId::parse(b""), None);
        let position = Position::new(7, 9);
        assert_eq!(
            LastEventId::parse(position.to_string().as_bytes()),
            Some(LastEventId::Position(position))
        );
        assert_eq!(
            LastEventId::parse(b"order-17"),
            Some(LastEventId::Event(EventId::new("order-17").unwrap()))
        );
        for hostile in [&b"\xff\xfe"[..], b"a\nb", b"~nonsense", &[b'x'; 100_000]] {
            assert_eq!(LastEventId::parse(hostile), Some(LastEventId::Unknown));
        }
    }
}
