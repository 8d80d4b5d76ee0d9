//! Cases of odd calls, and of calls from where one hardly expects them.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use sse_core::{
    CloseReason::{Disconnected, Stalled},
    Event, EventSink, Frame, Offer,
    WhenFull::Refuse,
};

use super::{
    super::Reader,
    support::{Bench, EACH, PLAIN, Subject, frame},
};

pub(crate) async fn odd_events_are_harmless(subject: Subject) {
    for full in EACH {
        let mut bench = subject.bench(9, 99);
        let event = Event::text("").build().expect("an event without data");
        let empty = Frame::new(&event, None);
        for _ in 0..3 {
            bench.sink.try_send(&empty, full);
        }
        bench.read();
    }
}

pub(crate) async fn odd_sizes_are_harmless(subject: Subject) {
    let bench = subject.bench(9, usize::MAX);
    for next in [0, 1, usize::MAX - 1, usize::MAX] {
        let _ = bench.room(Waker::noop(), next);
        bench.fill(&["a"]);
        let _ = bench.room(Waker::noop(), next);
    }
    bench.sink.close(Disconnected);
    let _ = bench.room(Waker::noop(), usize::MAX);
}

pub(crate) async fn odd_calls_are_harmless(subject: Subject) {
    for second in [Disconnected, Stalled] {
        for first in PLAIN {
            let mut bench = subject.bench(9, 99);
            bench.sink.wake();
            bench.sink.wake();
            bench.fill(&["a"]);
            bench.sink.close(first);
            bench.sink.close(second);
            bench.sink.wake();
            bench.read();
            for _ in 0..3 {
                bench.sink.wake();
                bench.sink.close(second);
                let _ = bench.poll(Waker::noop());
            }
        }
    }
}

/// Calls the sink when it is woken.
struct CallsBack {
    sink: Arc<dyn EventSink>,
    frame: Frame,
    reader: Option<Arc<Mutex<Reader>>>,
    woken: AtomicBool,
}

impl Wake for CallsBack {
    fn wake(self: Arc<Self>) {
        if self.woken.swap(true, Ordering::SeqCst) {
            return;
        }
        let mut cx = Context::from_waker(Waker::noop());
        if let Some(reader) = &self.reader {
            let mut reader = reader.lock().expect("nobody panicked");
            let _ = reader(&mut cx);
        }
        self.sink.try_send(&self.frame, Refuse);
        let _ = self.sink.poll_room(&mut cx, 9);
        self.sink.progress();
        self.sink.wake();
        self.sink.close(Disconnected);
        self.sink.is_closed();
    }
}

pub(crate) async fn a_woken_reader_may_call_the_sink(subject: Subject) {
    let bench = subject.bench(9, 99);
    let reader = Arc::new(Mutex::new(bench.reader));
    let woken = Arc::new(CallsBack {
        sink: Arc::clone(&bench.sink),
        frame: frame("b"),
        reader: Some(Arc::clone(&reader)),
        woken: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&woken));
    let _ = reader.lock().expect("nobody panicked")(&mut Context::from_waker(&waker));
    let offer = bench.sink.try_send(&woken.frame, Refuse);
    assert_eq!(offer, Offer::QUEUED);
    bench.sink.wake();
}

pub(crate) async fn whoever_waited_for_room_may_call_the_sink(subject: Subject) {
    let Some(mut bench) = subject.queue(1, 99) else {
        return;
    };
    bench.fill(&["a"]);
    wait_for_room(&bench, 9);
    while let Poll::Ready(Some(_)) = bench.poll(Waker::noop()) {}
}

pub(crate) async fn whoever_a_wake_tells_of_room_may_call_the_sink(subject: Subject) {
    for closes in [false, true] {
        let Some(bench) = subject.queue(9, 37) else {
            return;
        };
        bench.fill(&["a", "k=22222222"]);
        wait_for_room(&bench, 12);
        if closes {
            bench.sink.close(Disconnected);
        } else {
            bench.fill(&["k="]);
        }
        bench.sink.wake();
    }
}

/// Somebody waits for room who calls the sink when told of it.
fn wait_for_room(bench: &Bench, bytes: usize) {
    let woken = Arc::new(CallsBack {
        sink: Arc::clone(&bench.sink),
        frame: frame("b"),
        reader: None,
        woken: AtomicBool::new(false),
    });
    let room = bench.room(&Waker::from(woken), bytes);
    assert_eq!(room, Poll::Pending, "there is no room for {bytes} bytes");
}
