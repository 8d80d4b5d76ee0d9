use std::{
    mem,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;
use sse_core::{CloseReason, EventSink, Frame, Offer, Progress, SinkContext, WhenFull};

use super::Fault::{self, ThrowsAwayWhatItTook};

/// A sink whose transport takes each frame at once: a log, of which nothing is ever taken out.
#[derive(Debug)]
pub(super) struct LogSink {
    fault: Option<Fault>,
    context: SinkContext,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    log: Vec<u8>,
    /// How many frames stand in the log.
    taken: u64,
    /// Up to where somebody looked into the log.
    seen: usize,
    closed: bool,
    reader: Option<Waker>,
}

impl LogSink {
    pub(super) fn new(fault: Option<Fault>, context: SinkContext) -> Self {
        Self {
            fault,
            context,
            state: Mutex::default(),
        }
    }

    /// What is new in the log.
    pub(super) fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Vec<u8>>> {
        let mut state = self.state.lock();
        let end = state.log.len();
        let seen = mem::replace(&mut state.seen, end);
        if seen < end {
            return Poll::Ready(Some(state.log[seen..].to_vec()));
        }
        if state.closed {
            return Poll::Ready(None);
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl EventSink for LogSink {
    fn try_send(&self, frame: &Frame, _: WhenFull) -> Offer {
        let mut state = self.state.lock();
        if state.closed {
            return Offer::Closed;
        }
        state.taken += 1;
        state.log.extend_from_slice(frame.bytes());
        self.context.delivered(u64::from(!frame.is_notice()));
        Offer::QUEUED
    }

    fn wake(&self) {
        let reader = self.state.lock().reader.take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn poll_room(&self, _: &mut Context<'_>, _: usize) -> Poll<bool> {
        Poll::Ready(!self.is_closed())
    }

    fn progress(&self) -> Progress {
        Progress {
            taken: self.state.lock().taken,
            ..Progress::default()
        }
    }

    fn close(&self, reason: CloseReason) {
        let mut state = self.state.lock();
        state.closed = true;
        if reason.discards() && self.fault == Some(ThrowsAwayWhatItTook) {
            let seen = state.seen;
            state.log.truncate(seen);
        }
    }

    fn is_closed(&self) -> bool {
        self.state.lock().closed
    }
}
