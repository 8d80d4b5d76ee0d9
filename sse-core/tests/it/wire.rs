//! The encoder against the reference parser: every event that can be built is read back as it was
//! built, and nothing else is.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use proptest::{collection::vec, option, prelude::*, sample::Index};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sse_conformance::{Dispatched, EventStream};
use sse_core::{
    ClientId, Event, EventBuilder, EventId, EventName, Frame, GroupName, Hub, Position, Subscribe,
};

/// What breaks encoders.
const HOSTILE: &[&str] = &[
    "",
    " ",
    "  ",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "\r\r",
    "\n\r",
    ":",
    ": ",
    "\u{feff}",
    "\0",
    "\t",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{b}",
    "\u{c}",
    "\u{7f}",
    "data",
    "data:",
    "data: x",
    "event: x",
    "id: x",
    "id",
    "retry: 1",
    "\ndata: x\n\n",
    "\r\rid: 7\r\r",
    "\n\nevent: x\r\n",
    "~000000000000feed.42",
    "~",
    "\u{1f980}",
    "e\u{301}",
    "\u{10ffff}",
    "{\"a\":1}",
    "\\n",
    "x",
];

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(HOSTILE).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

/// Hostile, but for what every name refuses.
fn name() -> impl Strategy<Value = EventName> {
    let accepted = |text: String| EventName::new(text.replace(char::is_control, "")).ok();
    hostile().prop_filter_map("a name", accepted)
}

fn id() -> impl Strategy<Value = EventId> {
    let accepted = |text: String| {
        let text = text.replace(char::is_control, "");
        EventId::new(text.trim().trim_start_matches(['~', ' '])).ok()
    };
    hostile().prop_filter_map("an id", accepted)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        hostile().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((hostile(), inner), 0..4).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

fn position() -> impl Strategy<Value = Position> {
    let bound = |bound| prop_oneof![any::<u64>(), Just(bound)];
    (bound(0), bound(u64::MAX)).prop_map(|(epoch, sequence)| Position::new(epoch, sequence))
}

fn event() -> impl Strategy<Value = Event> {
    let data = prop_oneof![
        hostile().prop_map(Event::text),
        value().prop_map(|value| Event::json(&value)),
    ];
    let retry = option::of(any::<u64>().prop_map(Duration::from_millis));
    let fields = (
        option::of(name()),
        option::of(id()),
        retry,
        option::of(hostile()),
    );
    (data, fields).prop_map(|(mut event, (name, id, retry, comment))| {
        if let Some(name) = name {
            event = event.event(name);
        }
        if let Some(id) = id {
            event = event.id(id);
        }
        if let Some(retry) = retry {
            event = event.retry(retry);
        }
        if let Some(comment) = comment {
            event = event.comment(comment);
        }
        built(event)
    })
}

fn built(event: EventBuilder) -> Event {
    event.build().expect("an event of valid parts")
}

/// What a client has read, or should have.
#[derive(Debug, Default, PartialEq)]
struct Read {
    events: Vec<Dispatched>,
    last_event_id: String,
    retry: Option<Duration>,
    comments: Vec<String>,
    ignored: Vec<String>,
    midway: bool,
}

/// What the events say, without a look at their bytes.
fn meant<'a>(events: impl IntoIterator<Item = (&'a Event, Option<Position>)>) -> Read {
    let mut read = Read::default();
    for (event, position) in events {
        let own_id = event.id().map(|id| id.as_str().to_owned());
        if let Some(id) = own_id.or_else(|| position.map(|position| position.to_string())) {
            read.last_event_id = id;
        }
        read.retry = event.retry().or(read.retry);
        if let Some(comment) = event.comment() {
            let lines = with_lf(comment);
            read.comments
                .extend(lines.split('\n').map(|line| format!(" {line}")));
        }
        read.events.push(Dispatched {
            event: event.name().map_or("message", EventName::as_str).to_owned(),
            data: with_lf(event.data()),
            last_event_id: read.last_event_id.clone(),
        });
    }
    read
}

fn with_lf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// What the reference parser makes of the pieces.
fn parsed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let mut stream = EventStream::new();
    let events = pieces
        .into_iter()
        .flat_map(|piece| stream.push(piece))
        .collect();
    Read {
        events,
        last_event_id: stream.last_event_id().to_owned(),
        retry: stream.retry(),
        comments: stream.comments().to_vec(),
        ignored: stream.ignored().to_vec(),
        midway: stream.is_midway(),
    }
}

/// That this event reads back as it was built, on its own, with and without a position.
fn assert_reads_back(event: EventBuilder) {
    let event = built(event);
    for position in [None, Some(Position::new(0xfeed, 42))] {
        let frame = Frame::new(&event, position);
        assert_eq!(parsed([&frame.bytes()[..]]), meant([(&event, position)]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_024,
        // A failure prints its smallest case, which belongs into the tests below.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn an_event_reads_back_as_it_was_built(event in event(), position in option::of(position())) {
        let frame = Frame::new(&event, position);
        prop_assert_eq!(frame.len(), frame.bytes().len());
        prop_assert_eq!(parsed([&frame.bytes()[..]]), meant([(&event, position)]));
    }

    #[test]
    fn many_events_split_anywhere_read_back(
        events in vec((event(), option::of(position())), 0..8),
        cuts in vec(any::<Index>(), 0..24),
    ) {
        let frames = events.iter().map(|(event, position)| Frame::new(event, *position));
        let bytes: Vec<u8> = frames.flat_map(|frame| frame.bytes().to_vec()).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]);
        let events = events.iter().map(|(event, position)| (event, *position));
        prop_assert_eq!(parsed(pieces), meant(events));
    }

    #[test]
    fn json_reads_back_as_the_same_value(value in value()) {
        let event = built(Event::json(&value));
        let read = parsed([&Frame::new(&event, None).bytes()[..]]);
        prop_assert_eq!(read.events.len(), 1);
        let read: Value = serde_json::from_str(&read.events[0].data)?;
        prop_assert_eq!(read, value);
    }

    /// Whatever a field accepts, there is one event, and no field that wasn't given.
    #[test]
    fn what_any_field_accepts_injects_nothing(text in hostile()) {
        let x = || Event::text("x");
        let fields = [
            Event::text(&text),
            x().comment(&text),
            x().event(&text),
            x().id(&text),
            x().idempotency_key(&text),
            x().conflation_key(&text),
        ];
        for event in fields.into_iter().filter_map(|event| event.build().ok()) {
            let frame = Frame::new(&event, None);
            prop_assert_eq!(parsed([&frame.bytes()[..]]), meant([(&event, None)]));
        }
    }

    #[test]
    fn what_would_break_the_wire_is_no_name(
        before in hostile(),
        breaks in prop::sample::select(&['\r', '\n', '\0'][..]),
        after in hostile(),
    ) {
        let text = format!("{before}{breaks}{after}");
        prop_assert!(Event::text("x").event(&text).build().is_err());
        prop_assert!(Event::text("x").id(&text).build().is_err());
        prop_assert!(!deserializes::<EventName>(&text));
        prop_assert!(!deserializes::<EventId>(&text));
    }

    #[test]
    fn what_has_the_form_of_a_position_is_no_id(position in position(), tail in hostile()) {
        for text in [position.to_string(), format!("~{tail}")] {
            prop_assert!(Event::text("x").id(&text).build().is_err());
            prop_assert!(!deserializes::<EventId>(&text));
        }
    }
}

fn deserializes<T: DeserializeOwned>(text: &str) -> bool {
    serde_json::from_value::<T>(text.into()).is_ok()
}

#[test]
fn every_hostile_text_reads_back_in_data_and_comments() {
    for text in HOSTILE {
        for text in [
            (*text).to_owned(),
            format!("{text}a"),
            format!("a{text}"),
            text.repeat(2),
        ] {
            assert_reads_back(Event::text(&text));
            assert_reads_back(Event::text("x").comment(&text));
        }
    }
}

#[test]
fn every_hostile_name_and_id_reads_back_or_is_refused() {
    let mut refused = Vec::new();
    for text in HOSTILE {
        match (EventName::new(text), EventId::new(text)) {
            (Ok(name), Ok(id)) => assert_reads_back(Event::text("x").event(name).id(id)),
            (Ok(name), Err(_)) => assert_reads_back(Event::text("x").event(name)),
            (Err(_), id) => {
                assert!(id.is_err(), "{text:?}");
                refused.push(*text);
            }
        }
    }
    let control = |text: &&str| text.is_empty() || text.contains(char::is_control);
    let expected: Vec<&str> = HOSTILE.iter().copied().filter(control).collect();
    assert_eq!(refused, expected);
}

/// The cases that other encoders got wrong, spelled out: what was given, what is read.
#[test]
fn data_reads_back_with_lf_between_its_lines() {
    for (given, read) in [
        ("", ""),
        ("\n", "\n"),
        ("\r\n", "\n"),
        ("a\r\nb\rc\nd", "a\nb\nc\nd"),
        ("a\n\rb", "a\n\nb"),
        ("trailing\n", "trailing\n"),
        ("trailing\r\n\r\n", "trailing\n\n"),
        ("\nleading", "\nleading"),
        (" leading space", " leading space"),
        (":colon first", ":colon first"),
        ("data: prefix", "data: prefix"),
        ("\u{feff}BOM", "\u{feff}BOM"),
        ("nul\0nul", "nul\0nul"),
        ("\u{2028}\u{2029}\u{85}", "\u{2028}\u{2029}\u{85}"),
        ("\u{1f980}\u{10ffff}", "\u{1f980}\u{10ffff}"),
        (
            "x\n\nevent: forged\ndata: y\n\n",
            "x\n\nevent: forged\ndata: y\n\n",
        ),
    ] {
        let frame = Frame::new(&built(Event::text(given)), None);
        let events = parsed([&frame.bytes()[..]]).events;
        let data: Vec<&str> = events.iter().map(|event| &event.data[..]).collect();
        assert_eq!(data, [read], "{given:?}");
    }
}

#[test]
fn a_megabyte_reads_back() {
    const MEGABYTE: usize = 1 << 20;
    assert_reads_back(Event::text("x".repeat(MEGABYTE)));
    assert_reads_back(Event::text("\n".repeat(MEGABYTE)));
    assert_reads_back(Event::text("\r\n\u{1f980}:".repeat(MEGABYTE / 7)));
    assert_reads_back(Event::json(&"\"\n\0".repeat(MEGABYTE / 3)));
    assert_reads_back(Event::text("x").comment("\r".repeat(MEGABYTE)));
}

/// The library's own events name the client and its groups, which clients may have chosen.
#[tokio::test]
async fn hostile_clients_and_groups_forge_nothing_in_the_opening_event() {
    for text in HOSTILE {
        let (Ok(client), Ok(group)) = (ClientId::new(text), GroupName::new(text)) else {
            continue;
        };
        let hub = Hub::builder().initial_heartbeat(true).build().unwrap();
        let subscribe = Subscribe::new(client).group(group);
        let mut body = hub.subscribe(subscribe).await.unwrap().into_body();
        let piece = body.next().now_or_never().flatten().unwrap().unwrap();
        let read = parsed([&piece[..]]);
        let names: Vec<&str> = read.events.iter().map(|event| &event.event[..]).collect();
        assert_eq!(names, ["connected", "heartbeat"], "{text:?}");
        assert_eq!((read.ignored, read.midway), (vec![], false), "{text:?}");
        let connected: Value = serde_json::from_str(&read.events[0].data).unwrap();
        assert_eq!(connected["client_id"], json!(text));
        assert_eq!(connected["groups"], json!([text]));
    }
}
