use std::collections::VecDeque;

use crate::{Frame, QueueLimits, WhenFull};

/// What was sent to a connection alone while it catches up, and found no room in its queue.
///
/// It is as long as a queue, and treats what doesn't fit in the same way.
#[derive(Debug, Default)]
pub(crate) struct Own {
    frames: VecDeque<Frame>,
    bytes: usize,
    /// How many were dropped, of which the client hasn't been told.
    dropped: u64,
}

/// What became of a frame that was put by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PutBy {
    /// It waits.
    Waits,
    /// It waits, and the oldest of them were dropped: so many.
    DroppedOldest(u32),
    /// It was dropped.
    Dropped,
    /// There is no place for it.
    Full,
}

impl Own {
    /// Keeps a frame until there is room.
    pub(crate) fn put_by(&mut self, frame: &Frame, limits: &QueueLimits, full: WhenFull) -> PutBy {
        let mut oldest = 0;
        while !self.fits(frame, limits) {
            match full {
                WhenFull::Refuse => return PutBy::Full,
                WhenFull::DropThis => {
                    self.dropped += 1;
                    return PutBy::Dropped;
                }
                WhenFull::DropOldest => {
                    self.pop();
                    self.dropped += 1;
                    oldest += 1;
                }
            }
        }
        self.bytes += frame.len();
        self.frames.push_back(frame.clone());
        match oldest {
            0 => PutBy::Waits,
            oldest => PutBy::DroppedOldest(oldest),
        }
    }

    fn fits(&self, frame: &Frame, limits: &QueueLimits) -> bool {
        self.frames.is_empty()
            || (self.frames.len() < limits.events.get()
                && self.bytes.saturating_add(frame.len()) <= limits.bytes.get())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.dropped == 0
    }

    /// How many were dropped before what waits now; told once.
    pub(crate) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    /// The first that waits.
    pub(crate) fn first(&self) -> Option<&Frame> {
        self.frames.front()
    }

    /// The first has been queued.
    pub(crate) fn pop(&mut self) {
        if let Some(frame) = self.frames.pop_front() {
            self.bytes -= frame.len();
        }
    }
}
