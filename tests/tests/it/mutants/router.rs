//! Routers that break a rule each: one that keeps events and has a queue, with one thing done
//! wrong.

mod broken;
mod order;
mod posting;
mod state;

use sse_conformance::router::violations;

use self::{
    broken::Broken,
    posting::{Post, Posting},
};
use crate::mutants::report::{ALL_AT_ONCE, assert_caught, faults};

faults! {
    /// What a router does wrong.
    enum Fault;
    PublishesBeforeStart: R1 publishing_before_start_is_refused;
    KeepsWhatItRefusedBeforeStart: R1 what_was_refused_before_start_leaves_no_trace;
    RefusesARepeatedStart: R1 a_repeated_start_changes_nothing
        + a_start_dropped_midway_can_be_repeated;
    StaysHalfStarted: R1 a_start_dropped_midway_can_be_repeated;
    TakesAnotherHub: R1 another_hub_is_refused;
    DeliversToARefusedHub: R1 a_refused_hub_gets_nothing;
    SaysAHeadTooLate: R1 positions_come_after_the_head
        + positions_come_after_every_head;
    SaysAnotherHeadWhenRepeated: R1 positions_come_after_every_head;
    AnswersNotAll: R2 each_publication_has_an_answer;
    RefusesAnEmptyBatch: R2 an_empty_batch_has_an_empty_answer;
    LeavesHolesInABatch: R2 a_batch_has_consecutive_positions
        + a_duplicate_leaves_no_hole
        + a_transient_event_leaves_no_hole;
    BurnsAPositionForADuplicate: R2 a_duplicate_leaves_no_hole;
    BurnsAPositionForATransientEvent: R2 a_transient_event_leaves_no_hole;
    KeepsTransientEvents: R2 a_transient_event_has_no_position;
    TakesAsMuchOfABatchAsFits: R2 a_full_router_refuses_a_batch_as_a_whole;
    DeliversOneTwice: R3 each_is_delivered_once
        + many_at_once_are_in_one_order;
    SkipsOne: R3 each_is_delivered_once
        + many_at_once_are_in_one_order;
    HoldsOneBack: R3 the_order_is_that_of_publishing;
    TakesTheLastFirst: R3 what_try_publish_took_stays_in_order;
    BreaksABatch: R3 a_batch_is_delivered_in_one_call;
    ReversesABatch: R3 a_batch_is_delivered_in_its_order;
    GoesBack: R3 positions_only_rise
        + many_at_once_are_in_one_order;
    YieldsBeforeItDelivers: R3 two_at_once_are_in_the_order_of_positions;
    AnswersTheNextPosition: R3 the_answers_positions_are_the_delivered_ones
        + many_at_once_are_in_one_order;
    DeliversBesideADelivery: R3 one_call_is_made_at_a_time;
    LosesAComment: R3 frames_are_the_events_that_were_published;
    LosesAConflationKey: R3 frames_are_the_events_that_were_published;
    LosesAnException: R3 targets_are_those_that_were_published;
    LosesATicket: R3 tickets_come_along;
    DeliversHalfOfWhatWasDropped: R4 a_dropped_publication_is_whole_or_nothing
        + a_publication_dropped_in_line_is_whole_or_nothing
        + what_aborted_tasks_published_is_whole;
    HalvesWhatIsDroppedInLine: R4 a_publication_dropped_in_line_is_whole_or_nothing;
    ForgetsWhatWasDropped: R4 a_dropped_publication_uses_its_key_up_only_if_delivered;
    SkipsWhatNobodyAwaits: R4 an_answer_need_not_be_awaited;
    LocksWhileItWakes: R5 a_woken_reader_may_try_to_publish
        + a_woken_reader_may_publish;
    LocksPublishWhileItWakes: R5 a_woken_reader_may_publish;
    LocksWhilePublishWakes: R5 a_woken_reader_may_try_to_publish
        + a_woken_reader_may_publish;
    BlocksWhoeverComesBack: R5 a_delivery_may_publish;
    BlocksWhoeverComesBackToPublish: R5 a_delivery_may_publish;
    LocksDebugWhileItDelivers: R5 debug_waits_for_no_delivery;
    LocksDebugWhilePublishDelivers: R5 debug_waits_for_no_delivery;
    IsNeverBusy: R6 a_full_router_is_busy;
    DeliversWhatItRefused: R6 what_was_refused_as_busy_leaves_no_trace;
    FailsInsteadOfWaiting: R6 publish_waits_for_its_turn
        + who_waits_for_a_turn_blocks_no_thread;
    BlocksWhoeverWaits: R6 who_waits_for_a_turn_blocks_no_thread;
    AsksTheRuntime: R6 try_publish_needs_no_runtime;
    DeliversADuplicate: R7 a_repeated_key_is_not_delivered
        + a_dropped_publication_uses_its_key_up_only_if_delivered
        + a_key_counts_in_its_own_batch
        + of_two_at_once_one_is_a_duplicate;
    CountsTheDataIntoAKey: R7 a_repeated_key_is_not_delivered;
    HasNoPositionForADuplicate: R7 a_duplicate_has_the_firsts_position;
    KnowsNoKeyOfItsBatch: R7 a_key_counts_in_its_own_batch;
    ForgetsTheTargetOfAKey: R7 a_key_is_one_for_its_target_only;
    TakesTheSameDataForADuplicate: R7 without_the_same_key_nothing_is_a_duplicate;
    RemembersWhatItRefused: R7 a_refused_publication_uses_no_key_up;
    LooksKeysUpTooEarly: R7 of_two_at_once_one_is_a_duplicate;
    CriesLost: R8 nothing_is_lost_without_a_cause;
    PublishesAfterShutdown: R9 after_shutdown_publishing_is_closed
        + a_shutdown_that_is_dropped_has_closed;
    StartsAfterShutdown: R9 after_shutdown_starting_is_closed;
    AcceptsBehindAShutdown: R9 what_is_underway_at_a_shutdown_is_delivered_or_closed;
    HangsAtASecondShutdown: R9 a_second_shutdown_returns
        + a_repeated_shutdown_waits_too;
    ReturnsAtOnceWhenShutAgain: R9 a_repeated_shutdown_waits_too;
    ClosesWhenAllIsDone: R9 a_shutdown_that_is_dropped_has_closed;
    WaitsForAStart: R9 a_shutdown_needs_no_start;
    ReturnsBeforeItsQueueIsDone: R9 shutdown_returns_when_all_is_delivered;
    ForgetsTheOneAtWork: R9 a_shutdown_waits_for_the_delivery_that_is_made
        + a_repeated_shutdown_waits_too;
    LiesAfterShutdown: R9 publishing_beside_a_shutdown_is_delivered_or_closed;
    DropsItsQueueAtShutdown: R9 shutdown_returns_when_all_is_delivered;
}

#[test]
fn every_broken_router_is_found_out() {
    let run = |fault| violations(move || async move { Broken::new(Some(fault)) });
    assert_caught(
        "Router",
        Fault::ALL,
        ALL_AT_ONCE,
        run,
        &["R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9"],
    );
}

#[test]
fn a_router_that_delivers_after_it_answers_breaks_nothing() {
    assert_eq!(violations(|| async { Posting::new(Post::Task) }), []);
}

#[test]
fn a_router_that_delivers_on_a_thread_of_its_own_breaks_nothing() {
    assert_eq!(violations(|| async { Posting::new(Post::Thread) }), []);
}

#[test]
fn a_router_that_delivers_on_a_runtime_of_its_own_breaks_nothing() {
    assert_eq!(violations(|| async { Posting::new(Post::Runtime) }), []);
}

/// It keeps events: the cases about positions have something to look at.
#[test]
fn the_router_that_the_mutants_are_made_of_breaks_nothing() {
    assert_eq!(violations(|| async { Broken::new(None) }), []);
}
