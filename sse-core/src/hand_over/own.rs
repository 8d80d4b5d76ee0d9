use crate::{
    Frame, Offer, WhenFull,
    sink::{Entry, Gone, Held, Terms, Waiting},
};

/// What was sent to a connection alone while it catches up, and found no room in its queue.
///
/// It is as long as a queue, and treats what doesn't fit in the same way.
#[derive(Debug, Default)]
pub(crate) struct Own(Waiting);

/// What stands first of what was put by.
#[derive(Debug, Clone)]
pub(crate) enum FirstOwn {
    Frame(Frame),
    /// So many were dropped; the frame behind them has so many bytes. They are told together, so
    /// that those are counted that are dropped until then.
    Dropped(u64, usize),
}

impl Own {
    /// Keeps a frame until there is room.
    pub(crate) fn put_by(&mut self, frame: &Frame, terms: &Terms, full: WhenFull) -> Offer {
        self.0.offer(frame, terms, full, &mut Gone::new())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn first(&self) -> Option<FirstOwn> {
        let (first, len) = self.0.first()?;
        Some(match first {
            Entry::Frame(held) => FirstOwn::Frame(Frame::clone(held)),
            Entry::Gap(dropped) => FirstOwn::Dropped(*dropped, len),
        })
    }

    /// Since when the oldest and the newest wait that count towards the byte budget.
    pub(crate) fn ages(&self) -> Option<(u64, u64)> {
        self.0.ages()
    }

    /// Drops one: which, `full` says.
    pub(crate) fn give_way(&mut self, full: WhenFull) -> Option<Held> {
        self.0.give_way(full)
    }

    /// The first has been queued.
    pub(crate) fn pop(&mut self) {
        self.0.pop();
    }
}
