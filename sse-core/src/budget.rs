use std::sync::Arc;

use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many bytes of events wait in the queues of a hub: an event counts once, in however many of
/// them it waits.
#[derive(Debug)]
pub(crate) struct Budget {
    most: usize,
    waiting: AtomicUsize,
    /// How many events have begun to wait.
    turn: AtomicU64,
}

impl Budget {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            waiting: AtomicUsize::new(0),
            turn: AtomicU64::new(0),
        })
    }

    pub(crate) fn is_over(&self) -> bool {
        self.waiting() > self.most
    }

    /// How many bytes wait now.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// What an event costs while it waits.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
    /// In how many queues it waits.
    queues: AtomicUsize,
}

impl Charge {
    pub(crate) fn new(budget: &Arc<Budget>, bytes: usize) -> Self {
        Self {
            budget: Arc::clone(budget),
            bytes,
            queues: AtomicUsize::new(0),
        }
    }

    /// It waits in one queue more; since when, in numbers of events that began to wait.
    pub(crate) fn begin(&self) -> u64 {
        let budget = &self.budget;
        if self.queues.fetch_add(1, Ordering::Relaxed) == 0 {
            budget.waiting.fetch_add(self.bytes, Ordering::Relaxed);
            budget.turn.fetch_add(1, Ordering::Relaxed);
        }
        budget.turn.load(Ordering::Relaxed)
    }

    /// Whether more than the budget would wait if it did.
    pub(crate) fn is_beyond_budget(&self) -> bool {
        let waits = self.queues.load(Ordering::Relaxed) > 0;
        let more = if waits { 0 } else { self.bytes };
        self.budget.waiting().saturating_add(more) > self.budget.most
    }

    /// It waits in one queue less.
    pub(crate) fn end(&self) {
        if self.queues.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.budget.waiting.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}
