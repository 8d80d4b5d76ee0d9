//! The suite for a [`Router`].
//!
//! A router may deliver before or after it answers, and may keep events or not: what is said of
//! positions holds where there are any.

mod cases;
mod rules;

use std::sync::Arc;

use sse_core::Router;

use crate::{
    Violation,
    suite::{self, Make, suite},
};

suite! {
    of "Router" for Arc<dyn Router>;
    /// Stamps one test for each case of the suite for a [`Router`](sse_core::Router) into the
    /// module that it is used in.
    ///
    /// It takes an expression that makes a fresh router, which may await:
    ///
    /// ```
    /// #[cfg(test)]
    /// mod conformance {
    ///     sse_conformance::router_tests!(sse_core::LocalRouter::default());
    /// }
    /// ```
    macro router_tests($make:expr) => router::check { || async { $make } };
    OneThread {
        publishing_before_start_is_refused: R1;
        what_was_refused_before_start_leaves_no_trace: R1;
        a_repeated_start_changes_nothing: R1;
        a_start_dropped_midway_can_be_repeated: R1;
        another_hub_is_refused: R1;
        a_refused_hub_gets_nothing: R1;
        positions_come_after_the_head: R1;
        positions_come_after_every_head: R1;
        each_publication_has_an_answer: R2;
        an_empty_batch_has_an_empty_answer: R2;
        a_batch_has_consecutive_positions: R2;
        a_duplicate_leaves_no_hole: R2;
        a_transient_event_leaves_no_hole: R2;
        a_transient_event_has_no_position: R2;
        each_is_delivered_once: R3;
        the_order_is_that_of_publishing: R3;
        a_batch_is_delivered_in_one_call: R3;
        a_batch_is_delivered_in_its_order: R3;
        positions_only_rise: R3;
        two_at_once_are_in_the_order_of_positions: R3;
        the_answers_positions_are_the_delivered_ones: R3;
        frames_are_the_events_that_were_published: R3;
        targets_are_those_that_were_published: R3;
        tickets_come_along: R3;
        a_dropped_publication_is_whole_or_nothing: R4;
        a_dropped_publication_uses_its_key_up_only_if_delivered: R4;
        what_aborted_tasks_published_is_whole: R4;
        a_repeated_key_is_not_delivered: R7;
        a_duplicate_has_the_firsts_position: R7;
        a_key_counts_in_its_own_batch: R7;
        a_key_is_one_for_its_target_only: R7;
        without_the_same_key_nothing_is_a_duplicate: R7;
        nothing_is_lost_without_a_cause: R8;
        after_shutdown_publishing_is_closed: R9;
        after_shutdown_starting_is_closed: R9;
        what_is_underway_at_a_shutdown_is_delivered_or_closed: R9;
        a_second_shutdown_returns: R9;
        a_shutdown_needs_no_start: R9;
    }
    Threads {
        a_full_router_refuses_a_batch_as_a_whole: R2;
        what_try_publish_took_stays_in_order: R3;
        one_call_is_made_at_a_time: R3;
        many_at_once_are_in_one_order: R3;
        a_publication_dropped_in_line_is_whole_or_nothing: R4;
        an_answer_need_not_be_awaited: R4;
        a_woken_reader_may_try_to_publish: R5;
        a_woken_reader_may_publish: R5;
        a_delivery_may_publish: R5;
        debug_waits_for_no_delivery: R5;
        a_full_router_is_busy: R6;
        what_was_refused_as_busy_leaves_no_trace: R6;
        publish_waits_for_its_turn: R6;
        who_waits_for_a_turn_blocks_no_thread: R6;
        try_publish_needs_no_runtime: R6;
        a_refused_publication_uses_no_key_up: R7;
        of_two_at_once_one_is_a_duplicate: R7;
        shutdown_returns_when_all_is_delivered: R9;
        a_shutdown_waits_for_the_delivery_that_is_made: R9;
        a_shutdown_that_is_dropped_has_closed: R9;
        a_repeated_shutdown_waits_too: R9;
        publishing_beside_a_shutdown_is_delivered_or_closed: R9;
    }
}

/// Runs one case; what [`router_tests!`](crate::router_tests) calls.
///
/// # Panics
///
/// The router breaks the rule, which the message names; or there is no such case.
#[track_caller]
pub fn check<R, F>(case: &str, make: impl Fn() -> F + Send + Sync + 'static)
where
    R: Router,
    F: Future<Output = R> + 'static,
{
    suite::check_case(CASES, case, boxed(make));
}

/// Runs every case and returns what was found.
pub fn violations<R, F>(make: impl Fn() -> F + Send + Sync + 'static) -> Vec<Violation>
where
    R: Router,
    F: Future<Output = R> + 'static,
{
    suite::violations_of(CASES, &boxed(make))
}

fn boxed<R, F>(make: impl Fn() -> F + Send + Sync + 'static) -> Make<Arc<dyn Router>>
where
    R: Router,
    F: Future<Output = R> + 'static,
{
    Arc::new(move || {
        let made = make();
        Box::pin(async { Arc::new(made.await) as Arc<dyn Router> })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_rule_has_a_case() {
        let docs = include_str!("../../sse-core/src/docs/router.md");
        suite::assert_covers(docs, rules::ALL, CASES);
    }
}
