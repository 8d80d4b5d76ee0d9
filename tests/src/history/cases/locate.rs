//! Cases of finding an event by the id that the application gave it.

use sse_core::{ConnectionId, Event, GroupRule, Position, Target, Viewer};

use super::support::{
    HEAD, Log, MORE, Subject, below, client, further, group, ruled, to, viewer, viewer_of,
};

impl Log {
    /// Appends an event with this id.
    fn append_named(&mut self, name: &str, target: Target) -> Position {
        let event = Event::text("an event").id(name);
        self.append_event(target, event).position()
    }

    /// `viewer` locates the id at this position, or not at all.
    async fn assert_locates(&self, name: &str, viewer: &Viewer, expected: Option<Position>) {
        let found = self.locate(name, viewer).await;
        assert_eq!(found, expected, "where `{name}` is located");
    }
}

pub(crate) async fn an_event_is_located_by_its_id(history: Subject) {
    let mut log = Log::begun(history);
    let ada = viewer("ada", &["red"]);
    log.assert_locates("a", &ada, None).await;
    let mut named = Vec::new();
    for (name, target) in [
        ("a", to("ada")),
        ("ab", Target::clients([client("bob"), client("ada")])),
        ("A", Target::group(group("red"))),
        ("1", Target::everybody()),
        ("within", Target::everybody().within(group("red"))),
    ] {
        log.append(to("ada"));
        named.push((name, log.append_named(name, target)));
    }
    log.append(to("ada"));
    for (name, position) in named {
        log.assert_locates(name, &ada, Some(position)).await;
    }
    for unknown in ["b", "abc", "an event", "ada"] {
        log.assert_locates(unknown, &ada, None).await;
    }
}

pub(crate) async fn of_several_events_of_an_id_the_newest_is_located(history: Subject) {
    let mut log = Log::begun(history);
    let ada = viewer("ada", &["red"]);
    for target in [
        to("ada"),
        Target::everybody(),
        Target::group(group("red")),
        to("ada"),
    ] {
        let newest = log.append_named("again", target);
        log.append_named("other", to("ada"));
        log.assert_locates("again", &ada, Some(newest)).await;
    }
}

pub(crate) async fn only_what_the_viewer_sees_is_located(history: Subject) {
    let mut log = Log::begun(history);
    let laptop = ConnectionId::random().expect("random numbers");
    let ada = viewer_of(laptop, "ada", &["red"], GroupRule::exact());
    let others = [
        to("bob"),
        Target::clients([client("bob"), client("cy")]),
        Target::group(group("blue")),
        Target::everybody().within(group("blue")),
        Target::everybody().except_client(client("ada")),
        to("ada").except_connection(laptop),
    ];
    for target in others.clone() {
        log.append_named("one", target);
    }
    log.assert_locates("one", &ada, None).await;
    let own = log.append_named("one", to("ada"));
    for target in others {
        log.append_named("one", target);
    }
    log.assert_locates("one", &ada, Some(own)).await;
    let bobs = viewer("bob", &[]);
    // The newest that is for bob is the one that leaves ada out.
    let newest = Position::new(HEAD.epoch(), log.newest().sequence() - 1);
    log.assert_locates("one", &bobs, Some(newest)).await;
}

pub(crate) async fn what_is_located_may_be_in_a_group_of_another_name(history: Subject) {
    let mut log = Log::begun(history);
    let wine = log.append_named("one", Target::group(group("red-wine")));
    log.append_named("one", Target::group(group("red")));
    log.append_named("one", Target::group(group("white-wine")));
    let ada = ruled("ada", &["red"], below());
    log.assert_locates("one", &ada, Some(wine)).await;
}

pub(crate) async fn what_is_no_longer_kept_is_not_located(history: Subject) {
    let mut log = Log::begun(history);
    for n in 0..MORE {
        log.append_named(&format!("n{n}"), to("ada"));
    }
    let ada = viewer("ada", &[]);
    let floor = log.bounds().await.floor;
    for n in (0..MORE).step_by(7) {
        let position = further(HEAD, 1 + n as u64);
        let kept = (position > floor).then_some(position);
        log.assert_locates(&format!("n{n}"), &ada, kept).await;
    }
}
