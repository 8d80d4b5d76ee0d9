//! Histories that break a rule each: the one in the box, with one thing done wrong.

mod broken;
mod pages;
mod questions;

use sse_conformance::history::violations;

use self::broken::Broken;
use crate::mutants::report::{assert_caught, faults};

faults! {
    /// What a history does wrong.
    enum Fault;
    TakesPrefixesForTheClient: R1 a_client_sees_what_is_for_it;
    KnowsTheFirstOfAListAlone: R1 a_client_sees_what_is_for_a_list_with_it
        + each_scope_can_be_narrowed_to_a_group
        + a_client_that_is_left_out_sees_nothing;
    TakesPrefixesForTheGroup: R1 a_member_sees_what_is_for_its_groups
        + a_rule_may_cover_groups_of_other_names
        + only_what_the_viewer_sees_is_counted;
    TakesAGroupForAClient: R1 a_member_sees_what_is_for_its_groups;
    MissesEverybodyInTwoGroups: R1 everybody_sees_what_is_for_everybody
        + each_scope_can_be_narrowed_to_a_group
        + events_for_different_targets_are_in_one_order;
    ForgetsTheGroupWithin: R1 each_scope_can_be_narrowed_to_a_group
        + a_rule_may_cover_groups_of_other_names
        + a_rule_need_not_cover_a_group_of_the_same_name
        + only_what_the_viewer_sees_is_counted;
    LeavesNoConnectionOut: R1 a_connection_that_is_left_out_sees_nothing;
    LeavesNoClientOut: R1 a_client_that_is_left_out_sees_nothing
        + a_thousand_events_are_each_read_once
        + small_pages_have_each_event_once;
    LooksGroupsUpByExactName: R1 a_rule_may_cover_groups_of_other_names
        + only_what_the_viewer_sees_is_counted;
    CoversTheSameNameToo: R1 a_rule_need_not_cover_a_group_of_the_same_name
        + only_what_the_viewer_sees_is_counted;
    OrdersByTarget: R1 events_for_different_targets_are_in_one_order
        + a_thousand_events_are_each_read_once;
    RepeatsForEachGroup: R1 an_event_is_seen_once_for_however_many_reasons
        + each_scope_can_be_narrowed_to_a_group;
    BeginsEarlyWhereNoEventIs: R1 a_page_begins_right_after_any_position;
    KeepsTheDataAlone: R1 a_page_has_the_frames_that_were_kept;
    SaysThatAllWasForEverybody: R1 a_page_says_whom_its_events_were_for;
    SkipsOneOfMany: R1 a_thousand_events_are_each_read_once
        + all_that_comes_after_the_floor_is_kept;
    RepeatsOneOfMany: R1 a_thousand_events_are_each_read_once
        + all_that_comes_after_the_floor_is_kept;
    SwapsTwoOfMany: R1 a_thousand_events_are_each_read_once
        + all_that_comes_after_the_floor_is_kept;
    LosesOneAtACut: R1 small_pages_have_each_event_once
        + a_page_that_is_cut_says_no_more_than_it_looked_at
        + pages_beside_appends_have_each_event_once;
    LooksNowhereWhereNothingIs: R2 an_empty_history_has_empty_pages;
    SaysNothingOfEmptyPages: R2 a_page_without_events_says_how_far_it_looked
        + a_page_with_events_says_how_far_it_looked
        + a_page_says_nothing_of_what_is_to_come
        + pages_beside_appends_have_each_event_once;
    StaysWhereItBegan: R2 a_page_with_events_says_how_far_it_looked
        + small_pages_have_each_event_once
        + a_page_says_nothing_of_what_is_to_come
        + pages_beside_appends_have_each_event_once;
    SaysTheNewestThoughItIsCut: R2 a_page_that_is_cut_says_no_more_than_it_looked_at
        + small_pages_have_each_event_once
        + pages_beside_appends_have_each_event_once;
    LooksPastTheNewest: R2 a_page_says_nothing_of_what_is_to_come
        + an_empty_history_has_empty_pages
        + a_page_without_events_says_how_far_it_looked
        + a_page_with_events_says_how_far_it_looked
        + a_page_at_the_newest_stays_there
        + pages_beside_appends_have_each_event_once;
    LooksToWhatCameMeanwhile: R2 pages_beside_appends_have_each_event_once;
    KnowsNoLimitOfEvents: R3 a_page_holds_no_more_events_than_its_limit
        + small_pages_have_each_event_once
        + one_event_is_always_allowed;
    HoldsOneMore: R3 a_page_holds_no_more_events_than_its_limit
        + small_pages_have_each_event_once;
    KnowsNoLimitOfBytes: R3 a_page_holds_no_more_bytes_than_its_limit
        + one_event_is_always_allowed;
    GoesOverItsBytes: R3 a_page_holds_no_more_bytes_than_its_limit
        + one_event_is_always_allowed;
    HoldsNothingTooLarge: R3 one_event_is_always_allowed
        + small_pages_have_each_event_once;
    HoldsNoneOfNone: R3 one_event_is_always_allowed;
    ReturnsWhatIsLeft: R4 what_came_before_the_floor_is_evicted
        + what_more_events_pushed_out_is_evicted
        + all_that_comes_after_the_floor_is_kept
        + bounds_and_pages_say_the_same_floor
        + what_is_evicted_beside_pages_is_told;
    ForgetsThatItBegan: R4 what_came_before_the_floor_is_evicted
        + bounds_and_pages_say_the_same_floor;
    ForgetsWhatItEvicted: R4 what_more_events_pushed_out_is_evicted
        + all_that_comes_after_the_floor_is_kept
        + what_is_evicted_beside_pages_is_told;
    IsEvictedAtItsFloor: R4 all_that_comes_after_the_floor_is_kept
        + bounds_and_pages_say_the_same_floor
        + what_is_evicted_beside_pages_is_told;
    LosesTheOldest: R4 all_that_comes_after_the_floor_is_kept
        + what_is_evicted_beside_pages_is_told;
    TakesTheOldestForTheFloor: R4 bounds_and_pages_say_the_same_floor;
    BoundsNothing: R4 bounds_and_pages_say_the_same_floor
        + another_epoch_is_told_with_the_floor
        + what_is_no_longer_kept_is_not_located
        + fewer_than_so_many_begin_at_the_floor
        + since_before_the_first_begins_at_the_floor;
    KnowsNoEpoch: R5 a_position_of_another_epoch_is_refused
        + begin_forgets_what_was_kept;
    TellsOfAnEpochWithoutItsFloor: R5 another_epoch_is_told_with_the_floor
        + begin_forgets_what_was_kept;
    IsNeverAhead: R5 a_position_after_the_newest_is_refused;
    IsAheadAtTheNewest: R5 the_newest_position_is_not_ahead
        + an_empty_history_has_empty_pages
        + a_page_says_nothing_of_what_is_to_come
        + a_page_at_the_newest_stays_there
        + all_that_comes_after_the_floor_is_kept
        + begin_forgets_what_was_kept
        + pages_beside_appends_have_each_event_once;
    KeepsNothingOfItsOwnNode: R6 what_a_router_delivered_is_found;
    LosesWhatComesBesideAPage: R6 what_a_router_delivered_is_found
        + pages_beside_appends_have_each_event_once
        + what_is_evicted_beside_pages_is_told;
    IgnoresTheCaseOfIds: R7 an_event_is_located_by_its_id;
    LocatesTheOldest: R7 of_several_events_of_an_id_the_newest_is_located
        + only_what_the_viewer_sees_is_located;
    LocatesWhatIsForOthers: R7 only_what_the_viewer_sees_is_located
        + what_is_located_may_be_in_a_group_of_another_name;
    LocatesByExactName: R7 what_is_located_may_be_in_a_group_of_another_name;
    LocatesWhatIsGone: R7 what_is_no_longer_kept_is_not_located;
    BeginsOneTooLate: R8 the_last_so_many_are_counted_from_the_newest
        + only_what_the_viewer_sees_is_counted
        + what_comes_after_a_second_begin_is_kept;
    BeginsOneTooEarly: R8 the_last_so_many_are_counted_from_the_newest
        + only_what_the_viewer_sees_is_counted
        + what_comes_after_a_second_begin_is_kept;
    CountsWhatIsForOthers: R8 only_what_the_viewer_sees_is_counted
        + fewer_than_so_many_begin_at_the_floor;
    CountsByExactName: R8 only_what_the_viewer_sees_is_counted;
    SaysTheNewestForFewer: R8 fewer_than_so_many_begin_at_the_floor;
    SaysTheFloorForNone: R8 none_of_the_last_begin_at_the_newest;
    ForgetsWhenItWas: R8 what_was_published_since_begins_at_its_first
        + since_after_the_last_begins_at_the_newest;
    BeginsAtTheFirstSince: R8 what_was_published_since_begins_at_its_first
        + since_before_the_first_begins_at_the_floor;
    SaysWhereItBeganForAll: R8 since_before_the_first_begins_at_the_floor;
    SaysTheFloorSinceTheLast: R8 since_after_the_last_begins_at_the_newest;
    ShowsAnAppendLater: R9 an_append_that_returned_is_on_the_next_page
        + a_page_says_nothing_of_what_is_to_come
        + the_newest_position_is_not_ahead
        + since_after_the_last_begins_at_the_newest;
    CountsOneLess: R9 bounds_count_what_was_appended;
    LosesTheHundredth: R9 what_comes_after_a_second_begin_is_kept
        + pages_beside_appends_have_each_event_once;
    BeginsOnce: R9 begin_forgets_what_was_kept
        + begin_forgets_what_could_be_located
        + begin_makes_its_position_floor_and_newest
        + what_comes_after_a_second_begin_is_kept
        + pages_beside_appends_have_each_event_once;
    ShowsWhatItForgot: R9 begin_forgets_what_was_kept
        + what_comes_after_a_second_begin_is_kept
        + pages_beside_appends_have_each_event_once;
    LocatesWhatItForgot: R9 begin_forgets_what_could_be_located;
    BeginsAgainAtZero: R9 begin_makes_its_position_floor_and_newest
        + begin_forgets_what_was_kept
        + what_comes_after_a_second_begin_is_kept;
    CountsWhatItForgot: R9 begin_makes_its_position_floor_and_newest;
}

/// How many are tried at a time: so few that none has to wait long for its threads.
const AT_ONCE: usize = 4;

#[test]
fn every_broken_history_is_found_out() {
    let run = |fault| violations(move || async move { Broken::new(Some(fault)) });
    assert_caught(
        "History",
        Fault::ALL,
        AT_ONCE,
        run,
        &["R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9"],
    );
}

/// It keeps what a history has to keep and no more: the cases about eviction have something to
/// look at.
#[test]
fn the_history_that_the_mutants_are_made_of_breaks_nothing() {
    assert_eq!(violations(|| async { Broken::new(None) }), []);
}
