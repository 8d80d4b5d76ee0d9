use std::time::Duration;

use http::HeaderMap;
use sse_core::{Event, Frame, Hub, HubBuilder, IntoEvent, NoticeConfig, Position, Target};

use crate::adapter::Seen;

/// The stream of most cases.
pub(crate) const STREAM: &str = "/stream?client=ada&group=red";

pub(crate) const A_SECOND: Duration = Duration::from_secs(1);

/// A hub that writes to no idle stream.
pub(crate) fn quiet() -> HubBuilder {
    Hub::builder().heartbeat(None)
}

pub(crate) fn hub() -> Hub {
    quiet().build().expect("a hub")
}

/// A hub whose streams carry what the application sends, behind one blank line.
pub(crate) fn bare() -> HubBuilder {
    let mut notices = NoticeConfig::default();
    notices.opening = false;
    quiet().notices(notices)
}

/// Sends to everybody; returns where it stands.
pub(crate) async fn broadcast(hub: &Hub, event: impl IntoEvent) -> Position {
    let receipt = hub.broadcast(event).await;
    let receipt = receipt.expect("an open hub publishes");
    receipt.position().expect("a hub with a history keeps it")
}

pub(crate) fn connections(hub: &Hub) -> usize {
    hub.info().connections
}

/// What the extractor of the only connection read.
pub(crate) fn seen(hub: &Hub) -> Seen {
    let mut connections = hub.connections(&Target::everybody());
    let connection = connections.pop().expect("a connection");
    assert!(connections.is_empty(), "there is more than one connection");
    let attributes = connection.attributes();
    let seen = attributes.get::<Seen>().cloned();
    seen.expect("the server under test attaches a `Seen` to each connection")
}

/// The headers that promise that nobody holds the stream back or changes it.
pub(crate) fn assert_head(headers: &HeaderMap, of: &str) {
    for (name, expected) in [
        ("content-type", Some("text/event-stream")),
        ("cache-control", Some("no-cache, no-transform")),
        ("x-accel-buffering", Some("no")),
        ("connection", None),
        ("content-encoding", None),
    ] {
        let values: Vec<_> = headers.get_all(name).iter().collect();
        let expected: Vec<_> = expected.into_iter().collect();
        assert_eq!(values, expected, "{name}, {of}");
    }
}

/// Events whose texts break what isn't careful, and the bytes that they are.
pub(crate) fn hostile_events() -> Vec<(Event, Vec<u8>)> {
    const TEXTS: [&str; 12] = [
        "",
        "plain",
        "two\nlines",
        "two\r\nlines",
        "two\rlines",
        "\n\nevent: forged\ndata: forged\n\n",
        "\r\rid: forged\r\r",
        ": no comment",
        " a space before, and an end\n",
        "data: data",
        "größe \u{2028} \u{1f980} \u{feff}",
        "\0 \u{b} \u{85} \u{7f}",
    ];
    let build = |text: &&str| {
        let event = Event::text(*text).event("hostile").comment(*text).build();
        let event = event.expect("any text can be sent");
        let bytes = Frame::new(&event, None).bytes().to_vec();
        (event, bytes)
    };
    TEXTS.iter().map(build).collect()
}
