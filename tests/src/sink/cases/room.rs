//! Cases of whoever asks for room.

use std::{
    sync::Arc,
    task::{Poll, Waker},
};

use sse_core::{
    CloseReason::{Disconnected, Stalled},
    Offer,
    WhenFull::Refuse,
};

use super::support::{Bench, Numbers, Subject, Wakes, word_of};

/// Asks for room in states of every kind, and then offers a frame of that size.
fn ask_and_offer(subject: &Subject, mut look: impl FnMut(Poll<bool>, Offer, &str)) {
    let mut bench = subject.bench(4, 60);
    let mut numbers = Numbers::new();
    for step in 0..2_000 {
        let bytes = 9 + numbers.below(52);
        let room = bench.room(Waker::noop(), bytes);
        let offer = bench.send(&word_of(bytes), Refuse);
        look(room, offer, &format!("{bytes} bytes in step {step}"));
        if numbers.below(6) == 0 {
            bench.read();
        }
        if numbers.below(6) == 0 {
            bench.send(&format!("!{step}"), Refuse);
        }
    }
}

pub(crate) async fn room_that_was_told_is_there(subject: Subject) {
    ask_and_offer(&subject, |room, offer, what| {
        if room == Poll::Ready(true) {
            assert_eq!(offer, Offer::QUEUED, "there was room for {what}");
        }
    });
}

pub(crate) async fn no_room_is_told_only_where_there_is_none(subject: Subject) {
    ask_and_offer(&subject, |room, offer, what| {
        if room != Poll::Ready(true) {
            assert_eq!(offer, Offer::Full, "there was no room for {what}");
        }
    });
}

/// Somebody waits for room in a full sink.
#[track_caller]
fn wait_for_room(bench: &Bench, bytes: usize) -> Arc<Wakes> {
    let (wakes, waker) = Wakes::new();
    let room = bench.room(&waker, bytes);
    assert_eq!(room, Poll::Pending, "there is no room for {bytes} bytes");
    wakes
}

pub(crate) async fn whoever_waits_for_room_is_woken_by_the_reader(subject: Subject) {
    let rows = [
        (3, 99, 9),
        (9, 27, 9),
        (9, 27, 18),
        (9, 27, 27),
        (9, 27, 99),
    ];
    for (events, bytes, next) in rows {
        let Some(mut bench) = subject.queue(events, bytes) else {
            return;
        };
        for _ in 0..2 {
            bench.fill(&["a", "b", "c"]);
            // Of those who ask, the last is meant.
            let _ = bench.room(Waker::noop(), next);
            let wakes = wait_for_room(&bench, next);
            while let Poll::Ready(Some(_)) = bench.poll(Waker::noop()) {
                let now = bench.sink.progress();
                let fits = now.waiting == 0 || now.waiting < events && now.bytes + next <= bytes;
                let told = wakes.count() > 0;
                assert!(told || !fits, "nobody told of room for {next}: {now:?}");
            }
            assert!(wakes.count() > 0, "nobody told of room for {next} bytes");
        }
    }
}

pub(crate) async fn room_that_a_smaller_frame_made_is_told(subject: Subject) {
    let Some(bench) = subject.queue(9, 37) else {
        return;
    };
    bench.fill(&["a", "k=22222222"]);
    let wakes = wait_for_room(&bench, 12);
    bench.fill(&["k="]);
    bench.sink.wake();
    assert!(wakes.count() > 0, "nobody told of the room");
}

pub(crate) async fn whoever_waits_for_room_is_woken_by_a_close(subject: Subject) {
    for reason in [Disconnected, Stalled] {
        let Some(bench) = subject.queue(1, 99) else {
            return;
        };
        bench.fill(&["a"]);
        let wakes = wait_for_room(&bench, 9);
        bench.sink.close(reason);
        bench.sink.wake();
        assert!(wakes.count() > 0, "nobody told of the close, {reason}");
    }
}

pub(crate) async fn a_closed_sink_has_no_room(subject: Subject) {
    for reason in [Disconnected, Stalled] {
        for words in [&[][..], &["a"], &["a", "b"]] {
            let bench = subject.bench(2, 99);
            bench.fill(words);
            bench.sink.close(reason);
            let room = bench.room(Waker::noop(), 9);
            assert_eq!(room, Poll::Ready(false), "{reason}, with {words:?}");
        }
    }
}
