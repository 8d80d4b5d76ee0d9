//! Cases of the end.

use std::task::{Poll, Waker};

use sse_core::{
    CloseReason::{self, ClientGone, Disconnected, HubClosed, Stalled},
    Offer,
    WhenFull::{DropOldest, DropThis},
};

use super::support::{DISCARDING, EACH, PLAIN, Subject};

fn every_reason() -> impl Iterator<Item = CloseReason> {
    PLAIN.into_iter().chain(DISCARDING)
}

pub(crate) async fn a_closed_sink_takes_nothing(subject: Subject) {
    for reason in every_reason() {
        for words in [&[][..], &["a", "b"]] {
            let bench = subject.bench(2, 99);
            bench.fill(words);
            bench.sink.close(reason);
            for full in EACH {
                let offers = bench.put(&["c", "!1"], full);
                assert_eq!(offers, [Offer::Closed; 2], "{reason}, {full:?}");
            }
        }
    }
}

pub(crate) async fn a_closed_sink_says_so(subject: Subject) {
    for reason in every_reason() {
        let bench = subject.bench(2, 99);
        bench.fill(&["a"]);
        assert!(!bench.sink.is_closed(), "nobody has closed it");
        bench.sink.close(reason);
        assert!(bench.sink.is_closed(), "it was closed, {reason}");
    }
}

pub(crate) async fn a_plain_close_delivers_what_waits(subject: Subject) {
    for reason in PLAIN {
        let mut bench = subject.bench(9, 99);
        bench.fill(&["a", "!1", "b"]);
        bench.sink.close(reason);
        assert_eq!(bench.read(), ["a", "!1", "b"], "{reason}");
    }
}

pub(crate) async fn a_plain_close_delivers_a_gap_at_the_end(subject: Subject) {
    for reason in PLAIN {
        let Some(mut bench) = subject.queue(2, 99) else {
            return;
        };
        bench.fill(&["a", "b"]);
        assert_eq!(bench.send("c", DropThis), Offer::Dropped);
        bench.sink.close(reason);
        assert_eq!(bench.read(), ["a", "b", "-1"], "c is missing, {reason}");
        assert!(bench.ended, "the reader waits for more, {reason}");
    }
}

pub(crate) async fn a_discarding_close_delivers_nothing(subject: Subject) {
    for reason in DISCARDING {
        let Some(mut bench) = subject.queue(1, 99) else {
            return;
        };
        bench.put(&["a", "!1", "b"], DropOldest);
        bench.sink.close(reason);
        assert_eq!(bench.sink.progress().waiting, 0, "{reason}");
        assert_eq!(bench.read(), [""; 0], "{reason}");
    }
}

pub(crate) async fn the_reader_ends_after_a_close(subject: Subject) {
    for reason in every_reason() {
        for words in [&[][..], &["a", "b"]] {
            let mut bench = subject.bench(9, 99);
            bench.fill(words);
            bench.sink.close(reason);
            bench.read();
            assert!(bench.ended, "the reader waits for more, {reason}");
            let polled = bench.poll(Waker::noop());
            assert_eq!(polled, Poll::Ready(None), "the end is the end, {reason}");
        }
    }
}

pub(crate) async fn a_later_close_that_discards_discards(subject: Subject) {
    for (first, second) in [(Disconnected, ClientGone), (HubClosed, Stalled)] {
        let Some(mut bench) = subject.queue(9, 99) else {
            return;
        };
        bench.fill(&["a", "!1"]);
        bench.sink.close(first);
        bench.sink.close(second);
        assert_eq!(bench.read(), [""; 0], "{first}, then {second}");
    }
}

pub(crate) async fn a_closed_sink_stays_closed(subject: Subject) {
    for first in every_reason() {
        for second in [Disconnected, Stalled] {
            let mut bench = subject.bench(9, 99);
            bench.fill(&["a"]);
            bench.sink.close(first);
            bench.read();
            bench.sink.close(second);
            bench.read();
            assert!(bench.sink.is_closed(), "{first}, then {second}");
            assert_eq!(bench.put(&["b"], DropOldest), [Offer::Closed]);
        }
    }
}
