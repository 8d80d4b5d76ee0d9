//! Cases of several threads at once.

use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, JoinHandle, Thread},
    time::{Duration, Instant},
};

use sse_core::{CloseReason::Disconnected, EventSink, Offer, WhenFull::Refuse};

use super::support::{Bench, Subject, frame};

/// After how long a wake-up counts as lost.
const LOST: Duration = Duration::from_secs(5);

/// Rounds of a race: a thousand, or as many as a second has room for.
fn rounds() -> impl Iterator<Item = usize> {
    let begin = Instant::now();
    (0..1_000).take_while(move |_| begin.elapsed() < Duration::from_secs(1))
}

/// Closes a sink when its thread is done, also by a panic: whoever reads it waits for that.
struct CloseAtEnd(Arc<dyn EventSink>);

impl Drop for CloseAtEnd {
    fn drop(&mut self) {
        self.0.close(Disconnected);
        self.0.wake();
    }
}

/// What another thread returned, or its panic.
fn joined<T>(thread: JoinHandle<T>) -> T {
    let end = thread.join();
    end.unwrap_or_else(|panic| resume_unwind(panic))
}

/// A thread that waits to be woken.
struct Sleeper {
    thread: Thread,
    woken: AtomicBool,
}

impl Sleeper {
    fn new() -> (Arc<Self>, Waker) {
        let sleeper = Arc::new(Self {
            thread: thread::current(),
            woken: AtomicBool::new(false),
        });
        (Arc::clone(&sleeper), Waker::from(sleeper))
    }

    fn wait(&self, whose: &str) {
        let since = Instant::now();
        while !self.woken.swap(false, Ordering::SeqCst) {
            assert!(since.elapsed() < LOST, "a wake-up {whose} was lost");
            thread::park_timeout(LOST);
        }
    }
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// All that comes up to the end.
fn read_to_end(bench: &mut Bench) -> Vec<String> {
    let (sleeper, waker) = Sleeper::new();
    let mut words = Vec::new();
    loop {
        match bench.poll(&waker) {
            Poll::Ready(Some(more)) => words.extend(more),
            Poll::Ready(None) => return words,
            Poll::Pending => sleeper.wait("of the reader"),
        }
    }
}

/// Offers `number` until there is room for it; `false` once the sink is closed.
fn send(sink: &dyn EventSink, number: usize) -> bool {
    let frame = frame(&number.to_string());
    loop {
        let offer = sink.try_send(&frame, Refuse);
        sink.wake();
        match offer {
            Offer::Full => thread::yield_now(),
            other => return matches!(other, Offer::Queued { .. }),
        }
    }
}

#[track_caller]
fn assert_numbers(words: &[String], end: usize) {
    let expected: Vec<_> = (0..end).map(|n| n.to_string()).collect();
    assert_eq!(words, expected);
}

pub(crate) async fn a_reader_beside_a_sender_gets_everything(subject: Subject) {
    for round in rounds() {
        let mut bench = subject.bench(4, 1 << 20);
        let sink = CloseAtEnd(Arc::clone(&bench.sink));
        let frames = round % 12;
        let sender = thread::spawn(move || (0..frames).all(|n| send(&*sink.0, n)));
        let words = read_to_end(&mut bench);
        assert!(joined(sender), "it was closed before its end");
        assert_numbers(&words, frames);
    }
}

pub(crate) async fn what_waits_and_what_was_taken_are_one_moment(subject: Subject) {
    let mut bench = subject.bench(100_000, 1 << 20);
    let sink = CloseAtEnd(Arc::clone(&bench.sink));
    let sender = thread::spawn(move || {
        for sent in rounds() {
            send(&*sink.0, sent);
            let progress = sink.0.progress();
            let sum = progress.taken + progress.waiting as u64;
            assert_eq!(sum, sent as u64 + 1, "as many were sent: {progress:?}");
        }
    });
    read_to_end(&mut bench);
    joined(sender);
}

pub(crate) async fn what_was_taken_beside_a_close_is_delivered(subject: Subject) {
    for round in rounds() {
        let mut bench = subject.bench(16, 1 << 20);
        let sink = Arc::clone(&bench.sink);
        let sender = thread::spawn(move || {
            let taken = (0..).find(|n| !send(&*sink, *n));
            taken.unwrap_or_default()
        });
        let sink = CloseAtEnd(Arc::clone(&bench.sink));
        let closer = thread::spawn(move || {
            for _ in 0..round % 8 {
                thread::yield_now();
            }
            drop(sink);
        });
        let words = read_to_end(&mut bench);
        joined(closer);
        assert_numbers(&words, joined(sender));
    }
}

pub(crate) async fn whoever_waits_for_room_beside_a_reader_is_woken(subject: Subject) {
    let mut bench = subject.bench(2, 1 << 20);
    let sink = CloseAtEnd(Arc::clone(&bench.sink));
    let sender = thread::spawn(move || {
        let sink = &sink.0;
        let (sleeper, waker) = Sleeper::new();
        let mut cx = Context::from_waker(&waker);
        let mut sent = 0;
        for n in rounds() {
            let frame = frame(&n.to_string());
            while sink.poll_room(&mut cx, frame.len()).is_pending() {
                sleeper.wait("of whoever waits for room");
            }
            let offer = sink.try_send(&frame, Refuse);
            assert_eq!(offer, Offer::QUEUED, "there was room");
            sink.wake();
            sent += 1;
        }
        sent
    });
    let words = read_to_end(&mut bench);
    assert_numbers(&words, joined(sender));
}
