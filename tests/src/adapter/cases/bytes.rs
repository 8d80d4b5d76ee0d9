//! Cases of what leaves, and when.

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use sse_core::{Event, Frame, Overflow, QueueLimits, Target};

use tokio::time::{sleep, timeout};

use super::support::{
    A_SECOND, STREAM, assert_head, bare, broadcast, connections, hostile_events, hub, quiet,
};
use crate::{
    StreamClient,
    adapter::{
        Server,
        client::{Client, Version},
    },
};

pub(crate) async fn the_first_byte_leaves_at_once(server: Server) {
    let hub = hub();
    let addr = server.start(&hub).await;
    for version in Version::ALL {
        assert_prompt(&format!("a first event, {version:?}"), async |_| {
            let opened = timeout(A_SECOND, async {
                let mut client = Client::open(addr, version, STREAM).await;
                client.next().await
            });
            let first = opened.await;
            let first =
                first.unwrap_or_else(|_| panic!("nothing came within a second, {version:?}"));
            assert_eq!(first.event, "connected", "{version:?}");
        })
        .await;
    }
}

/// Does something fifteen times, of which all but two have to take less than 50 ms: a busy machine
/// is late now and then, a buffer each time or every few times. A machine that is busier than that
/// gets two more chances.
async fn assert_prompt(what: &str, mut once: impl AsyncFnMut(usize)) {
    const PROMPT: Duration = Duration::from_millis(50);
    let mut late = Vec::new();
    for _ in 0..3 {
        late.clear();
        for n in 0..15 {
            let since = Instant::now();
            once(n).await;
            late.extend(Some(since.elapsed()).filter(|took| *took >= PROMPT));
        }
        if late.len() <= 2 {
            return;
        }
    }
    panic!("{what}: {} of 15 take 50 ms or more: {late:?}", late.len());
}

pub(crate) async fn the_first_byte_needs_no_opening_event(server: Server) {
    let hub = bare().build().expect("a hub");
    let addr = server.start(&hub).await;
    for version in Version::ALL {
        let mut client = Client::open(addr, version, STREAM).await;
        assert_eq!(client.read_body(1).await, b"\n", "{version:?}");
    }
}

pub(crate) async fn each_version_of_http_has_the_same_head(server: Server) {
    let addr = server.start(&hub()).await;
    for version in Version::ALL {
        let client = Client::open(addr, version, STREAM).await;
        assert_eq!(client.status(), 200, "{version:?}");
        assert_head(client.headers(), &format!("{version:?}"));
    }
}

pub(crate) async fn each_event_leaves_within_50_ms(server: Server) {
    assert_flushed(&server, Version::Http11).await;
}

pub(crate) async fn an_event_over_http_2_leaves_within_50_ms(server: Server) {
    assert_flushed(&server, Version::Http2).await;
}

async fn assert_flushed(server: &Server, version: Version) {
    let hub = hub();
    let addr = server.start(&hub).await;
    let mut client = Client::open(addr, version, STREAM).await;
    client.next().await;
    assert_prompt("an event", async |n| {
        broadcast(&hub, Event::text(n.to_string())).await;
        let event = client.try_next(A_SECOND).await;
        let event = event.unwrap_or_else(|| panic!("event {n} is held back"));
        assert_eq!(event.data, n.to_string(), "one event after the other");
    })
    .await;
}

pub(crate) async fn nothing_can_be_injected(server: Server) {
    let hub = hub();
    let addr = server.start(&hub).await;
    let mut client = Client::open(addr, Version::Http11, STREAM).await;
    client.next().await;
    for (event, _) in hostile_events() {
        let data = event.data().replace("\r\n", "\n").replace('\r', "\n");
        let position = broadcast(&hub, event).await;
        let came = client.next().await;
        assert_eq!((&*came.event, came.data), ("hostile", data));
        let id = position.to_string();
        assert_eq!(came.last_event_id, id, "an id was injected");
    }
}

pub(crate) async fn the_body_is_the_cores_bytes(server: Server) {
    assert_bytes(&server, Version::Http11).await;
}

pub(crate) async fn the_body_over_http_2_is_the_cores_bytes(server: Server) {
    assert_bytes(&server, Version::Http2).await;
}

async fn assert_bytes(server: &Server, version: Version) {
    let hub = bare().build().expect("a hub");
    let addr = server.start(&hub).await;
    let mut client = Client::open(addr, version, STREAM).await;
    let mut expected = b"\n".to_vec();
    for (event, bytes) in hostile_events() {
        let position = broadcast(&hub, event).await;
        expected.extend(format!("id: {position}\n").bytes());
        expected.extend(bytes);
        let body = client.read_body(expected.len()).await;
        let (body, all) = (
            String::from_utf8_lossy(body),
            String::from_utf8_lossy(&expected),
        );
        assert_eq!(body, all);
    }
    // Larger than what is sent, read or buffered at once anywhere.
    let large = Event::text("0123456789".repeat(100_000)).build();
    let large = large.expect("it is no larger than the hub allows");
    let position = broadcast(&hub, &large).await;
    expected.extend_from_slice(Frame::new(&large, Some(position)).bytes());
    let body = client.read_body(expected.len()).await;
    assert!(body == expected, "a large event isn't as it was");
}

pub(crate) async fn a_thousand_events_come_in_order(server: Server) {
    const ALL: usize = 1000;
    let limits = QueueLimits {
        events: NonZeroUsize::new(ALL).expect("not zero"),
        ..QueueLimits::default()
    };
    let hub = quiet().queue(limits).build().expect("a hub");
    let addr = server.start(&hub).await;
    let mut client = Client::open(addr, Version::Http11, STREAM).await;
    client.next().await;
    for n in 0..ALL {
        broadcast(&hub, Event::text(n.to_string())).await;
    }
    for n in 0..ALL {
        assert_eq!(client.next().await.data, n.to_string());
    }
}

pub(crate) async fn who_stops_reading_is_not_read_for(server: Server) {
    assert_not_read_for(&server, async |addr| {
        let client = StreamClient::open(addr, STREAM).receive_buffer(4096);
        Client::Http1(client.await)
    })
    .await;
}

pub(crate) async fn who_stops_reading_over_http_2_is_not_read_for(server: Server) {
    let open = async |addr| Client::open(addr, Version::Http2, STREAM).await;
    assert_not_read_for(&server, open).await;
}

async fn assert_not_read_for(server: &Server, open: impl AsyncFn(SocketAddr) -> Client) {
    /// What kernels, frameworks and HTTP servers hold for one client comes to some megabytes.
    const MOST: usize = 64 * 1024 * 1024;
    const EVENT: usize = 64 * 1024;
    /// What stays full for so long isn't read.
    const A_WHILE: Duration = Duration::from_millis(200);
    let limits = QueueLimits {
        events: NonZeroUsize::new(4).expect("not zero"),
        ..QueueLimits::default()
    };
    let hub = quiet().queue(limits).overflow(Overflow::DropOldest);
    let hub = hub.build().expect("a hub");
    let addr = server.start(&hub).await;
    let mut client = open(addr).await;
    client.next().await;
    let mut sent = 0;
    let is_full = || hub.info().queued >= 4;
    while !is_full() || timeout(A_WHILE, while_(is_full)).await.is_ok() {
        assert!(
            sent < MOST,
            "{sent} bytes were taken for a client that reads none"
        );
        broadcast(&hub, Event::text("x".repeat(EVENT))).await;
        sent += EVENT;
    }
    assert_eq!(connections(&hub), 1, "the stream has ended");
}

/// Returns once `holds` doesn't any more.
async fn while_(holds: impl Fn() -> bool) {
    while holds() {
        sleep(Duration::from_millis(1)).await;
    }
}

pub(crate) async fn a_disconnect_ends_with_the_last_chunk(server: Server) {
    assert_ends(&server, Version::Http11).await;
}

pub(crate) async fn a_disconnect_ends_a_stream_of_http_2(server: Server) {
    assert_ends(&server, Version::Http2).await;
}

async fn assert_ends(server: &Server, version: Version) {
    let hub = hub();
    let addr = server.start(&hub).await;
    let mut client = Client::open(addr, version, STREAM).await;
    client.next().await;
    assert_eq!(hub.disconnect(&Target::everybody()), 1);
    assert!(client.ended_cleanly().await, "the body is cut off");
}

pub(crate) async fn what_waits_comes_before_the_end(server: Server) {
    let hub = hub();
    let addr = server.start(&hub).await;
    for version in [Version::Http11, Version::Http2] {
        let mut client = Client::open(addr, version, STREAM).await;
        client.next().await;
        for n in 0..50 {
            broadcast(&hub, Event::text(n.to_string())).await;
        }
        hub.disconnect(&Target::everybody());
        for n in 0..50 {
            assert_eq!(client.next().await.data, n.to_string(), "{version:?}");
        }
        let more = client.try_next(A_SECOND).await;
        assert_eq!(more, None, "behind the last event, {version:?}");
    }
}
