//! Cases of what is on a page.

use std::time::Duration;

use sse_core::{Event, PageLimit, Position, Target};

use super::support::{
    HEAD, Log, Subject, WHOLE, before, client, further, group, positions, to, viewer,
};

pub(crate) async fn a_page_begins_right_after_any_position(history: Subject) {
    let mut log = Log::begun(history);
    let mut own = Vec::new();
    for n in 0..8 {
        // An event may get lost on its way here: then there is none at its position.
        let by = 1 + n % 3;
        let target = if n % 2 == 0 { to("ada") } else { to("bob") };
        let appended = log.append_later(by, target, Event::text("an event"));
        if n % 2 == 0 {
            own.push(appended.position());
        }
    }
    let ada = viewer("ada", &[]);
    for by in 0..=(log.newest().sequence() - HEAD.sequence()) {
        let after = further(HEAD, by);
        let rest: Vec<_> = own.iter().copied().filter(|own| *own > after).collect();
        log.assert_read(after, &ada, WHOLE, &rest).await;
    }
}

pub(crate) async fn a_page_has_the_frames_that_were_kept(history: Subject) {
    let mut log = Log::begun(history);
    let everything = Event::text("a\n\nb\r\n c")
        .event("chat")
        .id("of-the-application")
        .retry(Duration::from_secs(1))
        .comment("for whoever looks");
    let events = [everything, Event::text(""), Event::text(" ").event("blank")];
    let appended = events.map(|event| log.append_event(to("ada"), event));
    let read = log.read(HEAD, &viewer("ada", &[]), WHOLE).await;
    assert_eq!(read.len(), appended.len(), "events on its pages");
    for (kept, appended) in read.iter().zip(&appended) {
        let (kept, appended) = (&kept.frame, &appended.frame);
        assert_eq!(kept.position(), appended.position(), "the position");
        assert_eq!(kept.event_id(), appended.event_id(), "the event's id");
        assert_eq!(kept.bytes(), appended.bytes(), "the bytes on the wire");
    }
}

pub(crate) async fn a_page_says_whom_its_events_were_for(history: Subject) {
    let mut log = Log::begun(history);
    let (red, bob) = (group("red"), client("bob"));
    let appended = [
        to("ada"),
        Target::clients([client("ada"), bob.clone()]),
        Target::group(&red).except_client(&bob),
        Target::everybody(),
        to("ada").within(&red),
        Target::everybody().within(&red).except_client(&bob),
    ]
    .map(|target| log.append_event(target, Event::text("an event")).target);
    let read = log.read(HEAD, &viewer("ada", &["red"]), WHOLE).await;
    let targets: Vec<_> = read.into_iter().map(|kept| kept.target).collect();
    assert_eq!(targets, appended, "whom its events were for");
}

/// Appends `count` events of every kind; the positions of those that ada, who is in red, sees.
fn append_mixed(log: &mut Log, count: usize) -> Vec<Position> {
    let mut own = Vec::new();
    for n in 0..count {
        let (target, seen) = match n % 7 {
            0 => (to("ada"), true),
            1 => (Target::group(group("red")), true),
            2 => (Target::everybody(), true),
            3 => (Target::clients([client("ada"), client("bob")]), true),
            4 => (to("bob"), false),
            5 => (Target::group(group("blue")), false),
            _ => (Target::everybody().except_client(client("ada")), false),
        };
        let position = log.append(target);
        own.extend(seen.then_some(position));
    }
    own
}

pub(crate) async fn a_thousand_events_are_each_read_once(history: Subject) {
    let mut log = Log::begun(history);
    let own = append_mixed(&mut log, 1_000);
    log.assert_sees(&viewer("ada", &["red"]), &own).await;
}

pub(crate) async fn small_pages_have_each_event_once(history: Subject) {
    let mut log = Log::begun(history);
    let own = append_mixed(&mut log, 80);
    // Long after the last that ada sees.
    for _ in 0..40 {
        log.append(to("bob"));
    }
    let ada = viewer("ada", &["red"]);
    for events in [1, 2, 3, 7, own.len() - 1, own.len()] {
        let limit = PageLimit { events, ..WHOLE };
        log.assert_read(HEAD, &ada, limit, &own).await;
    }
    for bytes in [1, 100, 333] {
        let limit = PageLimit { bytes, ..WHOLE };
        log.assert_read(HEAD, &ada, limit, &own).await;
    }
    // What a page has is what comes right after its start, whatever was read before.
    let limit = PageLimit { events: 2, ..WHOLE };
    for pair in own.windows(2).rev() {
        let page = log.page(before(pair[0]), &ada, limit).await;
        let found = positions(&page.events);
        assert!(
            !found.is_empty() && pair.starts_with(&found),
            "a page of up to two events, which are at {pair:?}, has {found:?}"
        );
    }
}
