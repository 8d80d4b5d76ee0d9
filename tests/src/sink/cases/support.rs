use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use serde_json::Value;
use sse_core::{
    CloseReason::{
        self, ClientGone, Disconnected, HubClosed, Overflow, SinkFailed, Stalled, Unread,
    },
    Event, EventSink, Frame, Hub, Offer, QueueLimits, SinkContext,
    WhenFull::{self, DropOldest, DropThis, Refuse},
};

use super::super::{Reader, SinkFactory};
use crate::EventStream;

pub(crate) type Subject = SinkFactory;

/// Each way to treat a frame that doesn't fit.
pub(crate) const EACH: [WhenFull; 3] = [Refuse, DropOldest, DropThis];

/// The reasons for which what waits is delivered.
pub(crate) const PLAIN: [CloseReason; 2] = [Disconnected, HubClosed];

/// The reasons for which it is thrown away.
pub(crate) const DISCARDING: [CloseReason; 5] = [ClientGone, Overflow, Stalled, Unread, SinkFailed];

/// What a case's own notices say is more than any case has dropped.
const NOTICE: u64 = 1_000_000;

/// A fresh sink, and the reader at its other end.
///
/// A case names frames by words: `a` is an event of that data, `k=a` one with the conflation key
/// `k`, `!1` a notice; and `-2`, read back, a gap of two. `a` has 9 bytes, `k=a` 11.
pub(crate) struct Bench {
    pub(crate) sink: Arc<dyn EventSink>,
    pub(crate) reader: Reader,
    pub(crate) at_once: bool,
    hub: Hub,
    stream: EventStream,
    /// How many frames came out.
    pub(crate) frames: u64,
    pub(crate) ended: bool,
}

impl SinkFactory {
    /// A sink in which at most so much may wait.
    pub(crate) fn bench(&self, events: usize, bytes: usize) -> Bench {
        let hub = Hub::builder().build().expect("a hub of default settings");
        let limits = QueueLimits {
            events: NonZeroUsize::new(events).expect("a limit"),
            bytes: NonZeroUsize::new(bytes).expect("a limit"),
        };
        let made = (self.0)(hub.sink_context(), limits);
        Bench {
            sink: made.sink,
            reader: made.reader,
            at_once: made.at_once,
            hub,
            stream: EventStream::new(),
            frames: 0,
            ended: false,
        }
    }

    /// The same; none if the sink was declared to let nothing wait.
    pub(crate) fn queue(&self, events: usize, bytes: usize) -> Option<Bench> {
        let bench = self.bench(events, bytes);
        (!bench.at_once).then_some(bench)
    }
}

impl Bench {
    pub(crate) fn context(&self) -> SinkContext {
        self.hub.sink_context()
    }

    pub(crate) fn frame(&self, word: &str) -> Frame {
        if let Some(number) = word.strip_prefix('!') {
            let number: u64 = number.parse().expect("a notice's number");
            return self.context().gap(NOTICE + number);
        }
        frame(word)
    }

    pub(crate) fn send(&self, word: &str, full: WhenFull) -> Offer {
        self.sink.try_send(&self.frame(word), full)
    }

    /// Offers each of `words`; what the sink answered.
    pub(crate) fn put(&self, words: &[&str], full: WhenFull) -> Vec<Offer> {
        words.iter().map(|word| self.send(word, full)).collect()
    }

    /// Offers what has to be taken, to begin with.
    #[track_caller]
    pub(crate) fn fill(&self, words: &[&str]) {
        for (word, offer) in words.iter().zip(self.put(words, Refuse)) {
            let taken = matches!(offer, Offer::Queued { .. });
            assert!(taken, "{word:.20} was answered with {offer:?}");
        }
    }

    /// Polls the reader once.
    pub(crate) fn poll(&mut self, waker: &Waker) -> Poll<Option<Vec<String>>> {
        let piece = (self.reader)(&mut Context::from_waker(waker));
        self.ended |= matches!(piece, Poll::Ready(None));
        piece.map(|piece| piece.map(|bytes| self.parse(&bytes)))
    }

    /// The words in the next bytes.
    pub(crate) fn parse(&mut self, bytes: &[u8]) -> Vec<String> {
        let events = self.stream.push(bytes);
        self.frames += events.len() as u64;
        let words = events.into_iter().map(|seen| match seen.event.as_str() {
            "gap" => gap(&seen.data),
            _ => seen.data,
        });
        words.collect()
    }

    /// What stands in the stream up to here: gaps side by side are one.
    pub(crate) fn read(&mut self) -> Vec<String> {
        // What is there only once it is woken for is there, too.
        let mut words = self.drain();
        self.sink.wake();
        words.extend(self.drain());
        assert!(
            !self.stream.is_midway(),
            "the stream stands inside an event"
        );
        words.into_iter().fold(Vec::new(), |mut words, word| {
            match (words.last_mut(), gap_of(&word)) {
                (Some(last), Some(more)) if let Some(before) = gap_of(last) => {
                    *last = format!("-{}", before + more);
                }
                _ => words.push(word),
            }
            words
        })
    }

    /// Polls the reader for as long as it has something.
    pub(crate) fn drain(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        while let Poll::Ready(Some(more)) = self.poll(Waker::noop()) {
            words.extend(more);
        }
        words
    }

    /// The same without gaps: what survived.
    pub(crate) fn survivors(&mut self) -> Vec<String> {
        let mut words = self.read();
        words.retain(|word| gap_of(word).is_none());
        words
    }

    #[track_caller]
    pub(crate) fn assert_pending(&mut self, waker: &Waker) {
        let polled = self.poll(waker);
        assert_eq!(polled, Poll::Pending, "nothing is there to read");
    }

    /// What was told to the context.
    pub(crate) fn delivered(&self) -> u64 {
        self.hub.info().delivered
    }

    pub(crate) fn room(&self, waker: &Waker, next: usize) -> Poll<bool> {
        self.sink.poll_room(&mut Context::from_waker(waker), next)
    }
}

/// An event's frame: `k=a` has the conflation key `k`.
pub(crate) fn frame(word: &str) -> Frame {
    let event = Event::text(word);
    let event = match word.split_once('=') {
        Some((key, _)) => event.conflation_key(key),
        None => event,
    };
    Frame::new(&event.build().expect("a valid event"), None)
}

/// A word of so many bytes as a frame.
pub(crate) fn word_of(bytes: usize) -> String {
    "x".repeat(bytes - "data: \n\n".len())
}

fn gap(data: &str) -> String {
    let data: Value = serde_json::from_str(data).expect("a gap's data is JSON");
    let dropped = data["dropped"].as_u64().expect("a gap says how many");
    match dropped.checked_sub(NOTICE) {
        Some(number) => format!("!{number}"),
        None => format!("-{dropped}"),
    }
}

/// How many frames the gap `word` says are missing; none if it is no gap.
pub(crate) fn gap_of(word: &str) -> Option<u64> {
    word.strip_prefix('-')?.parse().ok()
}

pub(crate) const fn queued(replaced: u32, dropped: u32) -> Offer {
    Offer::Queued { replaced, dropped }
}

/// Counts how often it was woken.
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let wakes = Arc::new(Self(AtomicUsize::new(0)));
        (Arc::clone(&wakes), Waker::from(wakes))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Numbers without a pattern, the same in every run.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) const fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// One below `end`.
    pub(crate) const fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}
