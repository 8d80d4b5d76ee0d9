//! Logs that lose events on their way to this node.

mod support;

use sse_core::{Frame, Keep, Lost, Position, Routed, Target};
use support::{
    log::{Fault, Log, numbers, returning, until_caught_up},
    resuming::head,
    settle, subscribe, text, unread,
};

/// Events of the log that this node's router never delivers.
fn lose(log: &Log, epoch: u64, sequences: std::ops::RangeInclusive<u64>) {
    for sequence in sequences {
        let position = Position::new(epoch, sequence);
        log.kept.append(&Routed {
            target: Target::everybody(),
            frame: Frame::new(&text(sequence.to_string()), Some(position)),
            ticket: None,
        });
    }
}

fn deliver(log: &Log, epoch: u64, sequence: u64) {
    let routed = Routed {
        target: Target::everybody(),
        frame: Frame::new(
            &text(sequence.to_string()),
            Some(Position::new(epoch, sequence)),
        ),
        ticket: None,
    };
    log.kept.append(&routed);
    drop(log.deliverer().deliver(&[routed]));
}

#[tokio::test]
async fn where_the_router_lost_events_all_catch_up_again() {
    let log = Log::new();
    let hub = log.hub().build().unwrap();
    let id = head(&hub).await;
    let epoch = id.parse::<Position>().unwrap().epoch();
    let mut live = unread(&hub, subscribe("ada", &[])).await;
    deliver(&log, epoch, 1);
    settle().await;
    assert_eq!(live.read(), ["connected", "1"]);
    // One that is catching up at that moment.
    *log.fault.lock().unwrap() = Some(Fault::Hangs);
    let mut behind = returning(&hub, "bob", &id).await;
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
    let log = Log::new();
    let hub = log.hub().build().unwrap();
    let id = head(&hub).await;
    let epoch = id.parse::<Position>().unwrap().epoch();
    *log.shows.lock().unwrap() = Some(0);
    deliver(&log, epoch, 1);
    let mut behind = returning(&hub, "bob", &id).await;
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
        let routed = Routed {
            target: Target::everybody(),
            frame: Frame::new(
                &text(sequence.to_string()),
                Some(Position::new(epoch, sequence)),
            ),
            ticket: None,
        };
        drop(log.deliverer().deliver(&[routed]));
    }
    assert_eq!(behind.read(), ["5"]);
}

#[tokio::test]
async fn a_log_that_begins_anew_is_told_and_read_from_its_beginning() {
    let log = Log::new();
    let hub = log.hub().build().unwrap();
    let epoch = head(&hub).await.parse::<Position>().unwrap().epoch();
    let mut live = unread(&hub, subscribe("ada", &[])).await;
    deliver(&log, epoch, 1);
    assert_eq!(live.read(), ["connected", "1"]);
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
