//! An event is encoded once, however many connections it goes to (promise 2).

use std::{
    future::poll_fn,
    sync::atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use serde::{Serialize, Serializer};
use sse_conformance::{Dispatched, EventStream};
use sse_core::{
    ClientId, Event, EventBody, EventSink, Frame, GroupName, Hub, NoticeConfig, Offer, QueueLimits,
    QueueSink, SinkContext, Subscribe, Target, WhenFull,
};

const CONNECTIONS: usize = 10_000;

/// Counts how often it is written as JSON.
#[derive(Default)]
struct Counted(AtomicUsize);

impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        serializer.serialize_u64(before as u64 + 1)
    }
}

/// A hub without opening events, and its connections: all of one client, all in one group.
async fn connected() -> (Hub, Vec<EventBody>) {
    let mut notices = NoticeConfig::default();
    notices.opening = false;
    let hub = Hub::builder().notices(notices).build().unwrap();
    let mut bodies = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let subscribe = Subscribe::client_id("ada").unwrap();
        let subscribe = subscribe.group(GroupName::new("admins").unwrap());
        let mut body = hub.subscribe(subscribe).await.unwrap().into_body();
        assert_eq!(piece(&mut body), "\n", "a first byte leaves at once");
        bodies.push(body);
    }
    (hub, bodies)
}

/// What waits in a body as one piece.
fn piece(body: &mut EventBody) -> Bytes {
    let Ok(piece) = body.next().now_or_never().flatten().expect("a piece waits");
    piece
}

/// The one event that all these pieces hold in the same memory.
fn the_same(pieces: impl IntoIterator<Item = Bytes>) -> Dispatched {
    let mut pieces = pieces.into_iter();
    let first = pieces.next().expect("there are connections");
    for piece in pieces {
        assert_eq!((piece.as_ptr(), piece.len()), (first.as_ptr(), first.len()));
    }
    let mut events = EventStream::new().push(&first);
    let event = events.pop().expect("an event");
    assert_eq!(events, []);
    event
}

#[tokio::test]
async fn ten_thousand_connections_share_one_encoding() {
    let (hub, mut bodies) = connected().await;
    let targets = [
        ("unicast", Target::client(ClientId::new("ada").unwrap())),
        ("group", Target::group(GroupName::new("admins").unwrap())),
        ("broadcast", Target::everybody()),
    ];
    for (mode, target) in targets {
        let counted = Counted::default();
        let event = Event::json(&counted).event(mode);
        let receipt = hub.publish(target, event).await.unwrap();
        assert_eq!(
            receipt.outcome().await.unwrap().queued as usize,
            CONNECTIONS
        );

        let event = the_same(bodies.iter_mut().map(piece));
        assert_eq!((&event.event[..], &event.data[..]), (mode, "1"));
        assert_eq!(counted.0.into_inner(), 1);
    }
}

#[test]
fn a_large_frame_is_not_copied_together_with_its_neighbours() {
    let sink = QueueSink::new(QueueLimits::default(), SinkContext::default());
    let frames = [1, 100_000, 1].map(|len| {
        let event = Event::text("x".repeat(len)).build().unwrap();
        Frame::new(&event, None)
    });
    for frame in &frames {
        assert_eq!(sink.try_send(frame, WhenFull::Refuse), Offer::QUEUED);
    }
    for frame in &frames {
        let piece = poll_fn(|cx| sink.poll_next(cx)).now_or_never().flatten();
        let piece = piece.expect("a piece waits");
        the_same([frame.bytes().clone(), piece]);
    }
}
