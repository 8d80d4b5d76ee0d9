//! The bounded queue of a connection, on its own.

use std::{
    num::NonZeroUsize,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use crate::support::parse;
use WhenFull::{DropOldest, DropThis, Refuse};
use bytes::Bytes;
use sse_core::{
    CloseReason, Event, EventSink, Frame, Hub, Offer, Progress, QueueLimits, QueueSink,
    SinkContext, WhenFull,
};

fn limits(events: usize, bytes: usize) -> QueueLimits {
    QueueLimits {
        events: NonZeroUsize::new(events).unwrap(),
        bytes: NonZeroUsize::new(bytes).unwrap(),
    }
}

fn queue(events: usize, bytes: usize) -> Arc<QueueSink> {
    QueueSink::new(limits(events, bytes), SinkContext::default())
}

/// `!` is one of the library's own frames, `k=a` has the conflation key `k`.
fn frame(text: &str) -> Frame {
    if text == "!" {
        return SinkContext::default().gap(0);
    }
    let event = Event::text(text);
    let event = match text.split_once('=') {
        Some((key, _)) => event.conflation_key(key),
        None => event,
    };
    Frame::new(&event.build().unwrap(), None)
}

fn put(sink: &QueueSink, texts: &[&str], full: WhenFull) -> Vec<Offer> {
    let offers = texts.iter().map(|text| sink.try_send(&frame(text), full));
    offers.collect()
}

fn piece(sink: &QueueSink) -> Poll<Option<Bytes>> {
    sink.poll_next(&mut Context::from_waker(Waker::noop()))
}

/// All that waits: `!` for a notice, `-2` for a gap of two.
fn read(sink: &QueueSink) -> Vec<String> {
    let mut all = Vec::new();
    while let Poll::Ready(Some(bytes)) = piece(sink) {
        all.extend(parse(&bytes).iter().map(|seen| match &seen.name {
            None => seen.data.clone(),
            Some(name) => {
                assert_eq!(name, "gap");
                let dropped = seen.json()["dropped"].as_u64().unwrap();
                assert_eq!(seen.json()["cause"], "overflow");
                if dropped == 0 {
                    "!".to_owned()
                } else {
                    format!("-{dropped}")
                }
            }
        }));
    }
    all
}

const fn queued(replaced: u32, dropped: u32) -> Offer {
    Offer::Queued { replaced, dropped }
}

#[test]
fn an_empty_queue_takes_one_frame_of_any_size() {
    let big = "x".repeat(100_000);
    for full in [Refuse, DropOldest, DropThis] {
        let sink = queue(1, 1);
        assert_eq!(put(&sink, &["!", &big], full), [Offer::QUEUED; 2]);
        assert_eq!(sink.progress().bytes, frame(&big).len());
        assert_eq!(read(&sink), ["!", &big]);
        assert_eq!(put(&sink, &[&big], full), [Offer::QUEUED], "empty again");
    }
}

/// `data: a\n\n` has 9 bytes, `data: k=a\n\n` 11.
const TABLE: &str = "
    events bytes when: what is offered => the answers, replaced/dropped => what is read

    By events:
    2 99 refuse: a b c ! => 0/0 0/0 full 0/0 => a b !
    2 99 oldest: a b c => 0/0 0/0 0/1 => -1 b c
    2 99 this: a b c => 0/0 0/0 gone => a b -1

    By bytes:
    9 27 refuse: a b c d => 0/0 0/0 0/0 full => a b c
    9 26 refuse: a b c => 0/0 0/0 full => a b
    9 28 oldest: a b c dd => 0/0 0/0 0/0 0/1 => -1 b c dd
    9 27 oldest: a b c dd => 0/0 0/0 0/0 0/2 => -2 c dd
    9 27 oldest: a b c ddddddddddddddddddddddd => 0/0 0/0 0/0 0/3 => -3 ddddddddddddddddddddddd
    9 27 this: a bbbbbbbbbbbbbbbbb c => 0/0 gone 0/0 => a -1 c

    Gaps side by side are one, those with something between them are two:
    1 99 oldest: a b c => 0/0 0/1 0/1 => -2 c
    1 99 this: a b c => 0/0 gone gone => a -2
    9 27 this: a bbbbbbbbbbbbbbbbb c bbbbbbbbbbbbbbbbb bbbbbbbbbbbbbbbbb => 0/0 gone 0/0 gone gone => a -1 c -2

    Notices stay where they are:
    1 99 oldest: ! a b c => 0/0 0/0 0/1 0/1 => ! -2 c
    1 99 oldest: a ! b c => 0/0 0/0 0/1 0/1 => -1 ! -1 c
    1 99 this: a b ! c => 0/0 gone 0/0 gone => a -1 ! -1

    Conflation goes to the tail, full or not, and is no drop:
    9 99 refuse: k=1 a k=2 => 0/0 0/0 1/0 => a k=2
    2 99 refuse: k=1 a k=2 b => 0/0 0/0 1/0 full => a k=2
    2 99 oldest: a k=1 k=2 => 0/0 0/0 1/0 => a k=2
    2 99 this: k=1 a k=2 => 0/0 0/0 1/0 => a k=2
    9 99 refuse: k=1 l=1 k=2 => 0/0 0/0 1/0 => l=1 k=2
    1 5 refuse: k=1 k=22222 => 0/0 1/0 => k=22222
    1 99 oldest: a k=1 k=2 => 0/0 0/1 1/0 => -1 k=2

    Where the newer one finds no room, the older one stays:
    9 20 refuse: k=1 a k=2222 => 0/0 0/0 full => k=1 a
    9 20 this: k=1 a k=2222 => 0/0 0/0 gone => k=1 a -1
    9 20 oldest: k=1 a k=2222 => 0/0 0/0 1/1 => -1 k=2222
";

fn told(offer: Offer) -> String {
    match offer {
        Offer::Queued { replaced, dropped } => format!("{replaced}/{dropped}"),
        Offer::Full => "full".to_owned(),
        Offer::Dropped => "gone".to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_does_not_fit_is_treated_as_asked() {
    let words = |text: &'static str| text.split_whitespace().collect::<Vec<_>>();
    let rows = TABLE.lines().filter(|line| line.contains("/0"));
    let mut count = 0;
    for row in rows {
        let parts: Vec<_> = row.split(" => ").collect();
        let (how, texts) = parts[0].split_once(": ").unwrap();
        let (how, texts) = (words(how), words(texts));
        let full = match how[2] {
            "refuse" => Refuse,
            "oldest" => DropOldest,
            _ => DropThis,
        };
        let sink = queue(how[0].parse().unwrap(), how[1].parse().unwrap());
        let offers = put(&sink, &texts, full);
        let survivors = words(parts[2]);
        assert_eq!(
            offers.into_iter().map(told).collect::<Vec<_>>(),
            words(parts[1]),
            "{row}"
        );
        assert_eq!(sink.progress().waiting, survivors.len(), "{row}");
        assert_eq!(read(&sink), survivors, "{row}");
        let progress = Progress {
            taken: survivors.len() as u64,
            ..Progress::default()
        };
        assert_eq!(sink.progress(), progress, "{row}");
        count += 1;
    }
    assert_eq!(count, 25);
}

#[test]
fn gaps_meet_when_the_frame_between_them_is_replaced() {
    let sink = queue(9, 40);
    let big = "b".repeat(30);
    let offers = put(&sink, &["a", &big, "k=1", &big, "k=2"], DropThis);
    assert_eq!(
        offers[1..4],
        [Offer::Dropped, Offer::QUEUED, Offer::Dropped]
    );
    assert_eq!(offers[4], queued(1, 0));
    assert_eq!(read(&sink), ["a", "-2", "k=2"]);
}

#[test]
fn a_refusal_leaves_no_trace() {
    let sink = queue(2, 99);
    put(&sink, &["a", "k=b"], Refuse);
    let before = sink.progress();
    for _ in 0..3 {
        assert_eq!(put(&sink, &["c"], Refuse), [Offer::Full]);
    }
    assert_eq!(sink.progress(), before);
    assert_eq!(read(&sink), ["a", "k=b"]);
}

#[test]
fn notices_are_taken_by_a_full_queue_and_use_up_no_room() {
    for full in [Refuse, DropOldest, DropThis] {
        let sink = queue(2, 18);
        assert_eq!(put(&sink, &["a"], full), [Offer::QUEUED]);
        assert_eq!(put(&sink, &["!"; 500], full), [Offer::QUEUED; 500]);
        assert_eq!(sink.progress().bytes, 9, "of the application's");
        assert_eq!(put(&sink, &["b", "!"], full), [Offer::QUEUED; 2]);
        // A notice that repeats the last one says nothing.
        assert_eq!(read(&sink), ["a", "!", "b", "!"]);
    }
}

#[test]
fn a_lone_frame_leaves_as_the_shared_bytes() {
    for text in ["a", &"x".repeat(50_000)] {
        let (sink, frame) = (queue(9, 99), frame(text));
        sink.try_send(&frame, Refuse);
        let Poll::Ready(Some(bytes)) = piece(&sink) else {
            panic!("nothing")
        };
        assert_eq!(bytes.as_ptr(), frame.bytes().as_ptr());
        assert_eq!(bytes, frame.bytes());
    }
}

#[test]
fn waiting_frames_leave_in_one_piece_up_to_8_000_bytes() {
    let sink = queue(99, 1 << 20);
    let big = "x".repeat(20_000);
    put(&sink, &["a", "!", "b", &big, "c", "d"], Refuse);
    let mut lens = Vec::new();
    while let Poll::Ready(Some(bytes)) = piece(&sink) {
        lens.push(parse(&bytes).len());
    }
    assert_eq!(lens, [3, 1, 2]);

    let some = "x".repeat(3_000);
    put(&sink, &[&*some; 5], Refuse);
    let mut left = sink.progress().waiting;
    while let Poll::Ready(Some(bytes)) = piece(&sink) {
        assert!(bytes.len() <= 8_000);
        let progress = sink.progress();
        assert_eq!(left - progress.waiting, parse(&bytes).len());
        assert_eq!(progress.bytes, progress.waiting * frame(&some).len());
        left = progress.waiting;
    }
    assert_eq!(left, 0);
    assert_eq!(sink.progress().taken, 11);
}

#[test]
fn what_the_transport_took_of_the_application_is_told_once() {
    let hub = Hub::builder().build().unwrap();
    let sink = QueueSink::new(limits(3, 99), hub.sink_context());
    put(&sink, &["!", "a", "b", "c", "d"], DropOldest);
    assert_eq!(hub.info().delivered, 0);
    assert_eq!(read(&sink), ["!", "-1", "b", "c", "d"]);
    assert_eq!(hub.info().delivered, 3);
    put(&sink, &["e"], DropOldest);
    sink.close(CloseReason::ClientGone);
    assert_eq!(read(&sink), [""; 0]);
    assert_eq!(hub.info().delivered, 3, "what was thrown away wasn't taken");
}

#[test]
fn closing_discards_or_delivers_by_reason_and_then_ends() {
    use CloseReason::{ClientGone, Disconnected, HubClosed, Overflow, SinkFailed, Stalled, Unread};
    for (reasons, survivors) in [
        (vec![Disconnected], vec!["!", "-1", "b"]),
        (vec![HubClosed], vec!["!", "-1", "b"]),
        (vec![HubClosed, Disconnected], vec!["!", "-1", "b"]),
        (vec![ClientGone], vec![]),
        (vec![Overflow], vec![]),
        (vec![Stalled], vec![]),
        (vec![Unread], vec![]),
        (vec![SinkFailed], vec![]),
        (vec![Disconnected, ClientGone], vec![]),
        (vec![ClientGone, Disconnected], vec![]),
    ] {
        let sink = queue(1, 99);
        put(&sink, &["!", "a", "b"], DropOldest);
        assert!(!sink.is_closed());
        for reason in &reasons {
            sink.close(*reason);
        }
        assert!(sink.is_closed());
        for full in [Refuse, DropOldest, DropThis] {
            assert_eq!(put(&sink, &["c", "!"], full), [Offer::Closed; 2]);
        }
        assert_eq!(sink.progress().waiting, survivors.len());
        assert_eq!(read(&sink), survivors, "{reasons:?}");
        assert_eq!(piece(&sink), Poll::Ready(None), "{reasons:?}");
        assert_eq!(piece(&sink), Poll::Ready(None), "for good");
        assert_eq!(put(&sink, &["d"], Refuse), [Offer::Closed], "for good");
    }
}
