//! Logs that lose events on their way to this node.

use std::sync::{Arc, atomic::Ordering};

use crate::support::{
    Reader,
    log::{Fault, Log, numbers, until_caught_up},
    resuming::{head, queue, returning},
    settle, soon, subscribe, text, unread,
};
use sse_core::{Frame, Hub, Keep, Lost, Position, QueueLimits, Routed, Target};

fn routed(epoch: u64, sequence: u64) -> Routed {
    Routed {
        target: Target::everybody(),
        frame: Frame::new(
            &text(sequence.to_string()),
            Some(Position::new(epoch, sequence)),
        ),
        ticket: None,
    }
}

/// Events of the log that this node's router never delivers.
fn lose(log: &Log, epoch: u64, sequences: std::ops::RangeInclusive<u64>) {
    for sequence in sequences {
        log.kept.append(&routed(epoch, sequence));
    }
}

fn deliver(log: &Log, epoch: u64, sequence: u64) {
    let routed = routed(epoch, sequence);
    log.kept.append(&routed);
    drop(log.deliverer().deliver(&[routed]));
}

/// A log, a hub over it, what is delivered of it so far, and its epoch.
async fn start(limits: QueueLimits) -> (Arc<Log>, Hub, String, u64) {
    let log = Log::new();
    let hub = log.hub().queue(limits).build().unwrap();
    let id = head(&hub).await;
    let epoch = id.parse::<Position>().unwrap().epoch();
    (log, hub, id, epoch)
}

/// A client that is live, and has seen the first event.
async fn live_after_one(log: &Log, hub: &Hub, epoch: u64) -> Reader {
    let mut live = unread(hub, subscribe("ada", &[])).await;
    deliver(log, epoch, 1);
    assert_eq!(live.read(), ["connected", "1"]);
    live
}

#[tokio::test]
async fn where_the_router_lost_events_all_catch_up_again() {
    let (log, hub, id, epoch) = start(queue(100)).await;
    let mut live = live_after_one(&log, &hub, epoch).await;
    // One that is catching up at that moment.
    *log.fault.lock().unwrap() = Some(Fault::Hangs);
    let mut behind = returning(&hub, "bob", &[], &id).await;
    settle().await;
    assert_eq!(behind.read(), ["connected"]);

    *log.fault.lock().unwrap() = None;
    lose(&log, epoch, 2..=4);
    log.deliverer()
        .lost(Some(Position::new(epoch, 1)), Lost::Backend);
    deliver(&log, epoch, 5);
    let seen = until_caught_up(&mut live).await;
    assert_eq!(seen[0], r#"gap {"cause":"backend"}"#);
    assert_eq!(numbers(&seen), [2, 3, 4, 5], "the log has them");
    deliver(&log, epoch, 6);
    assert_eq!(numbers(&live.read()), [6]);
    assert_eq!(hub.info().lost, 1);
    drop(behind);
}

#[tokio::test]
async fn a_connection_that_is_behind_a_loss_is_told_too() {
    let (log, hub, id, epoch) = start(queue(100)).await;
    *log.shows.lock().unwrap() = Some(0);
    deliver(&log, epoch, 1);
    let mut behind = returning(&hub, "bob", &[], &id).await;
    settle().await;
    lose(&log, epoch, 2..=4);
    log.deliverer()
        .lost(Some(Position::new(epoch, 1)), Lost::Backend);
    *log.shows.lock().unwrap() = None;
    let seen = until_caught_up(&mut behind).await;
    assert!(
        seen.contains(&r#"gap {"cause":"backend"}"#.to_owned()),
        "{seen:?}"
    );
    assert_eq!(numbers(&seen), [1, 2, 3, 4]);
    // What it has seen is ignored when this node delivers it at last.
    for sequence in 2..=5 {
        let routed = routed(epoch, sequence);
        drop(log.deliverer().deliver(&[routed]));
    }
    assert_eq!(behind.read(), ["5"]);
}

#[tokio::test]
async fn a_log_that_begins_anew_is_told_and_read_from_its_beginning() {
    let (log, hub, _, epoch) = start(queue(100)).await;
    let mut live = live_after_one(&log, &hub, epoch).await;
    let next = epoch.wrapping_add(1);
    log.kept.begin(Position::new(next, 0));
    lose(&log, next, 1..=2);
    log.deliverer().lost(None, Lost::Epoch);
    let mut seen = until_caught_up(&mut live).await;
    deliver(&log, next, 3);
    seen.extend(live.read());
    assert!(seen[0].starts_with(r#"gap {"cause":"epoch""#), "{seen:?}");
    assert_eq!(numbers(&seen), [1, 2, 3]);
    assert_eq!(head(&hub).await, Position::new(next, 3).to_string());
}

#[tokio::test]
async fn all_of_a_large_loss_is_read_again_by_whoever_comes() {
    let (log, hub, id, epoch) = start(queue(100)).await;
    let mut live = live_after_one(&log, &hub, epoch).await;
    lose(&log, epoch, 2..=700);
    log.deliverer()
        .lost(Some(Position::new(epoch, 1)), Lost::Backend);
    // One that comes after the loss, and before anything else is delivered.
    let mut back = returning(&hub, "bob", &[], &id).await;
    let mut seen = until_caught_up(&mut live).await;
    let mut seen_back = until_caught_up(&mut back).await;
    deliver(&log, epoch, 701);
    seen.extend(live.read());
    seen_back.extend(back.read());
    assert_eq!(numbers(&seen), (2..=701).collect::<Vec<_>>());
    assert_eq!(numbers(&seen_back), (1..=701).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_tail_does_not_stand_for_what_was_lost() {
    let (log, hub, id, epoch) = start(queue(1)).await;
    for sequence in 1..=5 {
        deliver(&log, epoch, sequence);
    }
    let mut back = returning(&hub, "bob", &[], &id).await;
    settle().await;
    lose(&log, epoch, 6..=300);
    log.deliverer()
        .lost(Some(Position::new(epoch, 5)), Lost::Backend);
    for sequence in 301..=310 {
        deliver(&log, epoch, sequence);
    }
    let seen = until_caught_up(&mut back).await;
    assert_eq!(numbers(&seen), (1..=310).collect::<Vec<_>>());
}

#[tokio::test]
async fn whoever_has_seen_more_than_this_node_is_sent_nothing_twice() {
    let (log, hub, _, epoch) = start(queue(100)).await;
    for sequence in 1..=2 {
        deliver(&log, epoch, sequence);
    }
    lose(&log, epoch, 3..=5);
    *log.fault.lock().unwrap() = Some(Fault::Fails);
    let seen_elsewhere = Position::new(epoch, 4).to_string();
    let mut back = returning(&hub, "bob", &[], &seen_elsewhere).await;
    let seen = until_caught_up(&mut back).await;
    assert_eq!(seen[1], r#"gap {"cause":"backend"}"#);
    for sequence in 3..=6 {
        let routed = routed(epoch, sequence);
        drop(log.deliverer().deliver(&[routed]));
    }
    assert_eq!(back.read(), ["5", "6"]);
}

/// Nothing has been delivered since the loss, so that nobody knows how far it goes.
#[tokio::test]
async fn a_history_that_fails_after_a_loss_is_asked_no_more() {
    let (log, hub, _, epoch) = start(queue(100)).await;
    let mut live = live_after_one(&log, &hub, epoch).await;
    *log.fault.lock().unwrap() = Some(Fault::Fails);
    log.deliverer()
        .lost(Some(Position::new(epoch, 1)), Lost::Backend);
    let seen = until_caught_up(&mut live).await;
    let gaps = seen.iter().filter(|seen| seen.starts_with("gap"));
    assert!(gaps.count() <= 4, "{seen:?}");
    settle().await;
    assert!(log.pages.load(Ordering::SeqCst) < 8);
    deliver(&log, epoch, 2);
    assert_eq!(live.read(), ["2"]);
}

#[tokio::test]
async fn a_loss_before_a_catch_up_has_begun_is_told_once() {
    let (log, hub, _, epoch) = start(queue(100)).await;
    // It needs no history, and is live at once.
    let old = Position::new(epoch.wrapping_add(1), 1).to_string();
    let mut reader = returning(&hub, "ada", &[], &old).await;
    lose(&log, epoch, 1..=3);
    log.deliverer()
        .lost(Some(Position::new(epoch, 0)), Lost::Backend);
    deliver(&log, epoch, 4);
    let mut seen = until_caught_up(&mut reader).await;
    while numbers(&seen).last() != Some(&4) {
        let events = soon(reader.next()).await.expect("it goes on");
        seen.extend(events.iter().map(ToString::to_string));
    }
    assert_eq!(numbers(&seen), [1, 2, 3, 4]);
    let backend = r#"gap {"cause":"backend"}"#;
    assert_eq!(
        seen.iter().filter(|seen| *seen == backend).count(),
        1,
        "{seen:?}"
    );
}

/// Whoever has just gone live may be behind again before its catch-up has noticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn losses_at_every_moment_of_a_catch_up_double_nothing() {
    const EVENTS: u64 = 5_000;
    let (log, hub, _, epoch) = start(queue(100_000)).await;
    let mut live = unread(&hub, subscribe("ada", &[])).await;
    let losing = tokio::spawn({
        let log = Arc::clone(&log);
        async move {
            for sequence in 1..=EVENTS {
                deliver(&log, epoch, sequence);
                let after = Position::new(epoch, sequence);
                log.deliverer().lost(Some(after), Lost::Backend);
                tokio::task::yield_now().await;
            }
        }
    });
    let mut seen = Vec::new();
    while seen.last() != Some(&EVENTS) {
        let events = soon(live.next()).await.expect("it goes on");
        let events: Vec<_> = events.iter().map(ToString::to_string).collect();
        seen.extend(numbers(&events));
    }
    losing.await.unwrap();
    assert_eq!(seen, (1..=EVENTS).collect::<Vec<_>>());
}
