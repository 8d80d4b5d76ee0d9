use std::sync::Arc;

use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many connections catch up, and how often one began to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    now: AtomicUsize,
    begun: AtomicU64,
}

impl Tally {
    pub(crate) fn now(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    /// One more, until what this returns is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Counted {
        self.now.fetch_add(1, Ordering::Relaxed);
        Counted {
            number: self.begun.fetch_add(1, Ordering::Relaxed),
            tally: Arc::clone(self),
        }
    }
}

/// One of those that catch up.
#[derive(Debug)]
pub(super) struct Counted {
    /// No other has the same.
    pub(super) number: u64,
    tally: Arc<Tally>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.tally.now.fetch_sub(1, Ordering::Relaxed);
    }
}
