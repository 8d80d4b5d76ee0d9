//! Cases of up to where a page looked.

use sse_core::{PageLimit, Position, Target, Viewer};

use super::support::{HEAD, Log, Subject, WHOLE, before, group, positions, to, viewer};

const FEW: PageLimit = PageLimit { events: 3, ..WHOLE };

/// Reads on from `HEAD` to the newest event, and holds each page to its `looked_to`.
async fn assert_reading_comes_to_the_end(log: &Log, viewer: &Viewer, limit: PageLimit) {
    let mut after = HEAD;
    while after != log.newest() {
        let page = log.page(after, viewer, limit).await;
        let to = page.looked_to;
        assert!(
            to > after,
            "something was kept after {after}, and a page from there looked to {to}"
        );
        assert!(
            to <= log.newest(),
            "a page looked to {to}, and the newest event is at {}",
            log.newest()
        );
        after = to;
    }
}

/// Many that ada doesn't see, then one that she does, several times over.
fn append_rarely(log: &mut Log) -> Vec<Position> {
    let mut own = Vec::new();
    for _ in 0..4 {
        for n in 0..100 {
            let other = match n % 3 {
                0 => to("bob"),
                1 => Target::group(group("blue")),
                // An index finds it for ada, and it isn't for her.
                _ => Target::everybody().within(group("blue")),
            };
            log.append(other);
        }
        own.push(log.append(to("ada")));
    }
    own
}

pub(crate) async fn an_empty_history_has_empty_pages(history: Subject) {
    let log = Log::begun(history);
    let page = log.page(HEAD, &viewer("ada", &["red"]), WHOLE).await;
    assert_eq!(page.events.len(), 0, "events where none was kept");
    assert_eq!(page.looked_to, HEAD, "how far it looked");
}

pub(crate) async fn a_page_without_events_says_how_far_it_looked(history: Subject) {
    let mut log = Log::begun(history);
    append_rarely(&mut log);
    let nobody = viewer("nobody", &["none"]);
    for limit in [WHOLE, FEW] {
        assert_reading_comes_to_the_end(&log, &nobody, limit).await;
    }
}

pub(crate) async fn a_page_with_events_says_how_far_it_looked(history: Subject) {
    let mut log = Log::begun(history);
    append_rarely(&mut log);
    log.append_many(10);
    for limit in [WHOLE, FEW] {
        assert_reading_comes_to_the_end(&log, &viewer("ada", &[]), limit).await;
    }
    let mut after = HEAD;
    while after < log.newest() {
        let page = log.page(after, &viewer("ada", &[]), FEW).await;
        if let Some(last) = positions(&page.events).last() {
            assert!(
                page.looked_to >= *last,
                "a page looked to {}, and its last event is at {last}",
                page.looked_to
            );
        }
        after = page.looked_to;
    }
}

pub(crate) async fn a_page_that_is_cut_says_no_more_than_it_looked_at(history: Subject) {
    let mut log = Log::begun(history);
    let mut own = append_rarely(&mut log);
    own.extend(log.append_many(10));
    let ada = viewer("ada", &[]);
    let cut = [1, 3].map(|events| PageLimit { events, ..WHOLE });
    let bytes = PageLimit { bytes: 1, ..WHOLE };
    for limit in cut.into_iter().chain([bytes]) {
        for first in &own {
            let page = log.page(before(*first), &ada, limit).await;
            let passed = own.iter().filter(|own| *own >= first);
            let passed: Vec<_> = passed.filter(|own| **own <= page.looked_to).collect();
            let found = positions(&page.events);
            assert!(
                passed.len() <= found.len(),
                "a page looked to {}, and has {} of the {} events that the viewer sees up to there",
                page.looked_to,
                found.len(),
                passed.len()
            );
        }
    }
}

pub(crate) async fn a_page_says_nothing_of_what_is_to_come(history: Subject) {
    let mut log = Log::begun(history);
    let ada = viewer("ada", &[]);
    for _ in 0..3 {
        for target in [to("ada"), to("bob"), Target::everybody()] {
            let looked_to = log.page(log.newest(), &ada, WHOLE).await.looked_to;
            let next = log.append(target.clone());
            assert!(
                looked_to < next,
                "a page looked to {looked_to}, before there was an event at {next}"
            );
            let looked_to = log.page(before(next), &ada, WHOLE).await.looked_to;
            assert_eq!(looked_to, next, "the end, where a page of one event looked");
        }
    }
}

pub(crate) async fn a_page_at_the_newest_stays_there(history: Subject) {
    let mut log = Log::begun(history);
    log.append_many(3);
    for name in ["ada", "bob"] {
        log.append(to("bob"));
        let page = log.page(log.newest(), &viewer(name, &[]), FEW).await;
        assert_eq!(page.events.len(), 0, "events after the newest");
        assert_eq!(page.looked_to, log.newest(), "how far it looked");
    }
}
