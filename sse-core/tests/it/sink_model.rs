//! The bounded queue beside a naive model of it: random operations come to the same.

use std::{
    num::NonZeroUsize,
    task::{Context, Poll, Waker},
};

use crate::support::{Wakes, parse};
use proptest::{collection::vec, option, prelude::*, sample::select};
use sse_core::{
    CloseReason, Event, EventSink, Frame, Hub, Offer, Progress, QueueLimits, QueueSink, WhenFull,
};

#[derive(Debug, Clone)]
enum Op {
    Event {
        key: Option<u8>,
        len: usize,
        full: WhenFull,
    },
    Notice(u64),
    TakePiece,
    AskForRoom(usize),
    Close(CloseReason),
}

fn op() -> impl Strategy<Value = Op> {
    let full = select(vec![
        WhenFull::Refuse,
        WhenFull::DropOldest,
        WhenFull::DropThis,
    ]);
    let reason = select(vec![CloseReason::Disconnected, CloseReason::Stalled]);
    // The largest are larger than a piece.
    let len = select(vec![1, 2, 30, 6_000, 17_000]);
    prop_oneof![
        60 => (option::of(0..3_u8), len.clone(), full)
            .prop_map(|(key, len, full)| Op::Event { key, len, full }),
        8 => (1_000..1_002_u64).prop_map(Op::Notice),
        20 => Just(Op::TakePiece),
        10 => len.prop_map(Op::AskForRoom),
        1 => reason.prop_map(Op::Close),
    ]
}

#[derive(Debug, Clone, PartialEq)]
enum Item {
    Event {
        key: Option<u8>,
        name: String,
        bytes: usize,
    },
    Notice(u64),
    Gap(u64),
}

/// What a queue is, said as simply as possible.
#[derive(Debug)]
struct Model {
    limits: QueueLimits,
    items: Vec<Item>,
    taken: u64,
    delivered: u64,
    closed: bool,
    /// For how much somebody waits for room.
    asked: Option<usize>,
    woken: usize,
}

impl Model {
    const fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            items: Vec::new(),
            taken: 0,
            delivered: 0,
            closed: false,
            asked: None,
            woken: 0,
        }
    }

    fn events(&self) -> Vec<usize> {
        let items = self.items.iter();
        let sizes = items.filter_map(|item| match item {
            Item::Event { bytes, .. } => Some(*bytes),
            _ => None,
        });
        sizes.collect()
    }

    fn fits(&self, bytes: usize) -> bool {
        let events = self.events();
        let sum: usize = events.iter().sum();
        events.is_empty()
            || events.len() < self.limits.events.get() && sum + bytes <= self.limits.bytes.get()
    }

    fn send(&mut self, key: Option<u8>, name: &str, bytes: usize, full: WhenFull) -> Offer {
        if self.closed {
            return Offer::Closed;
        }
        let before = self.items.clone();
        let same =
            |item: &Item| matches!(item, Item::Event { key: k, .. } if k.is_some() && *k == key);
        self.items.retain(|item| !same(item));
        let replaced = u32::from(self.items.len() < before.len());
        let mut dropped = 0;
        while !self.fits(bytes) {
            match full {
                WhenFull::Refuse => {
                    self.items = before;
                    return Offer::Full;
                }
                WhenFull::DropThis => {
                    self.items = before;
                    self.items.push(Item::Gap(1));
                    self.merge();
                    return Offer::Dropped;
                }
                WhenFull::DropOldest => {
                    let mut items = self.items.iter_mut();
                    let oldest = items.find(|item| matches!(item, Item::Event { .. }));
                    *oldest.unwrap() = Item::Gap(1);
                    dropped += 1;
                }
            }
        }
        let name = name.to_owned();
        self.items.push(Item::Event { key, name, bytes });
        self.merge();
        Offer::Queued { replaced, dropped }
    }

    fn merge(&mut self) {
        let mut merged: Vec<Item> = Vec::new();
        for item in self.items.drain(..) {
            // A notice that says the same as the last, with no event in between, says nothing.
            let last = merged.iter().rfind(|item| !matches!(item, Item::Gap(_)));
            if matches!(item, Item::Notice(_)) && last == Some(&item) {
                continue;
            }
            match (merged.last_mut(), item) {
                (Some(Item::Gap(before)), Item::Gap(more)) => *before += more,
                (_, item) => merged.push(item),
            }
        }
        self.items = merged;
    }

    fn close(&mut self, reason: CloseReason) {
        self.closed = true;
        if reason.discards() {
            self.items.clear();
        }
    }

    /// Takes what stands in a piece, which must be what stands first here.
    fn take(&mut self, piece: &[u8]) -> Result<(), TestCaseError> {
        let all = parse(piece);
        prop_assert!(all.len() <= self.items.len());
        prop_assert!(all.len() == 1 || piece.len() <= 17 * 1024);
        for (seen, item) in all.iter().zip(self.items.drain(..all.len())) {
            match item {
                Item::Event { name, .. } => {
                    self.delivered += 1;
                    prop_assert_eq!(seen.name.as_ref(), Some(&name));
                }
                Item::Notice(number) => prop_assert_eq!(&seen.json()["dropped"], number),
                Item::Gap(dropped) => prop_assert_eq!(&seen.json()["dropped"], dropped),
            }
            self.taken += 1;
        }
        Ok(())
    }

    fn progress(&self) -> Progress {
        Progress {
            taken: self.taken,
            waiting: self.items.len(),
            bytes: self.events().iter().sum(),
        }
    }
}

fn frame(number: usize, key: Option<u8>, len: usize) -> Frame {
    let event = Event::text("x".repeat(len)).event(format!("e{number}"));
    let event = match key {
        Some(key) => event.conflation_key(key.to_string()),
        None => event,
    };
    Frame::new(&event.build().unwrap(), None)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_queue_is_what_its_model_is(
        events in 1..6_usize,
        bytes in select(vec![1, 60, 120, 20_000, 40_000]),
        ops in vec(op(), 1..60),
    ) {
        let hub = Hub::builder().build().unwrap();
        let limits = QueueLimits {
            events: NonZeroUsize::new(events).unwrap(),
            bytes: NonZeroUsize::new(bytes).unwrap(),
        };
        let sink = QueueSink::new(limits, hub.sink_context());
        let mut model = Model::new(limits);
        let (wakes, waker) = Wakes::new();
        for (number, op) in ops.into_iter().enumerate() {
            match op {
                Op::Event { key, len, full } => {
                    let frame = frame(number, key, len);
                    let expected = model.send(key, &format!("e{number}"), frame.len(), full);
                    prop_assert_eq!(sink.try_send(&frame, full), expected);
                }
                Op::Notice(number) => {
                    let notice = hub.sink_context().gap(number);
                    let offer = sink.try_send(&notice, WhenFull::Refuse);
                    let expected = if model.closed { Offer::Closed } else { Offer::QUEUED };
                    prop_assert_eq!(offer, expected);
                    if !model.closed {
                        model.items.push(Item::Notice(number));
                        model.merge();
                    }
                }
                Op::TakePiece => match sink.poll_next(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(Some(piece)) => model.take(&piece)?,
                    Poll::Ready(None) => prop_assert!(model.closed && model.items.is_empty()),
                    Poll::Pending => prop_assert!(!model.closed && model.items.is_empty()),
                },
                Op::AskForRoom(next) => {
                    let room = sink.poll_room(&mut Context::from_waker(&waker), next);
                    let expected = match (model.closed, model.fits(next)) {
                        (true, _) => Poll::Ready(false),
                        (_, true) => Poll::Ready(true),
                        _ => Poll::Pending,
                    };
                    prop_assert_eq!(room, expected);
                    if room.is_pending() {
                        model.asked = Some(next);
                    }
                }
                Op::Close(reason) => {
                    sink.close(reason);
                    model.close(reason);
                }
            }
            sink.wake();
            if model.asked.is_some_and(|next| model.closed || model.fits(next)) {
                model.asked = None;
                model.woken += 1;
            }
            prop_assert_eq!(wakes.count(), model.woken, "woken when there is room");
            prop_assert_eq!(sink.progress(), model.progress());
            prop_assert_eq!(sink.is_closed(), model.closed);
            prop_assert_eq!(hub.info().delivered, model.delivered);
        }
    }
}
