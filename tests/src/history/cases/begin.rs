//! Cases of what a router writes: appends, and a new beginning.

use sse_core::{Bounds, Event, HistoryError, Latest, Position, Target};

use super::support::{
    HEAD, Log, Subject, WHOLE, assert_positions, before, further, positions, to, viewer,
};

/// Where a second router begins.
const SECOND: Position = Position::new(8, 3);

pub(crate) async fn an_append_that_returned_is_on_the_next_page(history: Subject) {
    let mut log = Log::begun(history);
    let ada = viewer("ada", &[]);
    for target in [to("ada"), Target::everybody(), to("ada")] {
        let after = log.newest();
        let position = log.append(target);
        // Nothing else is asked in between, after which it might be there.
        let page = log.page(after, &ada, WHOLE).await;
        assert_positions(after, &page.events, &[position]);
    }
}

pub(crate) async fn bounds_count_what_was_appended(history: Subject) {
    let mut log = Log::begun(history);
    for count in 1..=20 {
        log.append(to(if count % 2 == 0 { "ada" } else { "bob" }));
        let bounds = log.bounds().await;
        assert_eq!(bounds.events, count, "events that are kept");
        assert_eq!(bounds.newest, log.newest(), "the newest");
        assert!(bounds.bytes > 0, "{count} events take no bytes");
    }
}

/// A history that was full, and began again at this position.
fn begun_again(history: Subject, head: Position) -> Log {
    let mut log = Log::begun(Subject::clone(&history));
    for target in [to("ada"), Target::everybody()] {
        for _ in 0..5 {
            log.append_event(target.clone(), Event::text("an event").id("old"));
        }
    }
    Log::begun_at(history, head)
}

pub(crate) async fn begin_forgets_what_was_kept(history: Subject) {
    let mut log = begun_again(history, SECOND);
    let ada = viewer("ada", &[]);
    let page = log.page(SECOND, &ada, WHOLE).await;
    assert_positions(SECOND, &page.events, &[]);
    let old = log.try_page(HEAD).await;
    assert!(
        matches!(old, Err(HistoryError::Epoch { floor: SECOND })),
        "it began again at {SECOND}; a page after {HEAD} is {old:?}"
    );
    let new = log.append(to("ada"));
    log.assert_read(SECOND, &ada, WHOLE, &[new]).await;
}

pub(crate) async fn begin_forgets_what_could_be_located(history: Subject) {
    // Where it begins again at the same sequences there may be something else.
    let mut log = begun_again(history, Position::new(8, HEAD.sequence()));
    let ada = viewer("ada", &[]);
    for _ in 0..2 {
        let located = log.locate("old", &ada).await;
        assert_eq!(located, None, "where what was forgotten is located");
        log.append_many(10);
    }
}

pub(crate) async fn begin_makes_its_position_floor_and_newest(history: Subject) {
    // A log goes on where it was, and a router anew begins anywhere.
    for head in [SECOND, Position::new(9, 0), further(HEAD, 50)] {
        let log = begun_again(Subject::clone(&history), head);
        let Bounds {
            floor,
            newest,
            events,
            ..
        } = log.bounds().await;
        assert_eq!((floor, newest), (head, head), "the floor and the newest");
        assert_eq!(events, 0, "events that are kept");
        let ada = viewer("ada", &[]);
        for wanted in [Latest::Events(0), Latest::Events(5)] {
            let latest = log.latest(wanted, &ada).await;
            assert_eq!(latest, head, "where {wanted:?} begin");
        }
    }
}

pub(crate) async fn what_comes_after_a_second_begin_is_kept(history: Subject) {
    let mut log = begun_again(history, SECOND);
    let ada = viewer("ada", &[]);
    let mut own = Vec::new();
    for n in 0..150 {
        own.push(log.append(to("ada")));
        if n % 3 == 0 {
            log.append(to("bob"));
        }
    }
    let named = log.append_event(to("ada"), Event::text("an event").id("new"));
    own.push(named.position());
    log.assert_read(SECOND, &ada, WHOLE, &own).await;
    let located = log.locate("new", &ada).await;
    assert_eq!(located, Some(named.position()), "where `new` is located");
    let latest = log.latest(Latest::Events(1), &ada).await;
    let page = log.page(latest, &ada, WHOLE).await;
    assert_eq!(
        positions(&page.events),
        [named.position()],
        "the last event"
    );
    assert_eq!(log.bounds().await.floor, SECOND, "the floor");
    assert!(before(own[0]) == SECOND, "the first comes right after it");
}
