//! Cases of the wake-up that must not get lost.

use std::task::{Poll, Waker};

use super::support::{Bench, DISCARDING, PLAIN, Subject, Wakes};

/// The reader waits; then this is sent, and it is woken for it once.
#[track_caller]
fn assert_woken_for(bench: &mut Bench, words: &[&str]) {
    let (wakes, waker) = Wakes::new();
    bench.assert_pending(&waker);
    bench.fill(words);
    bench.sink.wake();
    assert!(wakes.count() > 0, "nobody woke the reader for {words:?}");
}

pub(crate) async fn wake_makes_a_waiting_reader_look_again(subject: Subject) {
    let mut bench = subject.bench(9, 99);
    for word in ["a", "b", "c"] {
        assert_woken_for(&mut bench, &[word]);
        let seen = bench.poll(Waker::noop());
        let seen = seen.map(Option::unwrap_or_default);
        assert_eq!(seen, Poll::Ready(vec![word.to_owned()]));
    }
}

pub(crate) async fn one_wake_is_enough_for_many_frames(subject: Subject) {
    let mut bench = subject.bench(9, 99);
    assert_woken_for(&mut bench, &["a", "b", "c"]);
    assert_eq!(bench.drain(), ["a", "b", "c"]);
}

pub(crate) async fn a_wake_before_the_reader_looks_is_not_lost(subject: Subject) {
    let mut bench = subject.bench(9, 99);
    for word in ["a", "b"] {
        bench.fill(&[word]);
        bench.sink.wake();
        let polled = bench.poll(Waker::noop());
        assert!(polled.is_ready(), "{word} was there before the reader");
        bench.drain();
    }
}

pub(crate) async fn a_wake_for_nothing_loses_nobody(subject: Subject) {
    let mut bench = subject.bench(9, 99);
    let (wakes, waker) = Wakes::new();
    bench.assert_pending(&waker);
    bench.sink.wake();
    let before = wakes.count();
    if before > 0 {
        // It may be woken for nothing; then it looks again.
        bench.assert_pending(&waker);
    }
    bench.fill(&["a"]);
    bench.sink.wake();
    assert!(wakes.count() > before, "nobody woke the reader");
}

pub(crate) async fn a_notice_is_worth_a_wake(subject: Subject) {
    let mut bench = subject.bench(9, 99);
    assert_woken_for(&mut bench, &["!1"]);
}

pub(crate) async fn a_close_is_worth_a_wake(subject: Subject) {
    for reason in PLAIN.into_iter().chain(DISCARDING) {
        let mut bench = subject.bench(9, 99);
        let (wakes, waker) = Wakes::new();
        bench.assert_pending(&waker);
        bench.sink.close(reason);
        bench.sink.wake();
        assert!(wakes.count() > 0, "nobody woke the reader, {reason}");
    }
}

pub(crate) async fn the_reader_that_looked_last_is_woken(subject: Subject) {
    let mut bench = subject.bench(9, 99);
    let (_, before) = Wakes::new();
    bench.assert_pending(&before);
    assert_woken_for(&mut bench, &["a"]);
}
