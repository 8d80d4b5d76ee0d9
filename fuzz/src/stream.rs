//! An open stream, read by the reference parser.

use bytes::Bytes;
use futures_util::FutureExt;
use http::HeaderMap;
use http_body::Body;
use http_body_util::BodyExt;
use serde::Deserialize;
use sse_conformance::{Dispatched, EventStream};
use tokio::task::yield_now;

use crate::runtime::TURNS;

/// The body of a stream and what was read of it.
#[derive(Debug)]
pub(crate) struct Reader<B> {
    body: B,
    stream: EventStream,
    /// What was read together with the opening event.
    behind: Vec<Dispatched>,
}

/// The data of the opening event.
#[derive(Debug, Deserialize)]
pub(crate) struct Connected {
    pub(crate) connection_id: String,
    pub(crate) client_id: String,
    pub(crate) groups: Vec<String>,
    pub(crate) resume: String,
}

impl<B: Body<Data = Bytes, Error: std::fmt::Debug> + Unpin> Reader<B> {
    pub(crate) fn new(body: B) -> Self {
        Self {
            body,
            stream: EventStream::new(),
            behind: Vec::new(),
        }
    }

    /// All events that can be read at once.
    pub(crate) fn read(&mut self) -> Vec<Dispatched> {
        let mut events = Vec::new();
        while let Some(Some(frame)) = self.body.frame().now_or_never() {
            let bytes = frame.expect("a frame").into_data().expect("data");
            events.extend(self.stream.push(&bytes));
        }
        assert!(!self.stream.is_midway(), "an event is cut short");
        assert!(self.stream.ignored().is_empty(), "a line means nothing");
        events
    }

    /// The opening event, which is there at once, and on a fresh stream alone.
    pub(crate) fn opening(&mut self) -> Connected {
        let mut events = self.read();
        assert!(!events.is_empty(), "no opening event");
        self.behind = events.split_off(1);
        assert_eq!(events[0].event, "connected");
        let connected: Connected = serde_json::from_str(&events[0].data).expect("its JSON");
        assert_eq!(connected.connection_id.len(), 32);
        match &*connected.resume {
            "fresh" => assert_eq!(self.behind, []),
            "replaying" | "gap" => {}
            other => panic!("resume: {other}"),
        }
        connected
    }

    /// What follows the opening event of a stream that resumes, to the end of its catch-up.
    pub(crate) async fn catch_up(&mut self) -> Vec<Dispatched> {
        let mut events = std::mem::take(&mut self.behind);
        for _ in 0..TURNS {
            if events.last().is_some_and(|last| last.event == "caught-up") {
                return events;
            }
            yield_now().await;
            events.extend(self.read());
        }
        panic!("it doesn't catch up: {events:?}");
    }

    /// What the stream has said so far beside its events.
    pub(crate) const fn stream(&self) -> &EventStream {
        &self.stream
    }

    /// Whether the stream has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        matches!(self.body.frame().now_or_never(), Some(None))
    }
}

/// Asserts that the head of a stream is as promised.
pub(crate) fn assert_stream_head(headers: &HeaderMap) {
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-cache, no-transform"),
        ("x-accel-buffering", "no"),
    ] {
        assert_eq!(headers.get_all(name).iter().count(), 1, "{name}");
        assert_eq!(headers[name], value);
    }
    assert!(!headers.contains_key("connection"));
}

/// Asserts that a body is called JSON.
pub(crate) fn assert_json(headers: &HeaderMap) {
    let content_type = headers["content-type"].to_str().expect("text");
    assert_eq!(content_type.split(';').next(), Some("application/json"));
}

/// Asserts that a body is `{"error": …}`, in JSON and called so; returns what it says.
pub(crate) fn assert_json_error(headers: &HeaderMap, body: &[u8]) -> String {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Refused {
        error: String,
    }
    assert_json(headers);
    let refused: Refused = serde_json::from_slice(body).expect("an error in JSON");
    assert!(!refused.error.is_empty(), "an error that says nothing");
    refused.error
}

/// A text as a client reads it: with LF between its lines.
pub(crate) fn with_lf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}
