//! Cases of what fits, and of what becomes of a frame that doesn't.

use std::task::{Poll, Waker};

use sse_core::{
    Offer, Progress,
    WhenFull::{self, DropOldest, DropThis, Refuse},
};

use super::support::{Bench, DISCARDING, EACH, PLAIN, Subject, frame, queued, word_of};

pub(crate) async fn an_empty_sink_takes_a_frame_of_any_size(subject: Subject) {
    let large = frame(&word_of(2 * 1024 * 1024));
    for full in EACH {
        let mut bench = subject.bench(1, 1024);
        for _ in 0..2 {
            let offer = bench.sink.try_send(&large, full);
            assert_eq!(offer, Offer::QUEUED, "2 MiB into an empty sink, {full:?}");
            let seen = bench.read().iter().map(String::len).sum::<usize>();
            assert_eq!(seen + "data: \n\n".len(), large.len());
        }
    }
}

pub(crate) async fn nothing_waits_only_where_that_was_declared(subject: Subject) {
    if let Some(bench) = subject.queue(2, 99) {
        bench.fill(&["a"]);
        let waiting = bench.sink.progress().waiting;
        assert_eq!(
            waiting, 1,
            "nobody has read; see SinkUnderTest::taken_at_once"
        );
        return;
    }
    for reason in PLAIN.into_iter().chain(DISCARDING) {
        for full in EACH {
            let mut bench = subject.bench(1, 9);
            let words = send_where_nothing_waits(&bench, full);
            bench.sink.close(reason);
            let all_came = bench.read() == words;
            assert!(all_came, "what was taken had left, {full:?}, {reason}");
        }
    }
}

/// Sends far more than the limits, and nobody reads; what was sent.
fn send_where_nothing_waits(bench: &Bench, full: WhenFull) -> Vec<String> {
    let mut events = 0;
    let words = (0..200).map(|n| match n % 4 {
        0 => format!("!{n}"),
        1 => format!("k={n}"),
        2 => format!("a{n}"),
        _ => format!("{n}{}", word_of(2_000)),
    });
    let words: Vec<_> = words.collect();
    for (before, word) in words.iter().enumerate() {
        let room = bench.room(Waker::noop(), word.len());
        assert_eq!(room, Poll::Ready(true), "after {before} frames, {full:?}");
        let offer = bench.send(word, full);
        assert_eq!(offer, Offer::QUEUED, "after {before} frames, {full:?}");
        let at_once = Progress {
            taken: before as u64 + 1,
            ..Progress::default()
        };
        assert_eq!(bench.sink.progress(), at_once, "all is taken at once");
        events += u64::from(!word.starts_with('!'));
        assert_eq!(bench.delivered(), events, "all is told at once");
    }
    words
}

pub(crate) async fn no_more_events_wait_than_the_limit(subject: Subject) {
    for limit in [1, 3] {
        let Some(bench) = subject.queue(limit, 999) else {
            return;
        };
        bench.fill(&["a", "b", "c"][..limit]);
        let offer = bench.send("d", Refuse);
        assert_eq!(offer, Offer::Full, "{limit} events wait, and may");
    }
}

pub(crate) async fn no_more_bytes_wait_than_the_limit(subject: Subject) {
    let Some(bench) = subject.queue(9, 27) else {
        return;
    };
    bench.fill(&["a", "b", "c"]);
    assert_eq!(bench.send("d", Refuse), Offer::Full, "27 bytes of 27 wait");
    let bench = subject.bench(9, 26);
    bench.fill(&["a", "b"]);
    for bytes in [9, 2_000] {
        let offer = bench.send(&word_of(bytes), Refuse);
        assert_eq!(offer, Offer::Full, "18 bytes of 26 wait, {bytes} more");
    }
}

pub(crate) async fn what_waits_stays_bounded(subject: Subject) {
    let Some(_) = subject.queue(3, 99) else {
        return;
    };
    for full in EACH {
        let bench = subject.bench(3, 99);
        for word in ["a", "k=1"] {
            let frame = frame(word);
            for _ in 0..2_000 {
                bench.sink.try_send(&frame, full);
            }
        }
        let progress = bench.sink.progress();
        // Where frames were dropped, a gap may wait beside each that wasn't.
        assert!(progress.waiting <= 7, "{full:?}: {progress:?}");
        assert!(progress.bytes <= 99, "{full:?}: {progress:?}");
    }
}

pub(crate) async fn a_sink_that_was_read_has_room_again(subject: Subject) {
    for bytes in [27, 999] {
        let mut bench = subject.bench(3, bytes);
        for _ in 0..4 {
            bench.fill(&["a", "b", "c"]);
            bench.read();
        }
    }
}

pub(crate) async fn a_refusal_leaves_no_trace(subject: Subject) {
    for (events, bytes) in [(2, 99), (9, 18)] {
        let Some(mut bench) = subject.queue(events, bytes) else {
            return;
        };
        bench.fill(&["a", "b"]);
        let before = bench.sink.progress();
        bench.put(&["c"; 3], Refuse);
        assert_eq!(bench.sink.progress(), before, "c was refused");
        assert_eq!(bench.read(), ["a", "b"], "c was refused");
    }
}

pub(crate) async fn drop_oldest_lets_the_newest_in(subject: Subject) {
    let Some(mut bench) = subject.queue(2, 99) else {
        return;
    };
    let offers = bench.put(&["a", "b", "c", "d"], DropOldest);
    let expected = [queued(0, 0), queued(0, 0), queued(0, 1), queued(0, 1)];
    assert_eq!(offers, expected);
    assert_eq!(bench.survivors(), ["c", "d"]);
}

pub(crate) async fn drop_oldest_drops_no_more_than_needed(subject: Subject) {
    let large = word_of(2_000);
    let large = large.as_str();
    let rows: [(usize, &str, u32, &[&str]); 3] = [
        (28, "dd", 1, &["b", "c", "dd"]),
        (27, "dd", 2, &["c", "dd"]),
        (27, large, 3, &[large]),
    ];
    for (bytes, word, dropped, survivors) in rows {
        let Some(mut bench) = subject.queue(9, bytes) else {
            return;
        };
        bench.fill(&["a", "b", "c"]);
        let offer = bench.send(word, DropOldest);
        assert_eq!(offer, queued(0, dropped), "{word:.5} into 27 of {bytes}");
        assert_eq!(bench.survivors(), survivors, "{word:.5} into 27 of {bytes}");
    }
}

pub(crate) async fn drop_this_keeps_what_waits(subject: Subject) {
    for (events, bytes) in [(2, 99), (9, 18)] {
        let Some(mut bench) = subject.queue(events, bytes) else {
            return;
        };
        bench.fill(&["a", "b"]);
        let offers = bench.put(&["c", "d"], DropThis);
        assert_eq!(offers, [Offer::Dropped; 2]);
        assert_eq!(bench.survivors(), ["a", "b"]);
    }
}
