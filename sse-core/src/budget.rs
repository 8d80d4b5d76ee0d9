use std::sync::Arc;

use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many bytes of events wait in the queues of a hub: an event counts once, in however many of
/// them it waits.
#[derive(Debug)]
pub(crate) struct Budget {
    most: usize,
    bytes: AtomicUsize,
    events: AtomicUsize,
    /// How many events have begun to wait.
    turn: AtomicU64,
}

impl Budget {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            bytes: AtomicUsize::new(0),
            events: AtomicUsize::new(0),
            turn: AtomicU64::new(0),
        })
    }

    /// Whether more waits than is to; an event that is too large for it may wait alone.
    pub(crate) fn is_over(&self) -> bool {
        self.bytes() > self.most && self.events.load(Ordering::Relaxed) > 1
    }

    /// Whether so little waits that nobody has to give way soon.
    pub(crate) fn is_at_ease(&self) -> bool {
        self.bytes() < self.most / 2
    }

    /// How many bytes wait now.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The number of the event that began to wait last.
    pub(crate) fn turn(&self) -> u64 {
        self.turn.load(Ordering::Relaxed)
    }
}

/// What says in how many queues an event waits.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: Arc<Budget>,
    queues: AtomicUsize,
}

impl Charge {
    pub(crate) fn new(budget: &Arc<Budget>) -> Self {
        Self {
            budget: Arc::clone(budget),
            queues: AtomicUsize::new(0),
        }
    }

    /// An event of so many bytes waits in one queue more; the number of the last event that began to
    /// wait, which is 1 at least.
    pub(crate) fn begin(&self, bytes: usize) -> u64 {
        let budget = &self.budget;
        if self.queues.fetch_add(1, Ordering::AcqRel) == 0 {
            budget.bytes.fetch_add(bytes, Ordering::Relaxed);
            budget.events.fetch_add(1, Ordering::Relaxed);
            return budget.turn.fetch_add(1, Ordering::Relaxed) + 1;
        }
        budget.turn().max(1)
    }

    /// It waits in one queue less.
    pub(crate) fn end(&self, bytes: usize) {
        if self.queues.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.budget.events.fetch_sub(1, Ordering::Relaxed);
            self.budget.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// Whether more than half of the budget would wait if an event of so many bytes did.
    pub(crate) fn is_beyond_half(&self, bytes: usize) -> bool {
        let waits = self.queues.load(Ordering::Relaxed) > 0;
        let more = if waits { 0 } else { bytes };
        self.budget.bytes().saturating_add(more) > self.budget.most / 2
    }

    pub(crate) fn is_of(&self, budget: &Arc<Budget>) -> bool {
        Arc::ptr_eq(&self.budget, budget)
    }
}
