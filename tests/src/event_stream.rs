use std::{borrow::Cow, mem, time::Duration};

const BOM: &[u8] = "\u{feff}".as_bytes();

/// A reference parser of the event stream format, written from the standard and from nothing else
/// (WHATWG HTML, 9.2.5 "Parsing an event stream" and 9.2.6 "Interpreting an event stream").
///
/// It takes the bytes as they come: however they are split, the result is the same, and an event
/// is dispatched with the first byte that completes its blank line. At the end of a stream just
/// drop it: what is incomplete then is never dispatched.
///
/// ```
/// use sse_conformance::EventStream;
///
/// let mut stream = EventStream::new();
/// assert!(stream.push(b"event: add\r\nda").is_empty());
///
/// let events = stream.push(b"ta: 73857293\r\n\r\n");
/// assert_eq!(events.len(), 1);
/// assert_eq!(events[0].event, "add");
/// assert_eq!(events[0].data, "73857293");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventStream {
    /// What has come of a line whose end has not.
    line: Vec<u8>,
    /// The last line ended in CR: an LF right after it belongs to the same end.
    after_cr: bool,
    /// A line has ended: no BOM any more.
    begun: bool,
    data_buffer: String,
    event_type_buffer: String,
    last_event_id_buffer: String,
    last_event_id: String,
    retry_ms: Option<u64>,
    comments: Vec<String>,
    ignored: Vec<String>,
}

/// An event as an `EventSource` dispatches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatched {
    /// Its type; `message` where the stream names none.
    pub event: String,
    /// Its data; LF between lines.
    pub data: String,
    /// Its last event id: the one that it carried, or else the latest before it.
    pub last_event_id: String,
}

impl EventStream {
    /// The beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes; returns the events that they complete.
    pub fn push(&mut self, mut bytes: &[u8]) -> Vec<Dispatched> {
        let mut dispatched = Vec::new();
        while !bytes.is_empty() {
            if mem::take(&mut self.after_cr)
                && let Some(rest) = bytes.strip_prefix(b"\n")
            {
                bytes = rest;
                continue;
            }
            let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
                self.line.extend_from_slice(bytes);
                break;
            };
            self.after_cr = bytes[end] == b'\r';
            let line = if self.line.is_empty() {
                Cow::Borrowed(&bytes[..end])
            } else {
                self.line.extend_from_slice(&bytes[..end]);
                Cow::Owned(mem::take(&mut self.line))
            };
            dispatched.extend(self.end_line(&line));
            bytes = &bytes[end + 1..];
        }
        dispatched
    }

    /// The reconnection time that the stream asked for last. More milliseconds than fit 64 bits
    /// count as the most that do.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        self.retry_ms.map(Duration::from_millis)
    }

    /// The last event id string: what a reconnect would send as `Last-Event-ID`.
    ///
    /// A blank line sets it, also where there is no data to dispatch.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// All comments so far, each what stands after its colon, a leading space included.
    #[must_use]
    pub fn comments(&self) -> &[String] {
        &self.comments
    }

    /// All lines so far that the standard has ignored and that are no comments: unknown fields,
    /// an id with a NUL, a retry that is no number.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// Whether the stream stands inside an event or a line, which its end here would discard.
    #[must_use]
    pub fn is_midway(&self) -> bool {
        !self.line.is_empty()
            || !self.data_buffer.is_empty()
            || !self.event_type_buffer.is_empty()
            || self.last_event_id_buffer != self.last_event_id
    }

    /// Interprets a whole line.
    ///
    /// The standard decodes the stream before it cuts lines. Cutting first comes to the same: no
    /// byte of a longer sequence is CR or LF, and a sequence that one of them cuts short is
    /// malformed either way.
    fn end_line(&mut self, line: &[u8]) -> Option<Dispatched> {
        let first = !mem::replace(&mut self.begun, true);
        let line = match line.strip_prefix(BOM) {
            Some(rest) if first => rest,
            _ => line,
        };
        let line = String::from_utf8_lossy(line);
        if line.is_empty() {
            return self.dispatch();
        }
        match line.split_once(':') {
            Some(("", comment)) => self.comments.push(comment.to_owned()),
            Some((name, value)) => {
                let value = value.strip_prefix(' ').unwrap_or(value);
                self.process_field(&line, name, value);
            }
            None => self.process_field(&line, &line, ""),
        }
        None
    }

    fn process_field(&mut self, line: &str, name: &str, value: &str) {
        match name {
            "event" => value.clone_into(&mut self.event_type_buffer),
            "data" => {
                self.data_buffer.push_str(value);
                self.data_buffer.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.last_event_id_buffer),
            // "Only ASCII digits" holds for no digits too, but those are no integer in base ten.
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.retry_ms = Some(value.parse().unwrap_or(u64::MAX));
            }
            _ => self.ignored.push(line.to_owned()),
        }
    }

    fn dispatch(&mut self) -> Option<Dispatched> {
        self.last_event_id_buffer
            .clone_into(&mut self.last_event_id);
        let mut data = mem::take(&mut self.data_buffer);
        let event_type = mem::take(&mut self.event_type_buffer);
        if data.is_empty() {
            return None;
        }
        // A data buffer that isn't empty always ends in LF.
        data.pop();
        Some(Dispatched {
            event: if event_type.is_empty() {
                "message".to_owned()
            } else {
                event_type
            },
            data,
            last_event_id: self.last_event_id.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
