//! Cases of what changes a registry, and of its counts.

use std::sync::Arc;

use sse_core::{RegistryError, RegistryStats, Target};
use tokio::task::yield_now;

use super::support::{
    Subject, assert_stats, assert_visited, client, connection, connection_of_id, group, insert,
    insert_unless_there, inserted, join, leave, poll_and_drop, remove, visited,
};

pub(crate) async fn an_inserted_connection_is_visited(registry: Subject) {
    let ada = inserted(&registry, "ada", &[]).await;
    assert_visited(&registry, &Target::everybody(), &[&ada]);
    assert_visited(&registry, &Target::client(client("ada")), &[&ada]);
    assert_visited(&registry, &Target::connection(ada.id()), &[&ada]);
    registry.visit(&Target::everybody(), &mut |found| {
        assert!(
            Arc::ptr_eq(found, &ada),
            "it isn't the one that was inserted"
        );
    });
}

pub(crate) async fn a_connection_brings_its_groups_along(registry: Subject) {
    const GROUPS: [&str; 3] = ["red", "blue", "green"];
    let ada = inserted(&registry, "ada", &GROUPS).await;
    for name in GROUPS {
        assert_visited(&registry, &Target::group(group(name)), &[&ada]);
    }
    assert_visited(&registry, &Target::group(group("grey")), &[]);
}

pub(crate) async fn a_second_insert_is_refused(registry: Subject) {
    let ada = inserted(&registry, "ada", &["red"]).await;
    for again in [Arc::clone(&ada), connection_of_id(ada.id(), "bob", &[])] {
        let refused = registry.insert(again).await;
        assert!(
            matches!(refused, Err(RegistryError::Exists(id)) if id == ada.id()),
            "it answered {refused:?}"
        );
    }
}

pub(crate) async fn a_refused_insert_changes_nothing(registry: Subject) {
    let ada = inserted(&registry, "ada", &["red"]).await;
    let other = connection_of_id(ada.id(), "bob", &["blue"]);
    for again in [Arc::clone(&ada), other] {
        // Whether it is refused is another case.
        drop(registry.insert(again).await);
        assert_visited(&registry, &Target::client(client("ada")), &[&ada]);
        assert_visited(&registry, &Target::group(group("red")), &[&ada]);
        assert_visited(&registry, &Target::client(client("bob")), &[]);
        assert_visited(&registry, &Target::group(group("blue")), &[]);
    }
}

pub(crate) async fn remove_returns_what_insert_took(registry: Subject) {
    let ada = inserted(&registry, "ada", &["red"]).await;
    inserted(&registry, "bob", &["red"]).await;
    let removed = registry.remove(ada.id()).await.expect("remove works");
    let removed = removed.expect("what was inserted is returned");
    assert!(
        Arc::ptr_eq(&removed, &ada),
        "it returned another connection"
    );
    let again = registry.remove(ada.id()).await.expect("remove works");
    assert!(again.is_none(), "it returned a connection twice");
    let stranger = connection("cy", &[]).id();
    let none = registry.remove(stranger).await.expect("remove works");
    assert!(none.is_none(), "it returned one that was never there");
}

pub(crate) async fn a_removed_connection_is_not_visited(registry: Subject) {
    let ada = inserted(&registry, "ada", &["red"]).await;
    let bob = inserted(&registry, "bob", &["red"]).await;
    join(&registry, &ada, "blue").await;
    remove(&registry, &ada).await;
    assert_visited(&registry, &Target::everybody(), &[&bob]);
    assert_visited(&registry, &Target::connection(ada.id()), &[]);
    assert_visited(&registry, &Target::client(client("ada")), &[]);
    assert_visited(&registry, &Target::group(group("red")), &[&bob]);
    assert_visited(&registry, &Target::group(group("blue")), &[]);
}

pub(crate) async fn the_last_connection_takes_its_client_along(registry: Subject) {
    let laptop = inserted(&registry, "ada", &[]).await;
    let phone = inserted(&registry, "ada", &[]).await;
    remove(&registry, &laptop).await;
    assert_eq!(
        clients(&registry),
        1,
        "clients, one connection of one is left"
    );
    remove(&registry, &phone).await;
    assert_eq!(clients(&registry), 0, "clients, no connection is left");
}

pub(crate) async fn the_last_member_takes_its_group_along(registry: Subject) {
    let ada = inserted(&registry, "ada", &["red"]).await;
    let bob = inserted(&registry, "bob", &["red"]).await;
    join(&registry, &bob, "blue").await;
    remove(&registry, &ada).await;
    assert_eq!(groups(&registry), 2, "groups, each has a member");
    leave(&registry, &bob, "blue").await;
    assert_eq!(
        groups(&registry),
        1,
        "groups, the last member has left one of two"
    );
    remove(&registry, &bob).await;
    assert_eq!(groups(&registry), 0, "groups, nobody is there");
}

fn clients(registry: &Subject) -> usize {
    registry.stats().clients
}

fn groups(registry: &Subject) -> usize {
    registry.stats().groups
}

pub(crate) async fn a_removed_connection_can_come_back(registry: Subject) {
    let ada = inserted(&registry, "ada", &["red"]).await;
    remove(&registry, &ada).await;
    insert(&registry, &ada).await;
    assert_visited(&registry, &Target::everybody(), &[&ada]);
    assert_visited(&registry, &Target::client(client("ada")), &[&ada]);
    assert_visited(&registry, &Target::group(group("red")), &[&ada]);
}

pub(crate) async fn join_and_leave_tell_what_they_changed(registry: Subject) {
    let ada = inserted(&registry, "ada", &["red"]).await;
    for (name, member) in [("red", true), ("blue", false)] {
        let joined = join(&registry, &ada, name).await;
        assert_eq!(joined, !member, "joining {name} changed something");
        assert!(
            !join(&registry, &ada, name).await,
            "joining {name} twice changed something"
        );
        assert!(
            leave(&registry, &ada, name).await,
            "leaving {name} changed nothing"
        );
        assert!(
            !leave(&registry, &ada, name).await,
            "leaving {name} twice changed something"
        );
    }
}

pub(crate) async fn a_stranger_can_neither_join_nor_leave(registry: Subject) {
    inserted(&registry, "ada", &["red"]).await;
    let stranger = connection("bob", &["red"]).id();
    let joined = registry.join(stranger, group("red")).await;
    let left = registry.leave(stranger, &group("red")).await;
    for (what, answer) in [("join", joined), ("leave", left)] {
        assert!(
            matches!(answer, Err(RegistryError::Unknown(id)) if id == stranger),
            "{what} answered {answer:?}"
        );
    }
}

pub(crate) async fn a_join_that_returned_is_in_effect(registry: Subject) {
    let ada = inserted(&registry, "ada", &[]).await;
    let bob = inserted(&registry, "bob", &[]).await;
    for (joins, members) in [(&ada, vec![&ada]), (&bob, vec![&ada, &bob])] {
        join(&registry, joins, "red").await;
        assert_visited(&registry, &Target::group(group("red")), &members);
    }
}

pub(crate) async fn a_leave_that_returned_is_in_effect(registry: Subject) {
    let ada = inserted(&registry, "ada", &["red", "blue"]).await;
    let bob = inserted(&registry, "bob", &["red"]).await;
    // Who joins again is no second member.
    join(&registry, &ada, "red").await;
    leave(&registry, &ada, "red").await;
    assert_visited(&registry, &Target::group(group("red")), &[&bob]);
    assert_visited(&registry, &Target::group(group("blue")), &[&ada]);
    assert_visited(&registry, &Target::client(client("ada")), &[&ada]);
    leave(&registry, &bob, "red").await;
    assert_visited(&registry, &Target::group(group("red")), &[]);
}

pub(crate) async fn a_change_is_of_one_connection_alone(registry: Subject) {
    let laptop = inserted(&registry, "ada", &[]).await;
    let phone = inserted(&registry, "ada", &["blue"]).await;
    let (red, blue) = (Target::group(group("red")), Target::group(group("blue")));
    join(&registry, &laptop, "red").await;
    assert_visited(&registry, &red, &[&laptop]);
    join(&registry, &phone, "red").await;
    leave(&registry, &laptop, "red").await;
    assert_visited(&registry, &red, &[&phone]);
    remove(&registry, &laptop).await;
    assert_visited(&registry, &red, &[&phone]);
    assert_visited(&registry, &blue, &[&phone]);
}

pub(crate) async fn what_a_connection_joined_goes_with_it(registry: Subject) {
    let blue = Target::group(group("blue"));
    let ada = inserted(&registry, "ada", &[]).await;
    join(&registry, &ada, "blue").await;
    remove(&registry, &ada).await;
    assert_visited(&registry, &blue, &[]);
    assert_eq!(
        groups(&registry),
        0,
        "groups, their only member was removed"
    );
    insert(&registry, &ada).await;
    assert_visited(&registry, &blue, &[]);
    assert!(
        join(&registry, &ada, "blue").await,
        "who came back isn't in the group yet"
    );
}

pub(crate) async fn a_group_is_told_by_its_exact_name(registry: Subject) {
    let ada = inserted(&registry, "ada", &["red"]).await;
    for name in ["Red", "re", "red-", "r-e-d"] {
        assert!(
            join(&registry, &ada, name).await,
            "ada was not in {name}, only in red"
        );
    }
    assert!(leave(&registry, &ada, "Red").await, "ada was in Red");
}

pub(crate) async fn stats_count_what_is_there(registry: Subject) {
    assert_stats(&registry, 0, 0, 0);
    let laptop = inserted(&registry, "ada", &["red", "blue"]).await;
    inserted(&registry, "ada", &["red"]).await;
    let bob = inserted(&registry, "bob", &[]).await;
    assert_stats(&registry, 3, 2, 2);
    join(&registry, &bob, "green").await;
    assert_stats(&registry, 3, 2, 3);
    leave(&registry, &laptop, "red").await;
    assert_stats(&registry, 3, 2, 3);
    // Neither takes the last of a client or of a group: what becomes of those is another case.
    join(&registry, &bob, "blue").await;
    remove(&registry, &laptop).await;
    assert_stats(&registry, 2, 2, 3);
}

pub(crate) async fn a_dropped_change_is_whole_or_nothing(registry: Subject) {
    for polls in 0..16 {
        let ada = connection("ada", &["red", "blue"]);
        poll_and_drop(registry.insert(Arc::clone(&ada)), polls);
        if !settled(&registry, "insert", polls).await {
            insert_unless_there(&registry, &ada).await;
        }
        poll_and_drop(registry.join(ada.id(), group("green")), polls);
        settled(&registry, "join", polls).await;
        join(&registry, &ada, "green").await;
        poll_and_drop(registry.leave(ada.id(), &group("green")), polls);
        settled(&registry, "leave", polls).await;
        poll_and_drop(registry.remove(ada.id()), polls);
        if settled(&registry, "remove", polls).await {
            remove(&registry, &ada).await;
        }
    }
}

/// Whether ada is there: as her client, in both of her groups and in the counts, or in none.
///
/// Who makes changes in a task or on a thread may still have this one before it: then she is where
/// she was, and the next change comes behind it.
async fn settled(registry: &Subject, change: &str, polls: usize) -> bool {
    let mut seen = Seen::of(registry);
    loop {
        // What the change has left to others gets its turn.
        yield_now().await;
        let again = Seen::of(registry);
        // A look takes several visits, and the whole change may come between two of them.
        if seen == again {
            break;
        }
        seen = again;
    }
    let there = seen.there;
    let wanted = RegistryStats {
        connections: there,
        clients: there,
        groups: 2 * there + seen.green,
    };
    assert!(
        (seen.as_client, seen.red, seen.blue, seen.stats) == (there, there, there, wanted),
        "{change}, dropped after {polls} polls, is done by halves: {seen:?}, where stats should be \
         {wanted:?}"
    );
    there > 0
}

/// In how many places visits find ada, and what the counts say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    there: usize,
    as_client: usize,
    red: usize,
    blue: usize,
    green: usize,
    stats: RegistryStats,
}

impl Seen {
    fn of(registry: &Subject) -> Self {
        let found = |target| visited(registry, &target).len();
        let [red, blue, green] =
            ["red", "blue", "green"].map(|name| found(Target::group(group(name))));
        Self {
            there: found(Target::everybody()),
            as_client: found(Target::client(client("ada"))),
            red,
            blue,
            green,
            stats: registry.stats(),
        }
    }
}
