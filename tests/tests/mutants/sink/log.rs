use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;
use sse_core::{CloseReason, EventSink, Frame, Offer, Progress, SinkContext, WhenFull};

/// A sink whose transport takes each frame at once: nothing waits.
#[derive(Debug)]
pub(super) struct LogSink {
    context: SinkContext,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    log: VecDeque<Frame>,
    taken: u64,
    closed: bool,
    reader: Option<Waker>,
}

impl LogSink {
    pub(super) fn new(context: SinkContext) -> Self {
        Self {
            context,
            state: Mutex::default(),
        }
    }

    /// What stands in the log.
    pub(super) fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Vec<u8>>> {
        let mut state = self.state.lock();
        match state.log.pop_front() {
            Some(frame) => Poll::Ready(Some(frame.bytes().to_vec())),
            None if state.closed => Poll::Ready(None),
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl EventSink for LogSink {
    fn try_send(&self, frame: &Frame, _: WhenFull) -> Offer {
        let mut state = self.state.lock();
        if state.closed {
            return Offer::Closed;
        }
        state.taken += 1;
        state.log.push_back(frame.clone());
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

    fn close(&self, _: CloseReason) {
        self.state.lock().closed = true;
    }

    fn is_closed(&self) -> bool {
        self.state.lock().closed
    }
}
