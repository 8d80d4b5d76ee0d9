use std::{mem, time::Duration};

use sse_conformance::{Dispatched, EventStream};

use crate::{script::number, stream::with_lf};

/// The reference parser reads what the standard says, however the bytes are cut, and whichever of
/// its three ends each line has.
///
/// # Panics
///
/// Something of that isn't so.
pub fn event_stream(data: &[u8]) {
    let whole = parsed([data]);
    for size in [1, 2, 3, 7] {
        assert_eq!(parsed(data.chunks(size)), whole, "in pieces of {size}");
    }
    let middle = data.len() / 2;
    assert_eq!(parsed([&data[..middle], &data[middle..]]), whole);
    assert_eq!(whole.1, interpreted(data));

    let lines = with_lf(&String::from_utf8_lossy(data));
    for end in ["\n", "\r", "\r\n"] {
        let ended = lines.replace('\n', end);
        assert_eq!(parsed([ended.as_bytes()]).1, whole.1, "with {end:?}");
    }
}

/// What a client has read.
#[derive(Debug, Default, PartialEq)]
struct Read {
    events: Vec<Dispatched>,
    last_event_id: String,
    retry: Option<Duration>,
    comments: Vec<String>,
    ignored: Vec<String>,
}

fn parsed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (EventStream, Read) {
    let mut stream = EventStream::new();
    let events = pieces
        .into_iter()
        .flat_map(|piece| stream.push(piece))
        .collect();
    let read = Read {
        events,
        last_event_id: stream.last_event_id().to_owned(),
        retry: stream.retry(),
        comments: stream.comments().to_vec(),
        ignored: stream.ignored().to_vec(),
    };
    (stream, read)
}

/// The same as the parser does, in the order in which the standard says it: decode, take off the
/// byte order mark, cut lines, interpret them (WHATWG HTML, 9.2.5 and 9.2.6).
fn interpreted(data: &[u8]) -> Read {
    let text = with_lf(&String::from_utf8_lossy(data));
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut read = Read::default();
    let Some((lines, _incomplete)) = text.rsplit_once('\n') else {
        return read;
    };
    let (mut event, mut data, mut id) = (String::new(), Vec::new(), String::new());
    for line in lines.split('\n') {
        if line.is_empty() {
            read.last_event_id.clone_from(&id);
            let name = mem::take(&mut event);
            // A field without a value counts: it puts an LF into the standard's buffer.
            if !data.is_empty() {
                read.events.push(Dispatched {
                    event: match &name[..] {
                        "" => "message".to_owned(),
                        _ => name,
                    },
                    data: mem::take(&mut data).join("\n"),
                    last_event_id: id.clone(),
                });
            }
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let stripped = value.strip_prefix(' ').unwrap_or(value);
        match (field, number(stripped.as_bytes())) {
            ("", _) => read.comments.push(value.to_owned()),
            ("event", _) => stripped.clone_into(&mut event),
            ("data", _) => data.push(stripped.to_owned()),
            ("id", _) if !stripped.contains('\0') => stripped.clone_into(&mut id),
            ("retry", Some(ms)) => read.retry = Some(Duration::from_millis(ms)),
            _ => read.ignored.push(line.to_owned()),
        }
    }
    read
}
