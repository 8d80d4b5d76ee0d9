//! Sinks that break a rule each: a small queue, with one thing done wrong.

mod log;
mod queue;
mod state;

use std::{collections::BTreeSet, sync::Arc, task::Context};

use sse_conformance::sink::{SinkUnderTest, violations};
use sse_core::{QueueLimits, SinkContext};

use self::{log::LogSink, queue::BrokenQueue};
use crate::mutants::report::{ALL_AT_ONCE, assert_caught, faults};

faults! {
    /// What a sink does wrong.
    enum Fault;
    SkipsOne: R1 frames_leave_in_order_each_once;
    DeliversTwice: R1 frames_leave_in_order_each_once;
    Reorders: R1 frames_leave_in_order_each_once;
    SplitsAFrame: R1 frames_leave_as_their_bytes;
    LetsNoticesPass: R1 a_notice_keeps_its_place;
    BlocksInTrySend: R2 try_send_waits_for_no_reader;
    AsksTheRuntime: R2 a_sink_needs_no_runtime;
    WakesInTrySend: R2 try_send_wakes_nobody;
    TellsOfRoomInTrySend: R2 try_send_wakes_nobody;
    WakesInClose: R2 close_wakes_nobody;
    WakesOnlyOnce: R3 wake_makes_a_waiting_reader_look_again;
    WakesOnlyIfLastOutOfEmpty: R3 one_wake_is_enough_for_many_frames;
    LosesAWakeBeforeTheReader: R3 a_wake_before_the_reader_looks_is_not_lost;
    ForgetsTheReaderForNothing: R3 a_wake_for_nothing_loses_nobody;
    WakesForNoNotice: R3 a_notice_is_worth_a_wake;
    WakesForNoClose: R3 a_close_is_worth_a_wake;
    WakesWhoLookedFirst: R3 the_reader_that_looked_last_is_woken;
    RacesItsReader: R3 a_reader_beside_a_sender_gets_everything;
    RefusesWhatIsLarge: R4 an_empty_sink_takes_a_frame_of_any_size;
    SaysThatNothingWaits: R4 nothing_waits_only_where_that_was_declared;
    ThrowsAwayWhatItTook: R4 nothing_waits_only_where_that_was_declared;
    TakesOneEventTooMany: R4 no_more_events_wait_than_the_limit;
    TakesWhatNeverFits: R4 no_more_bytes_wait_than_the_limit;
    GrowsWithoutBound: R4 what_waits_stays_bounded;
    KeepsEachGap: R4 what_waits_stays_bounded;
    GivesNoRoomBack: R4 a_sink_that_was_read_has_room_again;
    LeavesATraceOfARefusal: R5 a_refusal_leaves_no_trace
        + gaps_add_up_to_the_drops;
    DropsTheNewest: R5 drop_oldest_lets_the_newest_in
        + a_gap_stands_where_frames_are_missing
        + drop_oldest_drops_no_more_than_needed;
    DropsTooMany: R5 drop_oldest_drops_no_more_than_needed;
    DropsTheOldestForThis: R5 drop_this_keeps_what_waits
        + a_plain_close_delivers_a_gap_at_the_end
        + a_gap_stands_where_frames_are_missing
        + a_refused_frame_leaves_the_older_one;
    KeepsItsOldPlace: R6 a_newer_frame_of_a_key_goes_to_the_end;
    CountsAReplacementAsADrop: R6 a_replaced_frame_is_no_drop
        + gaps_add_up_to_the_drops
        + progress_counts_what_waits;
    ConflatesOnlyWithRoom: R6 a_full_sink_conflates;
    ReplacesThoughRefused: R6 a_refused_frame_leaves_the_older_one;
    ConflatesByInitial: R6 only_a_waiting_frame_of_the_same_key_is_replaced;
    RefusesANotice: R7 a_full_sink_takes_notices;
    DropsANotice: R7 a_notice_is_never_dropped
        + a_gap_stands_where_frames_are_missing;
    CountsNoticesAgainstTheLimit: R7 notices_use_up_no_room;
    TellsOfNotices: R7 a_notice_is_not_told_as_delivered;
    LeavesOutANotice: R7 a_notice_after_an_event_is_not_left_out;
    ForgetsTheGap: R8 a_gap_says_how_many
        + a_plain_close_delivers_a_gap_at_the_end
        + a_gap_stands_where_frames_are_missing
        + gaps_add_up_to_the_drops;
    SaysOneForMany: R8 a_gap_says_how_many
        + gaps_add_up_to_the_drops;
    PutsTheGapFirst: R8 a_gap_stands_where_frames_are_missing
        + a_plain_close_delivers_a_gap_at_the_end;
    PutsTheGapAtTheEnd: R8 a_gap_stands_where_frames_are_missing;
    LosesAGapThatMeetsAnother: R8 gaps_add_up_to_the_drops;
    CountsNoNoticeAsTaken: R9 progress_counts_what_was_taken;
    CountsWhatWaitsAsTaken: R9 progress_counts_what_was_taken
        + nothing_waits_only_where_that_was_declared
        + progress_counts_what_waits
        + whoever_waits_for_room_is_woken_by_the_reader;
    CountsNoticesAsBytes: R9 progress_counts_what_waits;
    ForgetsWhatWasTaken: R9 what_was_taken_never_falls;
    CountsInTwoMoments: R9 what_waits_and_what_was_taken_are_one_moment;
    TakesNoticesThoughClosed: R10 a_closed_sink_takes_nothing;
    HidesItsClose: R10 a_closed_sink_says_so;
    ThrowsAwayAtAPlainClose: R10 a_plain_close_delivers_what_waits
        + a_plain_close_delivers_a_gap_at_the_end;
    ForgetsAGapAtTheEnd: R10 a_plain_close_delivers_a_gap_at_the_end;
    DeliversAfterADiscardingClose: R10 a_discarding_close_delivers_nothing
        + what_never_left_is_not_told_as_delivered;
    NeverEnds: R10 the_reader_ends_after_a_close
        + a_plain_close_delivers_a_gap_at_the_end;
    HearsOnlyTheFirstClose: R10 a_later_close_that_discards_discards;
    OpensAtASecondClose: R10 a_closed_sink_stays_closed;
    RacesItsClose: R10 what_was_taken_beside_a_close_is_delivered;
    TellsTwice: R11 each_event_is_told_as_delivered_once;
    TellsWhatItTookIn: R11 what_never_left_is_not_told_as_delivered;
    SaysRoomAndThenFull: R12 room_that_was_told_is_there;
    SaysRoomOnlyIfEmpty: R12 no_room_is_told_only_where_there_is_none;
    TellsNobodyOfRoom: R12 whoever_waits_for_room_is_woken_by_the_reader;
    TellsOfRoomOnlyIfEmpty: R12 whoever_waits_for_room_is_woken_by_the_reader;
    TellsWhoAskedFirst: R12 whoever_waits_for_room_is_woken_by_the_reader;
    TellsOfNoSmallerFrame: R12 room_that_a_smaller_frame_made_is_told;
    TellsOfNoClose: R12 whoever_waits_for_room_is_woken_by_a_close;
    HasRoomThoughClosed: R12 a_closed_sink_has_no_room;
    RacesWhoWaitsForRoom: R12 whoever_waits_for_room_beside_a_reader_is_woken;
    PanicsAtAnEmptyEvent: R13 odd_events_are_harmless;
    PanicsAtHugeRoom: R13 odd_sizes_are_harmless;
    PanicsAtAThirdClose: R13 odd_calls_are_harmless;
    HoldsALockOverAWake: R14 a_woken_reader_may_call_the_sink;
    HoldsALockOverTheNewsOfRoom: R14 whoever_waited_for_room_may_call_the_sink;
    HoldsALockOverASmallerFramesRoom: R14 whoever_a_wake_tells_of_room_may_call_the_sink;
    HoldsALockOverTheNewsOfAClose: R14 whoever_a_wake_tells_of_room_may_call_the_sink;
}

fn queue(fault: Option<Fault>, context: SinkContext, limits: QueueLimits) -> SinkUnderTest {
    if fault == Some(Fault::ThrowsAwayWhatItTook) {
        return at_once(fault, context);
    }
    let sink = Arc::new(BrokenQueue::new(fault, context, limits));
    let reader = Arc::clone(&sink);
    let reader = move |cx: &mut Context<'_>| reader.poll_next(cx);
    match fault {
        Some(Fault::SaysThatNothingWaits) => SinkUnderTest::taken_at_once(sink, reader),
        _ => SinkUnderTest::new(sink, reader),
    }
}

fn at_once(fault: Option<Fault>, context: SinkContext) -> SinkUnderTest {
    let sink = Arc::new(LogSink::new(fault, context));
    SinkUnderTest::taken_at_once(Arc::clone(&sink), move |cx| sink.poll_next(cx))
}

#[test]
fn every_broken_sink_is_found_out() {
    let run = |fault| violations(move |context, limits| queue(Some(fault), context, limits));
    assert_caught(
        "EventSink",
        Fault::ALL,
        ALL_AT_ONCE,
        run,
        &[
            "R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9", "R10", "R11", "R12", "R13", "R14",
        ],
    );
}

#[test]
fn the_queue_without_a_fault_breaks_nothing() {
    let found = violations(|context, limits| queue(None, context, limits));
    assert_eq!(found, []);
}

#[test]
fn a_sink_that_lets_nothing_wait_breaks_nothing() {
    let found = violations(|context, _| at_once(None, context));
    assert_eq!(found, []);
}

/// What a sink says of itself excuses it from no case.
#[test]
fn an_unbounded_queue_that_counts_all_as_taken_is_found_out() {
    let found = violations(|context, _| {
        let sink = Arc::new(LogSink::new(None, context));
        SinkUnderTest::new(Arc::clone(&sink), move |cx| sink.poll_next(cx))
    });
    let broken: BTreeSet<_> = found.iter().map(|found| found.rule().name()).collect();
    let expected = ["R4", "R5", "R6", "R8", "R9", "R10", "R11", "R12"];
    let missed: Vec<_> = expected
        .iter()
        .filter(|rule| !broken.contains(*rule))
        .collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
}
