//! A hand-over in every interleaving of what can happen to it, with the real type and the real
//! history; and what the model finds where whoever uses them makes a mistake.

mod node;

use std::{panic, sync::Arc};

use shuttle::thread;

use self::node::{Mistake, Node, State};
use crate::models::check;

/// How many events one of the publishers publishes.
const EVENTS: u64 = 4;

fn model(mistake: Mistake, kept: usize, state: State) {
    check(move || {
        let node = Node::new(mistake, kept, state);
        node.publish();
        let spawn = |act: fn(&Node)| {
            let node = Arc::clone(&node);
            thread::spawn(move || act(&node))
        };
        let threads = [
            spawn(|node| {
                for _ in 0..EVENTS {
                    node.publish();
                }
            }),
            spawn(Node::publish),
            spawn(Node::catch_up),
            spawn(|node| {
                node.join();
                node.beat();
            }),
            spawn(|node| {
                node.leave();
                node.beat();
            }),
        ];
        for thread in threads {
            thread.join().unwrap();
        }
        node.assert_exact();
    });
}

#[test]
fn what_is_received_is_what_was_published() {
    model(Mistake::None, 100, State::Never);
}

#[test]
fn what_is_evicted_is_told() {
    model(Mistake::None, 2, State::Never);
}

#[test]
fn what_is_evicted_is_told_and_then_how_things_stand() {
    model(Mistake::None, 2, State::Told);
}

#[test]
fn what_comes_after_the_state_is_received() {
    model(Mistake::None, 100, State::First);
    model(Mistake::None, 2, State::First);
}

#[test]
fn mistakes_are_found() {
    for (mistake, kept, state, complaint) in [
        (Mistake::RegistersAfterReplay, 100, State::Never, "missed"),
        (Mistake::OffersMeanwhile, 100, State::Never, ""),
        (Mistake::PositionBeforeTheLock, 100, State::Never, ""),
        (Mistake::OpensWithTheHead, 100, State::Never, "missed"),
        (Mistake::BeatsWithTheHead, 100, State::Never, "missed"),
        (
            Mistake::PositionBeforeTheFreshState,
            2,
            State::Told,
            "a position before the state",
        ),
        (
            Mistake::OpensWithTheHead,
            100,
            State::First,
            "a position before the state",
        ),
        (
            Mistake::BeatsWithTheHead,
            100,
            State::First,
            "a position before the state",
        ),
        (Mistake::OverlooksAJoin, 100, State::Never, "missed"),
        (Mistake::OverlooksAnEviction, 2, State::Never, "missed"),
    ] {
        let found = panic::catch_unwind(|| model(mistake, kept, state));
        let Err(found) = found else {
            panic!("{mistake:?} isn't found");
        };
        let text = found.downcast_ref::<String>().expect("a text");
        assert!(text.contains(complaint), "{mistake:?} is found as {text}");
    }
}
