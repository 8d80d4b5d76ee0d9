use std::{mem, time::Duration};

use sse_conformance::{Dispatched, EventStream};
use sse_core::{Event, EventBuilder, EventError, Frame, NameError, Position};

use crate::{
    names::broken_rule,
    script::{self, Line, lines},
    stream::with_lf,
};

/// Whatever builds reads back as it was built, alone and after others, in one piece or cut
/// anywhere; whatever doesn't is refused with its first error.
///
/// The bytes are lines. `text` and `json` begin an event; `event`, `id`, `retry` (with a unit:
/// `1500`, `1500us`, `2s`), `comment`, `key`, `conflate`, `transient` and `at` (a sequence) say
/// more of it; `cut` says where the stream is cut.
///
/// # Panics
///
/// Something of that isn't so.
pub fn event(data: &[u8]) {
    let mut stream = Stream::default();
    let mut draft = None;
    let mut cuts = Vec::new();
    for line in lines(data) {
        match (line.word, &mut draft) {
            (b"text" | b"json", draft) => stream.extend(draft.replace(Draft::new(&line))),
            (b"cut", _) => cuts.extend(line.number()),
            (_, Some(draft)) => draft.step(&line),
            _ => {}
        }
    }
    stream.extend(draft);
    stream.check(&cuts);
}

/// An event as it is built, and what it should come to.
struct Draft {
    builder: EventBuilder,
    meant: Meant,
    position: Option<Position>,
}

#[derive(Debug, Default)]
struct Meant {
    data: String,
    name: Option<String>,
    id: Option<String>,
    retry: Option<Duration>,
    comment: Option<String>,
    key: Option<String>,
    conflation: Option<String>,
    transient: bool,
    error: Option<Refused>,
}

#[derive(Debug, PartialEq)]
enum Refused {
    Name(NameError),
    Retry(Duration),
}

impl Draft {
    fn new(line: &Line<'_>) -> Self {
        let text = line.text();
        let (builder, data) = if line.word == b"json" {
            let json = serde_json::to_string(&text).expect("text is JSON");
            (Event::json(&text), json)
        } else {
            (Event::text(&text), text)
        };
        Self {
            builder,
            meant: Meant {
                data,
                ..Meant::default()
            },
            position: None,
        }
    }

    fn step(&mut self, line: &Line<'_>) {
        let text = || line.text();
        match line.word {
            b"event" => self.name(text(), "event name", EventBuilder::event, |m| &mut m.name),
            b"id" => self.name(text(), "event id", EventBuilder::id, |m| &mut m.id),
            b"key" => {
                let build = EventBuilder::idempotency_key;
                self.name(text(), "idempotency key", build, |m| &mut m.key);
            }
            b"conflate" => {
                let build = EventBuilder::conflation_key;
                self.name(text(), "conflation key", build, |m| &mut m.conflation);
            }
            b"retry" => {
                if let Some(retry) = duration(&line.value) {
                    self.build(|builder| builder.retry(retry));
                    let ms = u64::try_from(retry.as_millis());
                    let whole = retry.subsec_nanos() % 1_000_000 == 0;
                    self.means(|meant| match ms {
                        Ok(_) if whole => meant.retry = Some(retry),
                        _ => meant.error = Some(Refused::Retry(retry)),
                    });
                }
            }
            b"comment" => {
                self.build(|builder| builder.comment(text()));
                self.means(|meant| meant.comment = Some(text()));
            }
            b"transient" => {
                self.build(EventBuilder::transient);
                self.means(|meant| meant.transient = true);
            }
            b"at" => {
                let at = line.number();
                self.position = at.map(|at| Position::new(at.rotate_left(32), at));
            }
            _ => {}
        }
    }

    fn name(
        &mut self,
        text: String,
        what: &'static str,
        build: impl FnOnce(EventBuilder, String) -> EventBuilder,
        field: impl FnOnce(&mut Meant) -> &mut Option<String>,
    ) {
        self.build(|builder| build(builder, text.clone()));
        self.means(|meant| match broken_rule(what, &text) {
            Some(rule) => meant.error = Some(Refused::Name(rule)),
            None => *field(meant) = Some(text),
        });
    }

    fn build(&mut self, step: impl FnOnce(EventBuilder) -> EventBuilder) {
        let builder = mem::replace(&mut self.builder, Event::text(""));
        self.builder = step(builder);
    }

    /// The builder keeps its first error, and nothing that follows counts.
    fn means(&mut self, step: impl FnOnce(&mut Meant)) {
        if self.meant.error.is_none() {
            step(&mut self.meant);
        }
    }
}

/// `1500` (milliseconds), `1500ms`, `1500us` or `2s`.
fn duration(value: &[u8]) -> Option<Duration> {
    let digits = value.iter().take_while(|b| b.is_ascii_digit()).count();
    let (number, unit) = value.split_at(digits);
    let number = script::number(number)?;
    match unit {
        b"" | b"ms" => Some(Duration::from_millis(number)),
        b"us" => Some(Duration::from_micros(number)),
        b"s" => Some(Duration::from_secs(number)),
        _ => None,
    }
}

/// What was sent, and what a client has to read of it.
#[derive(Default)]
struct Stream {
    bytes: Vec<u8>,
    events: Vec<Dispatched>,
    last_event_id: String,
    retry: Option<Duration>,
    comments: Vec<String>,
}

impl Stream {
    /// Builds the event and puts it at the end, if there is one and it is valid.
    fn extend(&mut self, draft: Option<Draft>) {
        let Some(draft) = draft else { return };
        let (meant, position) = (draft.meant, draft.position);
        match draft.builder.build() {
            Ok(event) => {
                assert_eq!(meant.error, None, "{event:?}");
                assert_built(&event, &meant);
                self.push(&event, meant, position);
            }
            Err(EventError::Name(error)) => assert_eq!(meant.error, Some(Refused::Name(error))),
            Err(EventError::Retry(retry)) => assert_eq!(meant.error, Some(Refused::Retry(retry))),
            Err(error) => panic!("{error} for {meant:?}"),
        }
    }

    fn push(&mut self, event: &Event, meant: Meant, position: Option<Position>) {
        let frame = Frame::new(event, position);
        assert_eq!(frame.len(), frame.bytes().len());
        self.bytes.extend_from_slice(frame.bytes());

        let position = position.map(|position| position.to_string());
        if let Some(id) = meant.id.or(position) {
            self.last_event_id = id;
        }
        self.retry = meant.retry.or(self.retry);
        if let Some(comment) = meant.comment {
            let lines = with_lf(&comment);
            let lines = lines.split('\n').map(|line| format!(" {line}"));
            self.comments.extend(lines);
        }
        self.events.push(Dispatched {
            event: meant.name.unwrap_or_else(|| "message".to_owned()),
            data: with_lf(&meant.data),
            last_event_id: self.last_event_id.clone(),
        });
    }

    fn check(&self, cuts: &[u64]) {
        self.check_pieces([&self.bytes[..]]);
        self.check_pieces(self.bytes.chunks(1));
        let len = self.bytes.len();
        let within = |cut: u64| usize::try_from(cut).unwrap_or(usize::MAX) % (len + 1);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| within(*cut)).collect();
        cuts.extend([0, len]);
        cuts.sort_unstable();
        self.check_pieces(cuts.windows(2).map(|cut| &self.bytes[cut[0]..cut[1]]));
    }

    fn check_pieces<'a>(&self, pieces: impl IntoIterator<Item = &'a [u8]>) {
        let mut stream = EventStream::new();
        let pieces = pieces.into_iter();
        let events: Vec<Dispatched> = pieces.flat_map(|piece| stream.push(piece)).collect();
        assert_eq!(events, self.events);
        assert_eq!(stream.last_event_id(), self.last_event_id);
        assert_eq!(stream.retry(), self.retry);
        assert_eq!(stream.comments(), self.comments);
        assert!(stream.ignored().is_empty(), "{:?}", stream.ignored());
        assert!(!stream.is_midway());
    }
}

/// The event is what the steps said, as far as it can be asked.
fn assert_built(event: &Event, meant: &Meant) {
    assert_eq!(event.data(), meant.data);
    assert_eq!(event.name().map(AsRef::as_ref), meant.name.as_deref());
    assert_eq!(event.id().map(AsRef::as_ref), meant.id.as_deref());
    assert_eq!(event.retry(), meant.retry);
    assert_eq!(event.comment(), meant.comment.as_deref());
    let key = event.idempotency_key().map(AsRef::as_ref);
    assert_eq!(key, meant.key.as_deref());
    let key = event.conflation_key().map(AsRef::as_ref);
    assert_eq!(key, meant.conflation.as_deref());
    assert_eq!(event.is_transient(), meant.transient);
}
