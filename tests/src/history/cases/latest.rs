//! Cases of where the latest events begin.

use std::time::{Duration, SystemTime};

use sse_core::{Event, Latest, Position, Target, Viewer};

use super::support::{HEAD, Log, MORE, Subject, WHOLE, below, group, ruled, to, viewer};
use crate::eventually;

impl Log {
    /// What is wanted of what `viewer` sees begins after the position that latest says.
    async fn assert_latest(&self, wanted: Latest, viewer: &Viewer, expected: &[Position]) {
        let begin = self.latest(wanted, viewer).await;
        self.assert_read(begin, viewer, WHOLE, expected).await;
    }
}

pub(crate) async fn the_last_so_many_are_counted_from_the_newest(history: Subject) {
    let mut log = Log::begun(history);
    let all = log.append_many(12);
    let ada = viewer("ada", &[]);
    for count in 1..=all.len() {
        let wanted = Latest::Events(count);
        let expected = &all[all.len() - count..];
        log.assert_latest(wanted, &ada, expected).await;
    }
}

pub(crate) async fn only_what_the_viewer_sees_is_counted(history: Subject) {
    let mut log = Log::begun(history);
    let (mut own, mut covered) = (Vec::new(), Vec::new());
    for n in 0..60 {
        match n % 6 {
            0 => own.push(log.append(to("ada"))),
            1 => own.push(log.append(Target::group(group("red")))),
            2 => drop(log.append(Target::group(group("blue")))),
            3 => covered.push(log.append(Target::group(group("red-wine")))),
            4 => drop(log.append(Target::everybody().within(group("blue")))),
            // One position may stay free: its event was lost.
            _ => drop(log.append_later(2, to("bob"), Event::text("an event"))),
        }
    }
    let ada = viewer("ada", &["red"]);
    for count in [1, 2, 3, 10, own.len()] {
        let expected = &own[own.len() - count..];
        log.assert_latest(Latest::Events(count), &ada, expected)
            .await;
    }
    let covering = ruled("cy", &["red"], below());
    for count in [1, 4, covered.len()] {
        let expected = &covered[covered.len() - count..];
        log.assert_latest(Latest::Events(count), &covering, expected)
            .await;
    }
}

pub(crate) async fn fewer_than_so_many_begin_at_the_floor(history: Subject) {
    let mut log = Log::begun(history);
    let ada = viewer("ada", &[]);
    for name in ["bob", "bob", "ada", "bob"] {
        log.append(to(name));
        for count in [2, 100, usize::MAX] {
            let begin = log.latest(Latest::Events(count), &ada).await;
            assert_eq!(begin, HEAD, "where fewer than {count} events begin");
        }
    }
    log.append_many(MORE);
    let begin = log.latest(Latest::Events(10 * MORE), &ada).await;
    let floor = log.bounds().await.floor;
    assert_eq!(begin, floor, "where fewer events begin, some evicted");
}

pub(crate) async fn none_of_the_last_begin_at_the_newest(history: Subject) {
    let mut log = Log::begun(history);
    for name in ["ada", "bob", "ada"] {
        let begin = log.latest(Latest::Events(0), &viewer("ada", &[])).await;
        assert_eq!(begin, log.newest(), "where no events begin");
        log.append(to(name));
    }
}

/// A time that has not been before and is past by now, however coarse the history's clock is.
async fn a_moment() -> SystemTime {
    const COARSE: Duration = Duration::from_millis(20);
    let passed = async |since: SystemTime| {
        let has_passed = || since.elapsed().is_ok_and(|passed| passed > COARSE);
        eventually("the clock goes on", Duration::from_secs(5), has_passed).await;
    };
    passed(SystemTime::now()).await;
    let moment = SystemTime::now();
    passed(moment).await;
    moment
}

pub(crate) async fn what_was_published_since_begins_at_its_first(history: Subject) {
    let mut log = Log::begun(history);
    let ada = viewer("ada", &[]);
    let mut own = Vec::new();
    let mut moments = Vec::new();
    for n in 0..3 {
        own.push(log.append(to("ada")));
        log.append(to("bob"));
        moments.push((a_moment().await, own.len()));
        if n == 1 {
            log.append(to("bob"));
        }
        own.push(log.append(to("ada")));
    }
    for (moment, before) in moments {
        log.assert_latest(Latest::Since(moment), &ada, &own[before..])
            .await;
    }
}

pub(crate) async fn since_before_the_first_begins_at_the_floor(history: Subject) {
    let mut log = Log::begun(history);
    let moment = a_moment().await;
    log.append(to("bob"));
    let ada = viewer("ada", &[]);
    for count in [3, MORE] {
        log.append_many(count);
        let floor = log.bounds().await.floor;
        for since in [moment, SystemTime::UNIX_EPOCH] {
            let begin = log.latest(Latest::Since(since), &ada).await;
            assert_eq!(begin, floor, "where all that is kept begins");
        }
    }
}

pub(crate) async fn since_after_the_last_begins_at_the_newest(history: Subject) {
    let mut log = Log::begun(history);
    let ada = viewer("ada", &[]);
    for _ in 0..3 {
        let tomorrow = SystemTime::now() + Duration::from_secs(24 * 60 * 60);
        for since in [a_moment().await, tomorrow] {
            let begin = log.latest(Latest::Since(since), &ada).await;
            assert_eq!(begin, log.newest(), "where nothing that is kept begins");
        }
        log.append(to("ada"));
    }
}
