//! What the history in the box keeps, for how long, and what a resume costs.

use std::{
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use crate::support::text;
use futures_util::FutureExt;
use sse_core::{
    Bounds, ClientId, ConnectionId, Frame, GroupRule, History, HistoryError, HistoryLimits, Keep,
    ManualClock, MemoryHistory, Page, PageLimit, Position, Routed, Target, Viewer,
};

const ALL: PageLimit = PageLimit {
    events: usize::MAX,
    bytes: usize::MAX,
};

fn at(sequence: u64) -> Position {
    Position::new(7, sequence)
}

fn client(name: impl ToString) -> ClientId {
    ClientId::new(name.to_string()).unwrap()
}

fn ada() -> Viewer {
    let id = ConnectionId::random().unwrap();
    Viewer::new(id, client("ada"), [], GroupRule::exact())
}

fn append(history: &MemoryHistory, sequence: u64, target: Target, len: usize) {
    history.append(&Routed {
        target,
        frame: Frame::new(&text("x".repeat(len)), Some(at(sequence))),
        ticket: None,
    });
}

fn bounds(history: &MemoryHistory) -> Bounds {
    history
        .bounds()
        .now_or_never()
        .expect("it never waits")
        .unwrap()
}

fn page(history: &MemoryHistory, after: u64) -> Result<Page, HistoryError> {
    let viewer = ada();
    let page = history.page(at(after), &viewer, ALL);
    page.now_or_never().expect("it never waits")
}

fn limits(events: usize, bytes: usize) -> HistoryLimits {
    HistoryLimits {
        events: NonZeroUsize::new(events).unwrap(),
        bytes: NonZeroUsize::new(bytes).unwrap(),
        age: None,
    }
}

fn history(limits: HistoryLimits, clock: &ManualClock) -> MemoryHistory {
    let history = MemoryHistory::new(limits, clock.clone());
    history.begin(at(0));
    history
}

#[test]
fn what_is_kept_is_bounded_in_bytes() {
    let history = history(limits(10_000, 100_000), &ManualClock::new());
    for sequence in 1..=1_000 {
        append(&history, sequence, Target::everybody(), 1_000);
        assert!(bounds(&history).bytes <= 100_000);
    }
    let kept = bounds(&history);
    assert!((60..70).contains(&kept.events), "{kept:?}");
    assert_eq!(kept.floor, at(1_000 - kept.events));
    // A long list is counted as what it takes.
    let many = Target::clients((0..300).map(client));
    append(&history, 1_001, many.clone(), 1);
    assert!(
        (10..40).contains(&bounds(&history).events),
        "{:?}",
        bounds(&history)
    );
    // What is larger than all of it isn't kept, and nothing else is lost silently.
    append(&history, 1_002, Target::everybody(), 200_000);
    let nothing = bounds(&history);
    assert_eq!((nothing.events, nothing.bytes), (0, 0));
    assert_eq!((nothing.floor, nothing.newest), (at(1_002), at(1_002)));
    let evicted = page(&history, 1_001);
    assert!(matches!(evicted, Err(HistoryError::Evicted { floor }) if floor == at(1_002)));
}

#[test]
fn what_is_too_old_is_gone() {
    let clock = ManualClock::new();
    let limits = HistoryLimits {
        age: Some(Duration::from_secs(10)),
        ..HistoryLimits::default()
    };
    let history = history(limits, &clock);
    for sequence in 1..=5 {
        append(&history, sequence, Target::everybody(), 1);
        clock.advance(Duration::from_secs(3));
    }
    // The ages are 15, 12, 9, 6 and 3 seconds.
    assert!(matches!(
        page(&history, 1),
        Err(HistoryError::Evicted { .. })
    ));
    assert_eq!(page(&history, 2).unwrap().events.len(), 3);
    clock.advance(Duration::from_secs(60));
    let none = bounds(&history);
    assert_eq!((none.events, none.floor, none.newest), (0, at(5), at(5)));
    assert_eq!(page(&history, 5).unwrap().looked_to, at(5));
}

#[test]
fn nothing_is_left_of_what_is_gone() {
    let history = history(limits(100, 10_000_000), &ManualClock::new());
    for sequence in 1..=50_000 {
        let target = match sequence % 3 {
            0 => Target::client(client(sequence)),
            1 => Target::clients([client(sequence), client(sequence + 1)]),
            _ => Target::group(crate::support::group(&format!("g{sequence}"))),
        };
        append(&history, sequence, target, 1);
    }
    let kept = bounds(&history);
    assert_eq!(kept.events, 100);
    for sequence in 50_001..=50_100 {
        append(&history, sequence, Target::everybody(), 1);
    }
    let all = page(&history, 50_000).unwrap().events.len();
    assert_eq!((bounds(&history).events, all), (100, 100));
}

#[test]
fn a_resume_costs_what_is_replayed_not_what_is_kept() {
    // Ten events of hers among so many of others'.
    let cost = |kept: u64| {
        let history = history(limits(1_000_000, usize::MAX), &ManualClock::new());
        for sequence in 1..=kept {
            let name = if sequence % (kept / 10) == 0 {
                "ada"
            } else {
                "bob"
            };
            append(&history, sequence, Target::client(client(name)), 1);
        }
        let mut times: Vec<Duration> = (0..200)
            .map(|_| {
                let start = Instant::now();
                assert_eq!(page(&history, 0).unwrap().events.len(), 10);
                start.elapsed()
            })
            .collect();
        times.sort_unstable();
        times[times.len() / 2]
    };
    let (few, many) = (cost(1_000), cost(100_000));
    assert!(
        many < few * 10,
        "{few:?} among 1,000, {many:?} among 100,000"
    );
}
