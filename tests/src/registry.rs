//! The suite for a [`Registry`].
//!
//! The names of clients and groups that it uses are of letters, digits and `-`, so that a registry
//! may give others a meaning of their own, as patterns. A case has up to 201 connections at a time,
//! 100 of them of one client or in one group, and expects no insert or join to be refused that the
//! contract doesn't: a registry with limits is given to it with limits that allow that.

mod cases;
mod rules;

use std::sync::Arc;

use sse_core::Registry;

use crate::{
    Violation,
    suite::{self, Make, suite},
};

suite! {
    of "Registry" for Arc<dyn Registry>;
    /// Stamps one test for each case of the suite for a [`Registry`](sse_core::Registry) into the
    /// module that it is used in.
    ///
    /// It takes an expression that makes a fresh registry, which may await:
    ///
    /// ```
    /// #[cfg(test)]
    /// mod conformance {
    ///     sse_conformance::registry_tests!(sse_core::MemoryRegistry::new());
    /// }
    /// ```
    macro registry_tests($make:expr) => registry::check { || async { $make } };
    OneThread {
        an_inserted_connection_is_visited: R1;
        a_connection_brings_its_groups_along: R1;
        a_second_insert_is_refused: R2;
        a_refused_insert_changes_nothing: R2;
        remove_returns_what_insert_took: R3;
        a_removed_connection_is_not_visited: R3;
        the_last_connection_takes_its_client_along: R3;
        the_last_member_takes_its_group_along: R3;
        a_removed_connection_can_come_back: R3;
        what_a_connection_joined_goes_with_it: R3;
        join_and_leave_tell_what_they_changed: R4;
        a_stranger_can_neither_join_nor_leave: R4;
        a_join_that_returned_is_in_effect: R4;
        a_leave_that_returned_is_in_effect: R4;
        a_change_is_of_one_connection_alone: R4;
        a_group_is_told_by_its_exact_name: R4;
        a_client_is_each_of_its_connections: R5;
        clients_are_each_of_their_connections: R5;
        a_connection_is_itself_alone: R5;
        a_group_is_its_members: R5;
        everybody_is_everybody: R5;
        each_scope_can_be_narrowed_to_a_group: R5;
        nobody_is_visited_twice: R5;
        a_predicate_is_the_hubs_to_ask: R5;
        whom_to_leave_out_is_the_hubs_to_see_to: R5;
        a_visit_needs_no_runtime: R6;
        a_visit_changes_nothing: R6;
        stats_count_what_is_there: R7;
        a_dropped_change_is_whole_or_nothing: R8;
        the_group_rule_says_whom_a_visit_finds: R9;
    }
    Threads {
        a_visit_beside_changes_sees_each_once: R5;
    }
}

/// Runs one case; what [`registry_tests!`](crate::registry_tests) calls.
///
/// # Panics
///
/// The registry breaks the rule, which the message names; or there is no such case.
#[track_caller]
pub fn check<R, F>(case: &str, make: impl Fn() -> F + Send + Sync + 'static)
where
    R: Registry,
    F: Future<Output = R> + 'static,
{
    suite::check_case(CASES, case, boxed(make));
}

/// Runs every case and returns what was found.
pub fn violations<R, F>(make: impl Fn() -> F + Send + Sync + 'static) -> Vec<Violation>
where
    R: Registry,
    F: Future<Output = R> + 'static,
{
    suite::violations_of(CASES, &boxed(make))
}

fn boxed<R, F>(make: impl Fn() -> F + Send + Sync + 'static) -> Make<Arc<dyn Registry>>
where
    R: Registry,
    F: Future<Output = R> + 'static,
{
    Arc::new(move || {
        let made = make();
        Box::pin(async { Arc::new(made.await) as Arc<dyn Registry> })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_rule_has_a_case() {
        let docs = include_str!("../../sse-core/src/docs/registry.md");
        suite::assert_covers(docs, rules::ALL, CASES);
    }
}
