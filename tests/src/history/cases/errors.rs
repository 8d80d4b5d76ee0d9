//! Cases of positions from which a history can't go on.

use sse_core::{HistoryError, Page, Position};

use super::support::{
    HEAD, Log, MORE, Subject, WHOLE, assert_positions, before, further, to, viewer,
};

type Answer = Result<Page, HistoryError>;

/// The floor of an answer that says that events were evicted.
#[track_caller]
fn evicted(after: Position, answer: &Answer) -> Position {
    match answer {
        Err(HistoryError::Evicted { floor }) => *floor,
        other => panic!("events after {after} are gone; it answered {}", told(other)),
    }
}

fn told(answer: &Answer) -> String {
    match answer {
        Ok(page) => format!("a page of {} events", page.events.len()),
        Err(error) => format!("{error:?}"),
    }
}

pub(crate) async fn what_came_before_the_floor_is_evicted(history: Subject) {
    let mut log = Log::begun(history);
    for _ in 0..2 {
        for after in [before(HEAD), Position::new(HEAD.epoch(), 0)] {
            let answer = log.try_page(after).await;
            assert_eq!(evicted(after, &answer), HEAD, "the floor");
        }
        // So it stays, with events or without.
        log.append_many(3);
    }
}

pub(crate) async fn what_more_events_pushed_out_is_evicted(history: Subject) {
    let mut log = Log::begun(history);
    let all = log.append_many(MORE);
    let floor = log.bounds().await.floor;
    let starts = [HEAD].into_iter().chain(all);
    for after in starts.filter(|after| *after < floor).step_by(50) {
        evicted(after, &log.try_page(after).await);
    }
    let last = before(floor);
    evicted(last, &log.try_page(last).await);
}

pub(crate) async fn all_that_comes_after_the_floor_is_kept(history: Subject) {
    let mut log = Log::begun(history);
    let ada = viewer("ada", &[]);
    let page = log.try_page(HEAD).await;
    let page = page.unwrap_or_else(|error| panic!("a page from the floor: {error:?}"));
    assert_positions(HEAD, &page.events, &[]);
    let all = log.append_many(MORE);
    let floor = match log.try_page(HEAD).await {
        Err(HistoryError::Evicted { floor }) => floor,
        _ => HEAD,
    };
    let kept: Vec<_> = all.into_iter().filter(|event| *event > floor).collect();
    log.assert_read(floor, &ada, WHOLE, &kept).await;
}

pub(crate) async fn bounds_and_pages_say_the_same_floor(history: Subject) {
    let mut log = Log::begun(history);
    assert_eq!(log.bounds().await.floor, HEAD, "the floor of the bounds");
    for _ in 0..3 {
        log.append_many(MORE / 3);
        let floor = log.bounds().await.floor;
        let after = before(HEAD);
        let answer = log.try_page(after).await;
        assert_eq!(evicted(after, &answer), floor, "the floor of the bounds");
        let answer = log.try_page(floor).await;
        assert!(answer.is_ok(), "at the floor it answered {}", told(&answer));
    }
}

/// Positions that another epoch could have had.
fn elsewhere(log: &Log) -> impl Iterator<Item = Position> {
    let epochs = [0, HEAD.epoch() - 1, HEAD.epoch() + 1, u64::MAX];
    let newest = log.newest().sequence();
    let sequences = [0, HEAD.sequence(), newest, newest + 1, u64::MAX];
    epochs
        .into_iter()
        .flat_map(move |epoch| sequences.map(|sequence| Position::new(epoch, sequence)))
}

pub(crate) async fn a_position_of_another_epoch_is_refused(history: Subject) {
    let mut log = Log::begun(history);
    for _ in 0..2 {
        for after in elsewhere(&log) {
            let answer = log.try_page(after).await;
            assert!(
                matches!(answer, Err(HistoryError::Epoch { .. })),
                "{after} is of another epoch; it answered {}",
                told(&answer)
            );
        }
        log.append_many(3);
    }
}

pub(crate) async fn another_epoch_is_told_with_the_floor(history: Subject) {
    let mut log = Log::begun(history);
    for count in [0, 3, MORE] {
        log.append_many(count);
        let floor = log.bounds().await.floor;
        for after in elsewhere(&log) {
            if let Err(HistoryError::Epoch { floor: told }) = log.try_page(after).await {
                assert_eq!(told, floor, "the floor, as the bounds say");
            }
        }
    }
}

pub(crate) async fn a_position_after_the_newest_is_refused(history: Subject) {
    let mut log = Log::begun(history);
    for _ in 0..2 {
        let newest = log.newest();
        let ahead = [1, 2, 1_000, u64::MAX - newest.sequence()];
        for after in ahead.map(|by| further(newest, by)) {
            let answer = log.try_page(after).await;
            assert!(
                matches!(answer, Err(HistoryError::Ahead)),
                "{after} comes after {newest}, the newest; it answered {}",
                told(&answer)
            );
        }
        log.append(to("ada"));
        log.append(to("bob"));
    }
}

pub(crate) async fn the_newest_position_is_not_ahead(history: Subject) {
    let mut log = Log::begun(history);
    for target in ["ada", "bob", "ada"] {
        let answer = log.try_page(log.newest()).await;
        assert!(
            answer.is_ok(),
            "at the newest it answered {}",
            told(&answer)
        );
        log.append(to(target));
    }
}
