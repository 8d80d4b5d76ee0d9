//! Cases of how frames leave, and of what sending may not do.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use sse_core::{
    CloseReason::{Disconnected, Stalled},
    Event, Frame, Offer, Position,
    WhenFull::Refuse,
};

use super::support::{EACH, Subject, Wakes, frame};

pub(crate) async fn frames_leave_in_order_each_once(subject: Subject) {
    let mut bench = subject.bench(100, 1 << 20);
    let words: Vec<_> = (0..250).map(|n| n.to_string()).collect();
    let mut seen = Vec::new();
    for burst in words.chunks(50) {
        let burst: Vec<_> = burst.iter().map(String::as_str).collect();
        bench.fill(&burst);
        seen.extend(bench.read());
    }
    assert_eq!(seen, words);
}

pub(crate) async fn frames_leave_as_their_bytes(subject: Subject) {
    let mut bench = subject.bench(100, 1 << 20);
    let everything = Event::text("a\n\nb\r\n c")
        .event("chat")
        .id("7")
        .retry(Duration::from_secs(1))
        .comment("for whoever looks");
    let large = Event::text("a line\n".repeat(10_000));
    let frames = [everything, Event::text(""), large, Event::text(" ")].map(|event| {
        let event = event.build().expect("a valid event");
        Frame::new(&event, Some(Position::new(7, 11)))
    });
    let mut expected = Vec::new();
    for frame in &frames {
        assert_eq!(bench.sink.try_send(frame, Refuse), Offer::QUEUED);
        expected.extend_from_slice(frame.bytes());
    }
    bench.sink.wake();
    let mut seen = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(bytes)) = (bench.reader)(&mut cx) {
        seen.extend(bytes);
    }
    let same = seen.iter().zip(&expected).take_while(|(a, b)| a == b);
    let same = same.count();
    assert!(
        seen == expected,
        "{} bytes came of {}, the same up to the byte {same}",
        seen.len(),
        expected.len()
    );
}

pub(crate) async fn a_notice_keeps_its_place(subject: Subject) {
    let mut bench = subject.bench(9, 999);
    let words = ["a", "!1", "b", "c", "d", "e", "!2", "!3", "f"];
    bench.fill(&words);
    assert_eq!(bench.read(), words);
}

pub(crate) async fn try_send_waits_for_no_reader(subject: Subject) {
    let frame = frame("a");
    for full in EACH {
        let bench = subject.bench(3, 99);
        for _ in 0..10_000 {
            bench.sink.try_send(&frame, full);
        }
    }
}

pub(crate) async fn a_sink_needs_no_runtime(subject: Subject) {
    let bench = subject.bench(3, 99);
    let sink = Arc::clone(&bench.sink);
    let (event, notice) = (frame("a"), bench.frame("!1"));
    let elsewhere = thread::spawn(move || {
        for full in EACH {
            sink.try_send(&event, full);
            sink.try_send(&notice, full);
        }
        sink.wake();
        sink.progress();
        let mut cx = Context::from_waker(Waker::noop());
        let _ = sink.poll_room(&mut cx, 9);
        sink.close(Disconnected);
        sink.wake();
        sink.is_closed();
    });
    elsewhere.join().expect("a sink works outside a runtime");
}

pub(crate) async fn try_send_wakes_nobody(subject: Subject) {
    for full in EACH {
        let mut bench = subject.bench(2, 40);
        let (reader, waker) = Wakes::new();
        bench.assert_pending(&waker);
        bench.put(&["a", "k=22222222"], full);
        let (room, waker) = Wakes::new();
        let _ = bench.room(&waker, 20);
        // Full, replaced by a smaller one, and a notice.
        bench.put(&["b", "k=1", "!1"], full);
        assert_eq!(
            (reader.count(), room.count()),
            (0, 0),
            "whom try_send woke, {full:?}: the reader, whoever waited for room"
        );
    }
}

pub(crate) async fn close_wakes_nobody(subject: Subject) {
    for reason in [Disconnected, Stalled] {
        let mut bench = subject.bench(1, 99);
        let (reader, waker) = Wakes::new();
        bench.assert_pending(&waker);
        bench.sink.close(reason);
        assert_eq!(reader.count(), 0, "close woke the reader, {reason}");

        let bench = subject.bench(1, 99);
        bench.fill(&["a"]);
        let (room, waker) = Wakes::new();
        let _ = bench.room(&waker, 9);
        bench.sink.close(reason);
        assert_eq!(room.count(), 0, "close told of room, {reason}");
    }
}
