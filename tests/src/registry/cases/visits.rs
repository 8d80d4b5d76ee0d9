//! Cases of whom a visit finds.

use std::{collections::HashMap, panic::resume_unwind, sync::Arc, thread};

use sse_core::{CloseReason, Connection, Predicate, Target};
use tokio::task::yield_now;

use super::support::{
    Subject, assert_stats, assert_visited, client, connection, group, insert, inserted, join,
    leave, remove, visited,
};

/// Enough that no list of a few will do for the connections of a client or a group.
const MANY: usize = 100;

pub(crate) async fn a_client_is_each_of_its_connections(registry: Subject) {
    let mut devices = Vec::new();
    for _ in 0..MANY {
        devices.push(inserted(&registry, "ada", &[]).await);
    }
    inserted(&registry, "adam", &["ada"]).await;
    let all: Vec<_> = devices.iter().collect();
    assert_visited(&registry, &Target::client(client("ada")), &all);
    assert_visited(&registry, &Target::client(client("nobody")), &[]);
}

pub(crate) async fn clients_are_each_of_their_connections(registry: Subject) {
    let laptop = inserted(&registry, "ada", &[]).await;
    let phone = inserted(&registry, "ada", &[]).await;
    let bob = inserted(&registry, "bob", &[]).await;
    let cy = inserted(&registry, "cy", &[]).await;
    let names = |names: &[&str]| Target::clients(names.iter().map(|name| client(name)));
    let some = names(&["bob", "nobody", "ada"]);
    assert_visited(&registry, &some, &[&laptop, &phone, &bob]);
    assert_visited(&registry, &names(&["cy"]), &[&cy]);
    assert_visited(&registry, &names(&[]), &[]);
}

pub(crate) async fn a_connection_is_itself_alone(registry: Subject) {
    let laptop = inserted(&registry, "ada", &["red"]).await;
    inserted(&registry, "ada", &["red"]).await;
    let stranger = connection("ada", &["red"]);
    assert_visited(&registry, &Target::connection(laptop.id()), &[&laptop]);
    assert_visited(&registry, &Target::connection(stranger.id()), &[]);
}

pub(crate) async fn a_group_is_its_members(registry: Subject) {
    let mut members = Vec::new();
    for n in 0..MANY {
        members.push(inserted(&registry, &format!("c{n}"), &["red", "all"]).await);
        inserted(&registry, &format!("c{n}"), &["blue"]).await;
    }
    inserted(&registry, "red", &["reddish"]).await;
    let red: Vec<_> = members.iter().collect();
    assert_visited(&registry, &Target::group(group("red")), &red);
    assert_visited(&registry, &Target::group(group("nobodys")), &[]);
}

pub(crate) async fn everybody_is_everybody(registry: Subject) {
    assert_visited(&registry, &Target::everybody(), &[]);
    let mut connections = Vec::new();
    for n in 0..MANY {
        let groups: &[&str] = if n % 2 == 0 { &[] } else { &["red", "blue"] };
        connections.push(inserted(&registry, &format!("c{}", n % 7), groups).await);
    }
    let all: Vec<_> = connections.iter().collect();
    assert_visited(&registry, &Target::everybody(), &all);
}

pub(crate) async fn each_scope_can_be_narrowed_to_a_group(registry: Subject) {
    let both = inserted(&registry, "ada", &["red", "blue"]).await;
    let red = inserted(&registry, "ada", &["red"]).await;
    let bob = inserted(&registry, "bob", &["blue"]).await;
    let (in_red, in_blue) = (group("red"), group("blue"));
    let names = [client("ada"), client("bob")];
    let all = Target::matching(Predicate::new(|_| true));
    let expected: [(Target, &[&Arc<Connection>]); 9] = [
        (Target::client(client("ada")).within(&in_blue), &[&both]),
        (Target::client(client("bob")).within(&in_red), &[]),
        (Target::clients(names).within(&in_red), &[&both, &red]),
        (Target::connection(both.id()).within(&in_blue), &[&both]),
        (Target::connection(red.id()).within(&in_blue), &[]),
        (Target::group(&in_red).within(&in_blue), &[&both]),
        (Target::everybody().within(&in_blue), &[&both, &bob]),
        (all.within(&in_red), &[&both, &red]),
        (Target::everybody().within(group("nobodys")), &[]),
    ];
    for (target, expected) in expected {
        assert_visited(&registry, &target, expected);
    }
}

pub(crate) async fn nobody_is_visited_twice(registry: Subject) {
    let ada = inserted(&registry, "ada", &["red", "blue", "green"]).await;
    join(&registry, &ada, "red").await;
    for target in [
        Target::everybody(),
        Target::client(client("ada")),
        Target::clients([client("ada"), client("bob")]),
        Target::clients([client("ada"), client("bob")]).within(group("red")),
        Target::connection(ada.id()),
        Target::group(group("red")),
        Target::group(group("red")).within(group("blue")),
        Target::everybody().within(group("green")),
        Target::matching(Predicate::new(|_| true)),
    ] {
        let times = visited(&registry, &target).len();
        assert!(
            times <= 1,
            "{target:?} visited one connection {times} times"
        );
    }
}

pub(crate) async fn a_predicate_is_the_hubs_to_ask(registry: Subject) {
    let ada = inserted(&registry, "ada", &["red"]).await;
    let bob = inserted(&registry, "bob", &[]).await;
    let nobody = Target::matching(Predicate::new(|_| false));
    assert_visited(&registry, &nobody, &[&ada, &bob]);
    assert_visited(&registry, &nobody.within(group("red")), &[&ada]);
}

pub(crate) async fn whom_to_leave_out_is_the_hubs_to_see_to(registry: Subject) {
    let ada = inserted(&registry, "ada", &["red"]).await;
    let bob = inserted(&registry, "bob", &["red"]).await;
    for target in [Target::everybody(), Target::group(group("red"))] {
        let but_ada = target.clone().except_connection(ada.id());
        assert_visited(&registry, &but_ada, &[&ada, &bob]);
        let but_bob = target.except_client(client("bob"));
        assert_visited(&registry, &but_bob, &[&ada, &bob]);
    }
}

pub(crate) async fn a_visit_needs_no_runtime(registry: Subject) {
    let ada = inserted(&registry, "ada", &["red"]).await;
    let elsewhere = Arc::clone(&registry);
    let visit = thread::spawn(move || {
        let target = Target::group(group("red"));
        (visited(&elsewhere, &target), elsewhere.stats().connections)
    });
    let found = visit.join().unwrap_or_else(|panic| resume_unwind(panic));
    assert_eq!(found, (vec![ada.id()], 1));
}

pub(crate) async fn a_visit_changes_nothing(registry: Subject) {
    let closed = inserted(&registry, "ada", &["red"]).await;
    let open = inserted(&registry, "bob", &["red"]).await;
    // Whom to take out is for the hub to say.
    closed.sink().close(CloseReason::ClientGone);
    for _ in 0..3 {
        for target in [Target::everybody(), Target::group(group("red"))] {
            assert_visited(&registry, &target, &[&closed, &open]);
        }
    }
    assert_stats(&registry, 2, 2, 1);
}

pub(crate) async fn the_group_rule_says_whom_a_visit_finds(registry: Subject) {
    const NAMES: [&str; 3] = ["red", "green", "blue"];
    for joined in NAMES {
        let member = inserted(&registry, joined, &[]).await;
        join(&registry, &member, joined).await;
        let rule = registry.group_rule();
        for addressed in NAMES {
            let found = visited(&registry, &Target::group(group(addressed)));
            let (found, covers) = (
                found.contains(&member.id()),
                rule.covers(&group(joined), &group(addressed)),
            );
            assert_eq!(
                covers, found,
                "whether a member of {joined} gets what is for {addressed}"
            );
        }
    }
}

pub(crate) async fn a_visit_beside_changes_sees_each_once(registry: Subject) {
    let mut steady = Vec::new();
    for n in 0..20 {
        steady.push(inserted(&registry, &format!("steady{n}"), &["red"]).await);
    }
    let changes = ["guest0", "guest1"].map(|guest| {
        let registry = Arc::clone(&registry);
        tokio::spawn(async move {
            for _ in 0..200 {
                let comes_and_goes = connection(guest, &["red"]);
                insert(&registry, &comes_and_goes).await;
                assert!(
                    join(&registry, &comes_and_goes, "blue").await,
                    "it was a member"
                );
                assert!(
                    leave(&registry, &comes_and_goes, "red").await,
                    "it was no member"
                );
                remove(&registry, &comes_and_goes).await;
                yield_now().await;
            }
        })
    });
    let targets = [
        Target::everybody(),
        Target::group(group("red")),
        Target::everybody().within(group("red")),
        Target::clients((0..20).map(|n| client(&format!("steady{n}")))),
    ];
    while changes.iter().any(|changing| !changing.is_finished()) {
        for target in &targets {
            let mut times: HashMap<_, usize> = HashMap::new();
            registry.visit(target, &mut |c| *times.entry(c.id()).or_default() += 1);
            let twice = times.values().any(|times| *times > 1);
            assert!(!twice, "{target:?} visited a connection twice");
            let missed = steady.iter().find(|c| !times.contains_key(&c.id()));
            assert!(
                missed.is_none(),
                "{target:?} missed {missed:?}, which nobody changed"
            );
        }
        yield_now().await;
    }
    for changing in changes {
        changing.await.expect("changes work beside visits");
    }
    let left = visited(&registry, &Target::everybody()).len();
    assert_eq!(left, steady.len(), "connections are left over");
}
