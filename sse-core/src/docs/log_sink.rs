use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use sse_core::{CloseReason, EventSink, Frame, Offer, Progress, SinkContext, WhenFull};

#[derive(Debug)]
struct LogSink {
    context: SinkContext,
    log: Mutex<Log>,
}

#[derive(Debug, Default)]
struct Log {
    /// Nothing is ever taken out.
    frames: Vec<Frame>,
    closed: bool,
    reader: Option<Waker>,
}

impl LogSink {
    fn new(context: SinkContext) -> Self {
        Self {
            context,
            log: Mutex::default(),
        }
    }

    /// The frame at `at`, as soon as it is there; none where the log has ended before it.
    fn poll_frame(&self, at: usize, cx: &Context<'_>) -> Poll<Option<Frame>> {
        let mut log = self.log.lock();
        if let Some(frame) = log.frames.get(at) {
            return Poll::Ready(Some(frame.clone()));
        }
        if log.closed {
            return Poll::Ready(None);
        }
        log.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl EventSink for LogSink {
    fn try_send(&self, frame: &Frame, _: WhenFull) -> Offer {
        let mut log = self.log.lock();
        if log.closed {
            return Offer::Closed;
        }
        log.frames.push(frame.clone());
        if !frame.is_notice() {
            self.context.delivered(1);
        }
        Offer::QUEUED
    }

    fn wake(&self) {
        let reader = self.log.lock().reader.take();
        // Nobody is woken under the lock.
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn poll_room(&self, _: &mut Context<'_>, _: usize) -> Poll<bool> {
        Poll::Ready(!self.is_closed())
    }

    fn progress(&self) -> Progress {
        Progress {
            taken: self.log.lock().frames.len() as u64,
            ..Progress::default()
        }
    }

    fn close(&self, _: CloseReason) {
        self.log.lock().closed = true;
    }

    fn is_closed(&self) -> bool {
        self.log.lock().closed
    }
}
