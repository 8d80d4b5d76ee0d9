//! Cases of how much a page holds.

use sse_core::{Event, PageLimit, Target};

use super::support::{HEAD, Log, Subject, WHOLE, assert_positions, before, to, viewer};

pub(crate) async fn a_page_holds_no_more_events_than_its_limit(history: Subject) {
    let mut log = Log::begun(history);
    for _ in 0..20 {
        log.append(to("ada"));
        log.append(to("bob"));
        log.append(Target::everybody());
    }
    let ada = viewer("ada", &[]);
    for events in [1, 2, 7, 39] {
        let mut after = HEAD;
        while after < log.newest() {
            let limit = PageLimit { events, ..WHOLE };
            let page = log.page(after, &ada, limit).await;
            let held = page.events.len();
            assert!(
                held <= events,
                "a page of up to {events} events holds {held}"
            );
            if page.looked_to == after {
                break;
            }
            after = page.looked_to;
        }
    }
}

pub(crate) async fn a_page_holds_no_more_bytes_than_its_limit(history: Subject) {
    let mut log = Log::begun(history);
    for n in 0..40 {
        // Each takes between 300 bytes and 2 KiB.
        let data = "a".repeat(250 + n * 40);
        log.append_event(to("ada"), Event::text(data));
    }
    let ada = viewer("ada", &[]);
    for bytes in [2_048, 5_000, 20_000] {
        let mut after = HEAD;
        while after < log.newest() {
            let limit = PageLimit { bytes, ..WHOLE };
            let page = log.page(after, &ada, limit).await;
            let held: usize = page.events.iter().map(|kept| kept.frame.len()).sum();
            assert!(held <= bytes, "a page of up to {bytes} bytes holds {held}");
            if page.looked_to == after {
                break;
            }
            after = page.looked_to;
        }
    }
}

pub(crate) async fn one_event_is_always_allowed(history: Subject) {
    let mut log = Log::begun(history);
    let mut own = Vec::new();
    for n in 0..6 {
        let event = Event::text("a".repeat(n * 400));
        own.push(log.append_event(to("ada"), event).position());
    }
    let ada = viewer("ada", &[]);
    for (events, bytes) in [(1, 0), (10, 0), (10, 1), (0, 10_000), (0, 0)] {
        let limit = PageLimit { events, bytes };
        for own in &own {
            let page = log.page(before(*own), &ada, limit).await;
            assert_positions(before(*own), &page.events, &[*own]);
        }
    }
}
