//! A queue, its reader, who waits for room in it, and who closes it.

use std::{future::poll_fn, num::NonZeroUsize, sync::Arc};

use shuttle::thread;

use super::{
    CloseReason, EventSink, Offer, QueueLimits, QueueShared, QueueSink, SinkContext, Terms,
    WhenFull::{self, DropOldest, DropThis, Refuse},
};
use crate::{
    Event, Frame,
    budget::Budget,
    models::{check, check_all, texts, wait},
};

fn queue(events: usize) -> Arc<QueueSink> {
    let limits = QueueLimits {
        events: NonZeroUsize::new(events).unwrap(),
        ..QueueLimits::default()
    };
    QueueSink::new(limits, SinkContext::default())
}

/// `k=a` has the conflation key `k`.
fn frame(text: &str) -> Frame {
    let event = Event::text(text);
    let event = match text.split_once('=') {
        Some((key, _)) => event.conflation_key(key),
        None => event,
    };
    Frame::new(&event.build().unwrap(), None)
}

/// Offers `text`, and wakes; as the hub does, in this order.
fn put(sink: &QueueSink, text: &str, full: WhenFull) -> Offer {
    let offer = sink.try_send(&frame(text), full);
    sink.wake();
    offer
}

fn close(sink: &QueueSink, reason: CloseReason) {
    sink.close(reason);
    sink.wake();
}

/// Reads until the end.
fn read(sink: &QueueSink) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(piece) = wait(poll_fn(|cx| sink.poll_next(cx))) {
        all.append(&mut texts(&piece));
    }
    all
}

fn reader(sink: &Arc<QueueSink>) -> thread::JoinHandle<Vec<String>> {
    let sink = Arc::clone(sink);
    thread::spawn(move || read(&sink))
}

#[test]
fn one_frame_and_the_end_in_every_interleaving() {
    let tried = check_all(|| {
        let sink = queue(1);
        let reader = reader(&sink);
        assert_eq!(put(&sink, "a", Refuse), Offer::QUEUED);
        close(&sink, CloseReason::Disconnected);
        assert_eq!(reader.join().unwrap(), ["a"]);
    });
    assert!(tried > 100, "{tried}");
}

/// What was taken before the end is read in order, and then the end; or less, where the reason
/// says so.
fn reads_what_was_taken(reason: CloseReason) {
    check(move || {
        let sink = queue(8);
        let reader = reader(&sink);
        let writer = thread::spawn({
            let sink = Arc::clone(&sink);
            move || {
                let texts = ["a", "b", "c"].into_iter();
                let taken = texts.take_while(|text| match put(&sink, text, Refuse) {
                    Offer::QUEUED => true,
                    Offer::Closed => false,
                    other => panic!("{other:?}"),
                });
                taken.collect::<Vec<_>>()
            }
        });
        close(&sink, reason);
        let (taken, seen) = (writer.join().unwrap(), reader.join().unwrap());
        if reason.discards() {
            assert!(taken[..].starts_with(&seen.iter().map(String::as_str).collect::<Vec<_>>()));
        } else {
            assert_eq!(seen, taken);
        }
        assert_eq!(sink.progress().waiting, 0);
        assert_eq!(sink.progress().taken, seen.len() as u64);
        assert_eq!(put(&sink, "d", Refuse), Offer::Closed);
    });
}

#[test]
fn a_reader_gets_what_was_taken_before_the_end() {
    reads_what_was_taken(CloseReason::Disconnected);
}

#[test]
fn a_reader_of_what_is_thrown_away_gets_the_beginning() {
    reads_what_was_taken(CloseReason::Stalled);
}

#[test]
fn a_reader_whose_permission_is_over_gets_the_beginning_and_the_last_words() {
    check(|| {
        let sink = queue(8);
        let reader = reader(&sink);
        let writer = thread::spawn({
            let sink = Arc::clone(&sink);
            move || {
                let is_taken = |text: &&str| put(&sink, text, Refuse) == Offer::QUEUED;
                ["a", "b"].into_iter().take_while(is_taken).count()
            }
        });
        sink.close_with(&frame("last"), CloseReason::Revoked);
        sink.wake();
        let (taken, seen) = (writer.join().unwrap(), reader.join().unwrap());
        let (last, before) = seen.split_last().unwrap();
        assert_eq!(last, "last");
        assert!(
            ["a", "b"][..taken].starts_with(&before.iter().map(String::as_str).collect::<Vec<_>>())
        );
    });
}

/// Waits for room before each frame; how many were taken before the end.
fn feed(sink: &QueueSink, texts: &[&str]) -> usize {
    let has_room = |text: &&&str| {
        let bytes = frame(text).len();
        wait(poll_fn(|cx| sink.poll_room(cx, bytes)))
    };
    let taken = texts.iter().take_while(has_room).take_while(|text| {
        let offer = put(sink, text, Refuse);
        assert_ne!(offer, Offer::Full, "there was room");
        offer == Offer::QUEUED
    });
    taken.count()
}

#[test]
fn whoever_waits_for_room_gets_it() {
    check(|| {
        let sink = queue(1);
        let reader = reader(&sink);
        assert_eq!(feed(&sink, &["a", "b", "c"]), 3);
        close(&sink, CloseReason::Disconnected);
        assert_eq!(reader.join().unwrap(), ["a", "b", "c"]);
    });
}

#[test]
fn whoever_waits_for_room_learns_of_the_end() {
    check(|| {
        let sink = queue(1);
        let feeder = thread::spawn({
            let sink = Arc::clone(&sink);
            move || feed(&sink, &["a", "b", "c"])
        });
        let closer = thread::spawn({
            let sink = Arc::clone(&sink);
            move || close(&sink, CloseReason::Disconnected)
        });
        // One frame, and nobody reads on.
        wait(poll_fn(|cx| sink.poll_next(cx)));
        let taken = feeder.join().unwrap();
        closer.join().unwrap();
        let read = sink.progress().taken as usize + read(&sink).len();
        assert_eq!(read, taken);
    });
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Sums {
    queued: u64,
    replaced: u64,
    dropped: u64,
    refused: u64,
}

fn put_all(sink: &QueueSink, texts: &[&str], full: WhenFull) -> Sums {
    let mut sums = Sums::default();
    for text in texts {
        match put(sink, text, full) {
            Offer::Queued { replaced, dropped } => {
                sums.queued += 1;
                sums.replaced += u64::from(replaced);
                sums.dropped += u64::from(dropped);
            }
            Offer::Dropped => sums.dropped += 1,
            Offer::Full => sums.refused += 1,
            Offer::Closed => panic!("nobody closed it"),
        }
    }
    sums
}

/// Two write into a short queue: what is read, and what is told to be missing, is all of it.
fn adds_up(full: WhenFull) {
    check(move || {
        const FIRST: [&str; 3] = ["a1", "k=1", "a2"];
        const SECOND: [&str; 3] = ["b1", "k=2", "b2"];
        let sink = queue(2);
        let reader = reader(&sink);
        let other = thread::spawn({
            let sink = Arc::clone(&sink);
            move || put_all(&sink, &SECOND, full)
        });
        let (own, other) = (put_all(&sink, &FIRST, full), other.join().unwrap());
        close(&sink, CloseReason::Disconnected);
        let seen = reader.join().unwrap();

        let gaps = seen.iter().filter_map(|text| text.strip_prefix("gap "));
        let told: u64 = gaps.map(|dropped| dropped.parse::<u64>().unwrap()).sum();
        let of = |texts: [&str; 3]| {
            let found = texts.map(|text| seen.iter().position(|seen| seen == text));
            found.into_iter().flatten().collect::<Vec<_>>()
        };
        let (first, second) = (of(FIRST), of(SECOND));
        assert!(first.is_sorted() && second.is_sorted(), "{seen:?}");
        let read = (first.len() + second.len()) as u64;
        let all = |count: fn(&Sums) -> u64| count(&own) + count(&other);
        assert_eq!(told, all(|sums| sums.dropped), "{seen:?}");
        assert_eq!(
            read + told + all(|sums| sums.replaced) + all(|sums| sums.refused),
            6,
            "{seen:?}"
        );
        match full {
            Refuse => assert_eq!(told, 0),
            DropThis => assert_eq!(all(|sums| sums.queued - sums.replaced), read),
            DropOldest => assert_eq!(all(|sums| sums.queued), 6),
        }
    });
}

#[test]
fn what_was_refused_adds_up() {
    adds_up(Refuse);
}

#[test]
fn what_was_dropped_adds_up_and_is_told() {
    adds_up(DropThis);
}

#[test]
fn what_gave_way_adds_up_and_is_told() {
    adds_up(DropOldest);
}

/// What waits in two queues counts until neither has it, whoever reads, drops or closes it when.
#[test]
fn nothing_counts_that_does_not_wait_any_more() {
    check(|| {
        let budget = Budget::new(1_000);
        let limits = QueueLimits {
            events: NonZeroUsize::new(2).unwrap(),
            ..QueueLimits::default()
        };
        let shared = Arc::new(QueueShared {
            terms: Terms {
                limits,
                budget: Some(Arc::clone(&budget)),
            },
            context: SinkContext::default(),
        });
        let queues = [0, 1].map(|_| Arc::new(QueueSink::on(Arc::clone(&shared))));
        let readers = [reader(&queues[0]), reader(&queues[1])];
        let closer = thread::spawn({
            let queue = Arc::clone(&queues[1]);
            move || close(&queue, CloseReason::Overflow)
        });
        for text in ["a", "b", "c"] {
            let frame = frame(text);
            frame.charge_to(&budget);
            for queue in &queues {
                queue.try_send(&frame, DropOldest);
                queue.wake();
            }
            drop(queues[0].give_way(DropOldest));
        }
        close(&queues[0], CloseReason::Disconnected);
        closer.join().unwrap();
        for reader in readers {
            reader.join().unwrap();
        }
        assert_eq!((budget.bytes(), budget.is_over()), (0, false));
    });
}
