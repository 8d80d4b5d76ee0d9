//! The suite for a [`History`](sse_core::History) that is a [`Keep`].
//!
//! Each case begins an epoch and appends up to 1,000 events of up to 2 KiB, which the history has to
//! keep for a minute; those that are about eviction append more, and ask the history what of it is
//! left. Events are appended as if they had come from elsewhere, without a ticket, but where a router
//! does it; their time is that of the system's clock. The names of clients and groups are of letters,
//! digits and `-`.
//!
//! A viewer is in its groups from the beginning: only a hub makes one that came or went later, so
//! that no case has one.

mod cases;
mod rules;

use std::sync::Arc;

use sse_core::Keep;

use crate::{
    Violation,
    suite::{self, Make, suite},
};

suite! {
    of "History" for Arc<dyn Keep>;
    /// Stamps one test for each case of the suite for a [`History`](sse_core::History) into the
    /// module that it is used in.
    ///
    /// It takes an expression that makes a fresh history, which may await:
    ///
    /// ```
    /// #[cfg(test)]
    /// mod conformance {
    ///     sse_conformance::history_tests!(sse_core::MemoryHistory::default());
    /// }
    /// ```
    macro history_tests($make:expr) => history::check { || async { $make } };
    OneThread {
        a_client_sees_what_is_for_it: R1;
        a_client_sees_what_is_for_a_list_with_it: R1;
        a_member_sees_what_is_for_its_groups: R1;
        everybody_sees_what_is_for_everybody: R1;
        each_scope_can_be_narrowed_to_a_group: R1;
        a_connection_that_is_left_out_sees_nothing: R1;
        a_client_that_is_left_out_sees_nothing: R1;
        a_rule_may_cover_groups_of_other_names: R1;
        a_rule_need_not_cover_a_group_of_the_same_name: R1;
        events_for_different_targets_are_in_one_order: R1;
        an_event_is_seen_once_for_however_many_reasons: R1;
        a_page_begins_right_after_any_position: R1;
        a_page_has_the_frames_that_were_kept: R1;
        a_page_says_whom_its_events_were_for: R1;
        a_thousand_events_are_each_read_once: R1;
        small_pages_have_each_event_once: R1;
        an_empty_history_has_empty_pages: R2;
        a_page_without_events_says_how_far_it_looked: R2;
        a_page_with_events_says_how_far_it_looked: R2;
        a_page_that_is_cut_says_no_more_than_it_looked_at: R2;
        a_page_says_nothing_of_what_is_to_come: R2;
        a_page_at_the_newest_stays_there: R2;
        a_page_holds_no_more_events_than_its_limit: R3;
        a_page_holds_no_more_bytes_than_its_limit: R3;
        one_event_is_always_allowed: R3;
        what_came_before_the_floor_is_evicted: R4;
        what_more_events_pushed_out_is_evicted: R4;
        all_that_comes_after_the_floor_is_kept: R4;
        bounds_and_pages_say_the_same_floor: R4;
        a_position_of_another_epoch_is_refused: R5;
        another_epoch_is_told_with_the_floor: R5;
        a_position_after_the_newest_is_refused: R5;
        the_newest_position_is_not_ahead: R5;
        an_event_is_located_by_its_id: R7;
        of_several_events_of_an_id_the_newest_is_located: R7;
        only_what_the_viewer_sees_is_located: R7;
        what_is_located_may_be_in_a_group_of_another_name: R7;
        what_is_no_longer_kept_is_not_located: R7;
        the_last_so_many_are_counted_from_the_newest: R8;
        only_what_the_viewer_sees_is_counted: R8;
        fewer_than_so_many_begin_at_the_floor: R8;
        none_of_the_last_begin_at_the_newest: R8;
        what_was_published_since_begins_at_its_first: R8;
        since_before_the_first_begins_at_the_floor: R8;
        since_after_the_last_begins_at_the_newest: R8;
        an_append_that_returned_is_on_the_next_page: R9;
        bounds_count_what_was_appended: R9;
        begin_forgets_what_was_kept: R9;
        begin_forgets_what_could_be_located: R9;
        begin_makes_its_position_floor_and_newest: R9;
        what_comes_after_a_second_begin_is_kept: R9;
    }
    Threads {
        pages_beside_appends_have_each_event_once: R2;
        what_is_evicted_beside_pages_is_told: R4;
        what_a_router_delivered_is_found: R6;
    }
}

/// Runs one case; what [`history_tests!`](crate::history_tests) calls.
///
/// # Panics
///
/// The history breaks the rule, which the message names; or there is no such case.
#[track_caller]
pub fn check<K, F>(case: &str, make: impl Fn() -> F + Send + Sync + 'static)
where
    K: Keep,
    F: Future<Output = K> + 'static,
{
    suite::check_case(CASES, case, boxed(make));
}

/// Runs every case and returns what was found.
pub fn violations<K, F>(make: impl Fn() -> F + Send + Sync + 'static) -> Vec<Violation>
where
    K: Keep,
    F: Future<Output = K> + 'static,
{
    suite::violations_of(CASES, &boxed(make))
}

fn boxed<K, F>(make: impl Fn() -> F + Send + Sync + 'static) -> Make<Arc<dyn Keep>>
where
    K: Keep,
    F: Future<Output = K> + 'static,
{
    Arc::new(move || {
        let made = make();
        Box::pin(async { Arc::new(made.await) as Arc<dyn Keep> })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_rule_has_a_case() {
        let docs = include_str!("../../sse-core/src/docs/history.md");
        suite::assert_covers(docs, rules::ALL, CASES);
    }
}
