//! The event stream format (WHATWG HTML, 9.2.5), written.

use std::{io::Write, time::Duration};

use memchr::memchr2;

use crate::{Event, EventName, MAX_NAME_BYTES, Position};

const COMMENT: &[u8] = b": ";
const EVENT: &[u8] = b"event: ";
const ID: &[u8] = b"id: ";
const RETRY: &[u8] = b"retry: ";
const DATA: &[u8] = b"data: ";

/// Room for an `id` line with any position.
pub(crate) const ID_LINE: usize = ID.len() + Position::MAX_LEN + 1;

/// An event as it goes on the wire, but for the `id` line of a position, which only the ordered
/// section knows. The buffer has room for that line in front, so that it can be filled in late
/// without moving what is already encoded.
#[derive(Debug)]
pub(crate) struct Encoded {
    buffer: Vec<u8>,
    start: usize,
}

impl Encoded {
    /// Encodes `event` with a single allocation.
    pub(crate) fn event(event: &Event) -> Self {
        let start = if event.id().is_some() { 0 } else { ID_LINE };
        let len = encoded_len(event);
        let mut buffer = Vec::with_capacity(start + len);
        buffer.resize(start, 0);
        if let Some(comment) = event.comment() {
            put_lines(&mut buffer, COMMENT, comment);
        }
        put_fields(&mut buffer, event.name(), event.data(), |buffer| {
            if let Some(id) = event.id() {
                put_line(buffer, ID, id.as_str().as_bytes());
            }
            put_retry(buffer, event.retry());
        });
        debug_assert_eq!(buffer.len(), start + len);
        Self { buffer, start }
    }

    /// Encodes one of the library's own events: a name and data, and when to come back.
    pub(crate) fn notice(name: &EventName, data: &str, retry: Option<Duration>) -> Self {
        let mut buffer = Vec::with_capacity(ID_LINE + name.as_str().len() + data.len() + 64);
        buffer.resize(ID_LINE, 0);
        put_fields(&mut buffer, Some(name), data, |buffer| {
            put_retry(buffer, retry);
        });
        Self {
            buffer,
            start: ID_LINE,
        }
    }

    /// The finished bytes and where they start; with the `id` line of `position` in front, if
    /// there is one and the event has no id of its own.
    pub(crate) fn finish(mut self, position: Option<Position>) -> (Vec<u8>, usize) {
        if let Some(position) = position
            && self.start == ID_LINE
        {
            let mut line = [0; ID_LINE];
            let mut rest = &mut line[..];
            // The line is long enough for any position, so that writing can't fail.
            let _ = writeln!(rest, "id: {position}");
            let len = ID_LINE - rest.len();
            self.start -= len;
            self.buffer[self.start..ID_LINE].copy_from_slice(&line[..len]);
        }
        (self.buffer, self.start)
    }
}

/// What `event` takes on the wire without a position, at the most: each byte of its texts a line end.
/// Known without looking at them.
pub(crate) fn longest_len(event: &Event) -> usize {
    let text = |field: &[u8], text: &str| (field.len() + 1).saturating_mul(text.len() + 1);
    let comment = event.comment().map_or(0, |c| text(COMMENT, c));
    let lines = 4 * MAX_NAME_BYTES;
    comment
        .saturating_add(text(DATA, event.data()))
        .saturating_add(lines)
}

/// How many bytes `event` takes on the wire without a position.
pub(crate) fn encoded_len(event: &Event) -> usize {
    let line = |field: &[u8], len: usize| field.len() + len + 1;
    let text = |field: &[u8], text: &str| {
        lines(text.as_bytes())
            .map(|l| line(field, l.len()))
            .sum::<usize>()
    };
    let comment = event.comment().map_or(0, |c| text(COMMENT, c));
    let name = event.name().map_or(0, |n| line(EVENT, n.as_str().len()));
    let id = event.id().map_or(0, |id| line(ID, id.as_str().len()));
    let retry = event
        .retry()
        .map_or(0, |r| line(RETRY, decimal_len(r.as_millis())));
    comment + name + id + retry + text(DATA, event.data()) + 1
}

fn decimal_len(number: u128) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}

fn put_fields(
    buffer: &mut Vec<u8>,
    name: Option<&EventName>,
    data: &str,
    between: impl FnOnce(&mut Vec<u8>),
) {
    if let Some(name) = name {
        put_line(buffer, EVENT, name.as_str().as_bytes());
    }
    between(buffer);
    put_lines(buffer, DATA, data);
    buffer.push(b'\n');
}

fn put_retry(buffer: &mut Vec<u8>, retry: Option<Duration>) {
    if let Some(retry) = retry {
        put_line(buffer, RETRY, retry.as_millis().to_string().as_bytes());
    }
}

fn put_lines(buffer: &mut Vec<u8>, field: &[u8], text: &str) {
    for line in lines(text.as_bytes()) {
        put_line(buffer, field, line);
    }
}

fn put_line(buffer: &mut Vec<u8>, field: &[u8], value: &[u8]) {
    buffer.extend_from_slice(field);
    buffer.extend_from_slice(value);
    buffer.push(b'\n');
}

/// The lines of `text`, split at CRLF, CR and LF alike; there is always at least one.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = memchr2(b'\r', b'\n', text) else {
            return rest.take();
        };
        let after = end
            + if text[end..].starts_with(b"\r\n") {
                2
            } else {
                1
            };
        rest = Some(&text[after..]);
        Some(&text[..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EventBuilder;

    fn wire(event: EventBuilder, position: Option<Position>) -> String {
        let (bytes, start) = Encoded::event(&event.build().unwrap()).finish(position);
        String::from_utf8(bytes[start..].to_vec()).unwrap()
    }

    #[test]
    fn writes_every_field() {
        let event = Event::text("a\nb")
            .event("chat")
            .id("7")
            .retry(Duration::from_millis(1_500))
            .comment("x\ry");
        assert_eq!(
            wire(event, None),
            ": x\n: y\nevent: chat\nid: 7\nretry: 1500\ndata: a\ndata: b\n\n"
        );
    }

    #[test]
    fn splits_data_at_crlf_cr_and_lf_alike() {
        for (data, expected) in [
            ("", "data: \n\n"),
            ("\n", "data: \ndata: \n\n"),
            ("a\r\nb\rc\nd", "data: a\ndata: b\ndata: c\ndata: d\n\n"),
            ("a\n\rb", "data: a\ndata: \ndata: b\n\n"),
            ("a\r\n", "data: a\ndata: \n\n"),
            (" a", "data:  a\n\n"),
            (":a", "data: :a\n\n"),
            ("event: x", "data: event: x\n\n"),
        ] {
            assert_eq!(wire(Event::text(data), None), expected, "{data:?}");
        }
    }

    #[test]
    fn a_position_is_the_id_of_an_event_that_has_none() {
        let position = Some(Position::new(0xfeed, 42));
        assert_eq!(
            wire(Event::text("x").event("e"), position),
            "id: ~000000000000feed.42\nevent: e\ndata: x\n\n"
        );
        assert_eq!(
            wire(Event::text("x").id("mine"), position),
            "id: mine\ndata: x\n\n"
        );
        let longest = Some(Position::new(u64::MAX, u64::MAX));
        assert_eq!(
            wire(Event::text("x"), longest),
            "id: ~ffffffffffffffff.18446744073709551615\ndata: x\n\n"
        );
    }

    #[test]
    fn an_event_is_no_longer_than_is_known_beforehand() {
        let name = "n".repeat(MAX_NAME_BYTES);
        let named = |text: &str| Event::text(text).comment(text).event(&*name).id(&*name);
        for text in ["", "x", "\n", "\r", "\n\r\r\n\n"] {
            let event = named(text).retry(Duration::from_millis(u64::MAX));
            let event = event.build().unwrap();
            let (len, longest) = (encoded_len(&event), longest_len(&event));
            assert!(len <= longest, "{text:?}: {len}, not {longest}");
        }
        let lines = Event::text("\n".repeat(1_000)).build().unwrap();
        let (len, longest) = (encoded_len(&lines), longest_len(&lines));
        assert!(longest - len < 5 * MAX_NAME_BYTES, "near where it matters");
    }

    #[test]
    fn encodes_with_one_allocation_of_the_right_size() {
        let event = Event::text("a\r\nb\n".repeat(1000)).comment("c").build();
        let encoded = Encoded::event(&event.unwrap());
        assert_eq!(encoded.buffer.len(), encoded.buffer.capacity());
    }
}
