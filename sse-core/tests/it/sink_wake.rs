//! When a connection's queue wakes whoever reads it or waits for room.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use crate::support::{Wakes, parse};
use sse_core::{
    CloseReason, Event, EventSink, Frame, Offer, QueueLimits, QueueSink, SinkContext,
    WhenFull::{self, DropOldest, DropThis, Refuse},
};

fn queue(events: usize, bytes: usize) -> Arc<QueueSink> {
    let limits = QueueLimits {
        events: NonZeroUsize::new(events).unwrap(),
        bytes: NonZeroUsize::new(bytes).unwrap(),
    };
    QueueSink::new(limits, SinkContext::default())
}

/// `k=a` has the conflation key `k`.
fn put(sink: &QueueSink, text: &str, full: WhenFull) -> Offer {
    let event = Event::text(text);
    let event = match text.split_once('=') {
        Some((key, _)) => event.conflation_key(key),
        None => event,
    };
    sink.try_send(&Frame::new(&event.build().unwrap(), None), full)
}

fn read(sink: &QueueSink) -> usize {
    let mut cx = Context::from_waker(Waker::noop());
    let mut count = 0;
    while let Poll::Ready(Some(bytes)) = sink.poll_next(&mut cx) {
        count += parse(&bytes).len();
    }
    count
}

#[test]
fn only_wake_wakes_and_only_once_and_with_a_reason() {
    let sink = queue(1, 99);
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    assert_eq!(sink.poll_next(&mut cx), Poll::Pending);
    sink.wake();
    assert_eq!(wakes.count(), 0, "nothing to read");
    for full in [Refuse, DropThis, DropOldest] {
        put(&sink, "a", full);
        put(&sink, "b", full);
    }
    assert_eq!(wakes.count(), 0, "try_send never wakes");
    sink.wake();
    sink.wake();
    assert_eq!(wakes.count(), 1);
    read(&sink);

    let (other, waker) = Wakes::new();
    assert_eq!(sink.poll_next(&mut cx), Poll::Pending);
    assert_eq!(
        sink.poll_next(&mut Context::from_waker(&waker)),
        Poll::Pending
    );
    sink.close(CloseReason::Stalled);
    assert_eq!((wakes.count(), other.count()), (1, 0), "close doesn't wake");
    sink.wake();
    assert_eq!(
        (wakes.count(), other.count()),
        (1, 1),
        "the last that asked"
    );
}

#[test]
fn room_is_what_a_frame_of_that_size_finds() {
    let sink = queue(3, 27);
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    assert_eq!(sink.poll_room(&mut cx, 1 << 30), Poll::Ready(true), "empty");
    put(&sink, "a", Refuse);
    put(&sink, "k=b", Refuse);
    assert_eq!(sink.poll_room(&mut cx, 7), Poll::Ready(true));
    assert_eq!(sink.poll_room(&mut cx, 8), Poll::Pending);
    sink.wake();
    assert_eq!(wakes.count(), 0, "there is no room yet");
    put(&sink, "k=", Refuse);
    sink.wake();
    assert_eq!(
        wakes.count(),
        1,
        "a smaller frame of the same key made room"
    );
    assert_eq!(sink.poll_room(&mut cx, 8), Poll::Ready(true));

    assert_eq!(sink.poll_room(&mut cx, 99), Poll::Pending);
    assert_eq!(read(&sink), 2);
    assert_eq!(wakes.count(), 2, "the reader made room");
    assert_eq!(put(&sink, &"x".repeat(91), Refuse), Offer::QUEUED);
    assert_eq!(sink.poll_room(&mut cx, 1), Poll::Pending);
    sink.close(CloseReason::Disconnected);
    sink.wake();
    assert_eq!(wakes.count(), 3, "closed");
    assert_eq!(sink.poll_room(&mut cx, 1), Poll::Ready(false));
}

struct Unpark(Thread, AtomicBool);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.1.store(true, Ordering::SeqCst);
        self.0.unpark();
    }
}

#[test]
fn no_wake_up_is_lost_between_threads_and_progress_never_falls() {
    const FRAMES: usize = 2_000;
    let sink = queue(FRAMES, 1 << 20);
    let writer = thread::spawn({
        let sink = Arc::clone(&sink);
        move || {
            for n in 0..FRAMES {
                assert_eq!(put(&sink, &n.to_string(), Refuse), Offer::QUEUED);
                sink.wake();
                if n % 7 == 0 {
                    thread::yield_now();
                }
            }
            sink.close(CloseReason::Disconnected);
            sink.wake();
        }
    });
    let unpark = Arc::new(Unpark(thread::current(), AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&unpark));
    let (mut all, mut before) = (Vec::new(), 0);
    loop {
        match sink.poll_next(&mut Context::from_waker(&waker)) {
            Poll::Ready(Some(bytes)) => all.extend(parse(&bytes)),
            Poll::Ready(None) => break,
            Poll::Pending => {
                let limit = Instant::now() + Duration::from_secs(30);
                while !unpark.1.swap(false, Ordering::SeqCst) {
                    assert!(Instant::now() < limit, "a wake-up was lost");
                    thread::park_timeout(Duration::from_secs(1));
                }
            }
        }
        let progress = sink.progress();
        assert!(progress.taken >= before);
        assert_eq!(progress.taken, all.len() as u64);
        before = progress.taken;
    }
    writer.join().unwrap();
    let expected: Vec<_> = (0..FRAMES).map(|n| n.to_string()).collect();
    assert_eq!(
        all.iter().map(|seen| seen.data.clone()).collect::<Vec<_>>(),
        expected
    );
}
