//! The suite for an [`EventSink`].
//!
//! A case needs the sink and the other end of its transport: a [`SinkUnderTest`] holds both. The
//! case polls the reader by hand, so a frame is taken when the reader is polled and at no other
//! time; for a sink that has a task of its own in between, give the suite what that task polls.
//!
//! A case says how much may wait, and wants exactly that much to wait. A sink whose transport
//! takes every frame at once, so that nothing ever waits, holds the rules about what waits by that;
//! it has to be declared ([`SinkUnderTest::taken_at_once`]), and a case holds it to its word.

mod cases;
mod rules;

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use sse_core::{EventSink, QueueLimits, SinkContext};

use crate::{
    Violation,
    suite::{self, Make, suite},
};

suite! {
    of "EventSink" for SinkFactory;
    /// Stamps one test for each case of the suite for an [`EventSink`](sse_core::EventSink) into
    /// the module that it is used in.
    ///
    /// It takes a closure that makes a fresh sink, and what reads it, of a
    /// [`SinkContext`](sse_core::SinkContext) and [`QueueLimits`](sse_core::QueueLimits):
    ///
    /// ```
    /// #[cfg(test)]
    /// mod conformance {
    ///     use sse_conformance::sink::SinkUnderTest;
    ///     use sse_core::QueueSink;
    ///
    ///     sse_conformance::sink_tests!(|context, limits| {
    ///         let sink = QueueSink::new(limits, context);
    ///         SinkUnderTest::new(sink.clone(), move |cx| sink.poll_next(cx))
    ///     });
    /// }
    /// ```
    macro sink_tests($make:expr) => sink::check { $make };
    OneThread {
        frames_leave_in_order_each_once: R1;
        frames_leave_as_their_bytes: R1;
        a_notice_keeps_its_place: R1;
        try_send_waits_for_no_reader: R2;
        a_sink_needs_no_runtime: R2;
        try_send_wakes_nobody: R2;
        close_wakes_nobody: R2;
        wake_makes_a_waiting_reader_look_again: R3;
        one_wake_is_enough_for_many_frames: R3;
        a_wake_before_the_reader_looks_is_not_lost: R3;
        a_wake_for_nothing_loses_nobody: R3;
        a_notice_is_worth_a_wake: R3;
        a_close_is_worth_a_wake: R3;
        the_reader_that_looked_last_is_woken: R3;
        an_empty_sink_takes_a_frame_of_any_size: R4;
        nothing_waits_only_where_that_was_declared: R4;
        no_more_events_wait_than_the_limit: R4;
        no_more_bytes_wait_than_the_limit: R4;
        what_waits_stays_bounded: R4;
        a_sink_that_was_read_has_room_again: R4;
        a_refusal_leaves_no_trace: R5;
        drop_oldest_lets_the_newest_in: R5;
        drop_oldest_drops_no_more_than_needed: R5;
        drop_this_keeps_what_waits: R5;
        a_newer_frame_of_a_key_goes_to_the_end: R6;
        a_replaced_frame_is_no_drop: R6;
        a_full_sink_conflates: R6;
        a_refused_frame_leaves_the_older_one: R6;
        only_a_waiting_frame_of_the_same_key_is_replaced: R6;
        a_full_sink_takes_notices: R7;
        a_notice_is_never_dropped: R7;
        notices_use_up_no_room: R7;
        a_notice_is_not_told_as_delivered: R7;
        a_notice_after_an_event_is_not_left_out: R7;
        a_gap_says_how_many: R8;
        a_gap_stands_where_frames_are_missing: R8;
        gaps_add_up_to_the_drops: R8;
        progress_counts_what_was_taken: R9;
        progress_counts_what_waits: R9;
        what_was_taken_never_falls: R9;
        a_closed_sink_takes_nothing: R10;
        a_closed_sink_says_so: R10;
        a_plain_close_delivers_what_waits: R10;
        a_plain_close_delivers_a_gap_at_the_end: R10;
        a_discarding_close_delivers_nothing: R10;
        the_reader_ends_after_a_close: R10;
        a_later_close_that_discards_discards: R10;
        a_closed_sink_stays_closed: R10;
        each_event_is_told_as_delivered_once: R11;
        what_never_left_is_not_told_as_delivered: R11;
        room_that_was_told_is_there: R12;
        no_room_is_told_only_where_there_is_none: R12;
        whoever_waits_for_room_is_woken_by_the_reader: R12;
        room_that_a_smaller_frame_made_is_told: R12;
        whoever_waits_for_room_is_woken_by_a_close: R12;
        a_closed_sink_has_no_room: R12;
        odd_events_are_harmless: R13;
        odd_sizes_are_harmless: R13;
        odd_calls_are_harmless: R13;
        a_woken_reader_may_call_the_sink: R14;
        whoever_waited_for_room_may_call_the_sink: R14;
        whoever_a_wake_tells_of_room_may_call_the_sink: R14;
    }
    Threads {
        a_reader_beside_a_sender_gets_everything: R3;
        what_waits_and_what_was_taken_are_one_moment: R9;
        what_was_taken_beside_a_close_is_delivered: R10;
        whoever_waits_for_room_beside_a_reader_is_woken: R12;
    }
}

type Reader = Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<Vec<u8>>> + Send>;

/// A sink, and what its client would get.
pub struct SinkUnderTest {
    sink: Arc<dyn EventSink>,
    reader: Reader,
    at_once: bool,
}

impl SinkUnderTest {
    /// A sink in which frames wait until the reader takes them. Every case runs in full.
    ///
    /// `reader` answers with the next bytes that leave, cut anywhere; with `None` after the last;
    /// and with `Pending` where there are none yet, to have the task of its context woken.
    pub fn new<B: AsRef<[u8]>>(
        sink: impl EventSink,
        mut reader: impl FnMut(&mut Context<'_>) -> Poll<Option<B>> + Send + 'static,
    ) -> Self {
        Self {
            sink: Arc::new(sink),
            reader: Box::new(move |cx| {
                let piece = reader(cx);
                piece.map(|piece| piece.map(|bytes| bytes.as_ref().to_vec()))
            }),
            at_once: false,
        }
    }

    /// A sink whose transport takes every frame at once, such as a log: nothing ever waits, so the
    /// cases of what waits hold.
    ///
    /// That is checked: no frame is refused, replaced or dropped, there is room at any time, and
    /// each frame counts as taken and is told as delivered before `try_send` returns. What was
    /// taken has left the sink. So `reader`, which answers as that of [`new`](Self::new) does,
    /// still gets all of it after a close for any reason.
    pub fn taken_at_once<B: AsRef<[u8]>>(
        sink: impl EventSink,
        reader: impl FnMut(&mut Context<'_>) -> Poll<Option<B>> + Send + 'static,
    ) -> Self {
        Self {
            at_once: true,
            ..Self::new(sink, reader)
        }
    }
}

impl fmt::Debug for SinkUnderTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkUnderTest")
            .field("sink", &self.sink)
            .finish_non_exhaustive()
    }
}

/// What a case makes its sinks with.
#[derive(Clone)]
pub struct SinkFactory(Arc<dyn Fn(SinkContext, QueueLimits) -> SinkUnderTest + Send + Sync>);

impl fmt::Debug for SinkFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkFactory").finish_non_exhaustive()
    }
}

/// Runs one case; what [`sink_tests!`](crate::sink_tests) calls.
///
/// # Panics
///
/// The sink breaks the rule, which the message names; or there is no such case.
#[track_caller]
pub fn check(
    case: &str,
    make: impl Fn(SinkContext, QueueLimits) -> SinkUnderTest + Send + Sync + 'static,
) {
    suite::check_case(CASES, case, boxed(make));
}

/// Runs every case and returns what was found.
pub fn violations(
    make: impl Fn(SinkContext, QueueLimits) -> SinkUnderTest + Send + Sync + 'static,
) -> Vec<Violation> {
    suite::violations_of(CASES, &boxed(make))
}

fn boxed(
    make: impl Fn(SinkContext, QueueLimits) -> SinkUnderTest + Send + Sync + 'static,
) -> Make<SinkFactory> {
    let factory = SinkFactory(Arc::new(make));
    Arc::new(move || {
        let factory = factory.clone();
        Box::pin(async { factory })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_rule_has_a_case() {
        let docs = include_str!("../../sse-core/src/docs/event_sink.md");
        suite::assert_covers(docs, rules::ALL, CASES);
    }
}
