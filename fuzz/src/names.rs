use std::{fmt::Display, str::FromStr};

use form_urlencoded::Serializer;
use http::{HeaderMap, HeaderValue, Method};
use serde::{Serialize, de::DeserializeOwned};
use sse_core::{
    ClientId, ConflationKey, ConnectionId, EventId, EventName, GroupName, IdempotencyKey,
    LastEventId, MAX_NAME_BYTES, NameError, Position, StreamRequest,
};

/// A name, an id or a position is exactly the text that it was made from; what breaks a rule is
/// refused by that rule; and a last event id survives its way back, in a header or a query.
///
/// # Panics
///
/// Something of that isn't so.
pub fn names(data: &[u8]) {
    last_event_id(data);
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    name::<ClientId>("client id", text);
    name::<GroupName>("group name", text);
    name::<EventName>("event name", text);
    name::<IdempotencyKey>("idempotency key", text);
    name::<ConflationKey>("conflation key", text);
    name::<EventId>("event id", text);
    prints_back::<ConnectionId>(text);
    prints_back::<Position>(text);
    if let Ok(position) = text.parse::<Position>() {
        let again = Position::new(position.epoch(), position.sequence());
        assert_eq!(again.to_string(), text);
        assert!(EventId::new(text).is_err(), "an event id like a position");
    }
}

/// The rule that `text` breaks as a name of that kind; none if it is one.
pub(crate) fn broken_rule(what: &'static str, text: &str) -> Option<NameError> {
    let len = text.len();
    let control = text.char_indices().find(|(_, c)| {
        // The general category Cc, spelled out.
        matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}')
    });
    match control {
        _ if text.is_empty() => Some(NameError::Empty { what }),
        _ if len > MAX_NAME_BYTES => Some(NameError::TooLong { what, len }),
        Some((at, character)) => Some(NameError::Control {
            what,
            at,
            character,
        }),
        None if what != "event id" => None,
        None if text.starts_with('~') => Some(NameError::Reserved { what }),
        None => {
            let ends = [text.chars().next(), text.chars().next_back()];
            let padded = ends.into_iter().flatten().any(char::is_whitespace);
            padded.then_some(NameError::Padded { what })
        }
    }
}

fn name<N>(what: &'static str, text: &str)
where
    N: FromStr<Err = NameError> + for<'a> TryFrom<&'a str, Error = NameError>,
    N: Display + AsRef<str> + Serialize + DeserializeOwned,
{
    let json = serde_json::to_string(text).expect("text is JSON");
    let (parsed, read) = (text.parse::<N>(), serde_json::from_str::<N>(&json));
    if let Some(rule) = broken_rule(what, text) {
        assert_eq!(parsed.err().as_ref(), Some(&rule));
        assert_eq!(N::try_from(text).err().as_ref(), Some(&rule));
        let error = read.err().expect("no name");
        assert!(error.is_data(), "{error}");
        return;
    }
    for name in [parsed.expect("a name"), read.expect("a name")] {
        assert_eq!(name.as_ref(), text);
        assert_eq!(name.to_string(), text);
        assert_eq!(serde_json::to_string(&name).expect("a name is JSON"), json);
    }
}

fn prints_back<T: FromStr + Display>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), text);
    }
}

fn last_event_id(data: &[u8]) {
    let id = LastEventId::parse(data);
    let text = std::str::from_utf8(data).unwrap_or_default();
    match &id {
        None => assert!(data.is_empty()),
        Some(LastEventId::Position(position)) => assert_eq!(position.to_string(), text),
        Some(LastEventId::Event(event)) => assert_eq!(event.as_str(), text),
        Some(_) => {
            let known = text.parse::<Position>().is_ok() || EventId::new(text).is_ok();
            assert!(!known, "unknown, and yet it could be sent");
            return;
        }
    }
    let header = HeaderValue::from_bytes(data).expect("a header value");
    let headers: HeaderMap = [(http::HeaderName::from_static("last-event-id"), header)]
        .into_iter()
        .collect();
    let read = StreamRequest::new(&Method::GET, &headers, None);
    assert_eq!(read.last_event_id(), id.as_ref(), "by the header");
    for parameter in ["lastEventId", "last_event_id"] {
        let query = Serializer::new(String::new())
            .append_pair(parameter, text)
            .finish();
        let read = StreamRequest::new(&Method::GET, &HeaderMap::new(), Some(&query));
        assert_eq!(read.last_event_id(), id.as_ref(), "by {parameter}");
    }
}
