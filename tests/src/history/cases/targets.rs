//! Cases of whom kept events are for.

use sse_core::{ConnectionId, GroupRule, Target};

use super::support::{Log, Subject, below, client, group, ruled, to, viewer, viewer_of};

pub(crate) async fn a_client_sees_what_is_for_it(history: Subject) {
    let mut log = Log::begun(history);
    let first = log.append(to("ada"));
    log.append(to("bob"));
    log.append(to("adam"));
    let second = log.append(to("ada"));
    log.assert_sees(&viewer("ada", &[]), &[first, second]).await;
    log.assert_sees(&viewer("nobody", &["ada"]), &[]).await;
}

pub(crate) async fn a_client_sees_what_is_for_a_list_with_it(history: Subject) {
    let mut log = Log::begun(history);
    let list = |names: &[&str]| Target::clients(names.iter().map(|name| client(name)));
    let pair = log.append(list(&["ada", "bob"]));
    log.append(list(&[]));
    let other = log.append(list(&["cy", "bob"]));
    let all = log.append(list(&["dan", "cy", "ada", "bob"]));
    let alone = log.append(list(&["cy"]));
    log.assert_sees(&viewer("ada", &[]), &[pair, all]).await;
    log.assert_sees(&viewer("bob", &[]), &[pair, other, all])
        .await;
    log.assert_sees(&viewer("cy", &[]), &[other, all, alone])
        .await;
    log.assert_sees(&viewer("nobody", &[]), &[]).await;
}

pub(crate) async fn a_member_sees_what_is_for_its_groups(history: Subject) {
    let mut log = Log::begun(history);
    let red = log.append(Target::group(group("red")));
    let blue = log.append(Target::group(group("blue")));
    log.append(Target::group(group("reddish")));
    let again = log.append(Target::group(group("red")));
    log.assert_sees(&viewer("ada", &["red"]), &[red, again])
        .await;
    log.assert_sees(&viewer("ada", &["blue", "red"]), &[red, blue, again])
        .await;
    log.assert_sees(&viewer("red", &[]), &[]).await;
    log.assert_sees(&viewer("ada", &["green"]), &[]).await;
}

pub(crate) async fn everybody_sees_what_is_for_everybody(history: Subject) {
    let mut log = Log::begun(history);
    let all = log.append_many(3);
    for (name, groups) in [("ada", &[][..]), ("bob", &["red", "blue"])] {
        log.assert_sees(&viewer(name, groups), &all).await;
    }
}

pub(crate) async fn each_scope_can_be_narrowed_to_a_group(history: Subject) {
    let mut log = Log::begun(history);
    let (red, blue) = (group("red"), group("blue"));
    let own = log.append(to("ada").within(&red));
    let list = log.append(Target::clients([client("ada"), client("bob")]).within(&blue));
    let both = log.append(Target::group(&red).within(&blue));
    let all = log.append(Target::everybody().within(&red));
    log.assert_sees(&viewer("ada", &[]), &[]).await;
    log.assert_sees(&viewer("ada", &["red"]), &[own, all]).await;
    log.assert_sees(&viewer("bob", &["red"]), &[all]).await;
    log.assert_sees(&viewer("bob", &["blue"]), &[list]).await;
    log.assert_sees(&viewer("cy", &["blue", "red"]), &[both, all])
        .await;
    log.assert_sees(&viewer("ada", &["red", "blue"]), &[own, list, both, all])
        .await;
}

pub(crate) async fn a_connection_that_is_left_out_sees_nothing(history: Subject) {
    let mut log = Log::begun(history);
    let laptop = ConnectionId::random().expect("random numbers");
    let mut left_out = Vec::new();
    for target in [
        Target::everybody(),
        to("ada"),
        Target::clients([client("ada")]),
        Target::group(group("red")),
    ] {
        left_out.push(log.append(target.except_connection(laptop)));
    }
    let all = log.append(Target::everybody());
    let at_laptop = viewer_of(laptop, "ada", &["red"], GroupRule::exact());
    log.assert_sees(&at_laptop, &[all]).await;
    left_out.push(all);
    // A client's other connection gets what its first one sent.
    log.assert_sees(&viewer("ada", &["red"]), &left_out).await;
}

pub(crate) async fn a_client_that_is_left_out_sees_nothing(history: Subject) {
    let mut log = Log::begun(history);
    let but_ada = |target: Target| target.except_client(client("ada"));
    let mut others = vec![log.append(but_ada(Target::everybody()))];
    log.append(but_ada(to("ada")));
    for target in [
        Target::clients([client("ada"), client("bob")]),
        Target::group(group("red")),
        Target::everybody().within(group("red")),
    ] {
        others.push(log.append(but_ada(target)));
    }
    let all = log.append(Target::everybody());
    others.push(all);
    log.assert_sees(&viewer("ada", &["red"]), &[all]).await;
    log.assert_sees(&viewer("bob", &["red"]), &others).await;
}

pub(crate) async fn a_rule_may_cover_groups_of_other_names(history: Subject) {
    let mut log = Log::begun(history);
    let wine = log.append(Target::group(group("red-wine")));
    let ale = log.append(Target::group(group("red-ale")));
    log.append(Target::group(group("white-wine")));
    let narrowed = log.append(Target::everybody().within(group("red-wine")));
    log.append(to("ada").within(group("white-wine")));
    let again = log.append(Target::group(group("red-wine")));
    let ada = ruled("ada", &["red"], below());
    log.assert_sees(&ada, &[wine, ale, narrowed, again]).await;
    log.assert_sees(&viewer("ada", &["red"]), &[]).await;
    log.assert_sees(&viewer("ada", &["red-ale"]), &[ale]).await;
}

pub(crate) async fn a_rule_need_not_cover_a_group_of_the_same_name(history: Subject) {
    let mut log = Log::begun(history);
    log.append(Target::group(group("red")));
    log.append(to("ada").within(group("red")));
    let all = log.append(Target::everybody());
    log.assert_sees(&ruled("ada", &["red"], below()), &[all])
        .await;
}

pub(crate) async fn events_for_different_targets_are_in_one_order(history: Subject) {
    let mut log = Log::begun(history);
    let targets = [
        Target::everybody(),
        Target::group(group("red")),
        to("ada"),
        Target::clients([client("bob"), client("ada")]),
        Target::group(group("blue")),
    ];
    let mut expected = Vec::new();
    for round in 0..20 {
        for n in 0..targets.len() {
            expected.push(log.append(targets[(n * 2 + round) % targets.len()].clone()));
            log.append(to("cy"));
        }
    }
    log.assert_sees(&viewer("ada", &["blue", "red"]), &expected)
        .await;
}

pub(crate) async fn an_event_is_seen_once_for_however_many_reasons(history: Subject) {
    let mut log = Log::begun(history);
    let expected = [
        log.append(Target::group(group("red"))),
        log.append(Target::group(group("red-wine"))),
        log.append(to("ada").within(group("red"))),
        log.append(Target::clients([client("ada"), client("ada")])),
    ];
    // A group may be named twice, and several may cover one.
    let named_twice = viewer("ada", &["red", "red-wine", "red", "red"]);
    log.assert_sees(&named_twice, &expected).await;
    let begins =
        GroupRule::new(|joined, addressed| addressed.as_str().starts_with(joined.as_str()));
    let covered_twice = ruled("ada", &["r", "red", "red-wine"], begins);
    log.assert_sees(&covered_twice, &expected).await;
}
