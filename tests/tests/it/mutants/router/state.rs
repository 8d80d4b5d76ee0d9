use std::{collections::VecDeque, mem, sync::Arc, thread::ThreadId};

use sse_core::{Accepted, Batch, Deliver};
use tokio::sync::oneshot;

use super::{broken::Broken, order::Order};

/// What the lock of a [`Broken`] router guards.
pub(super) struct State {
    pub(super) to: Option<Arc<dyn Deliver>>,
    pub(super) starting: bool,
    pub(super) closed: bool,
    /// Somebody is at work.
    pub(super) busy: bool,
    /// The thread on which a delivery is made.
    pub(super) delivers: Option<ThreadId>,
    /// Whether the last one came in by `publish`.
    pub(super) by_publish: bool,
    pub(super) queue: VecDeque<Job>,
    pub(super) order: Order,
    /// Batches that some faults keep though they were refused.
    pub(super) refused: Vec<Batch>,
    /// How many there have been.
    pub(super) jobs: u64,
    /// How many batches of two there have been, for a fault that counts them.
    pub(super) pairs: usize,
}

pub(super) struct Job {
    pub(super) id: u64,
    pub(super) batch: Batch,
    pub(super) answer: oneshot::Sender<Vec<Accepted>>,
}

impl State {
    pub(super) fn new(order: Order) -> Self {
        Self {
            to: None,
            starting: false,
            closed: false,
            busy: false,
            delivers: None,
            by_publish: false,
            queue: VecDeque::new(),
            order,
            refused: Vec::new(),
            jobs: 0,
            pairs: 0,
        }
    }

    pub(super) fn push(&mut self, batch: Batch) -> (u64, oneshot::Receiver<Vec<Accepted>>) {
        let (answer, later) = oneshot::channel();
        self.jobs += 1;
        let id = self.jobs;
        self.queue.push_back(Job { id, batch, answer });
        (id, later)
    }
}

/// A batch of which half is delivered if this is dropped.
pub(super) struct Half<'a> {
    pub(super) router: &'a Broken,
    pub(super) batch: Option<Batch>,
}

impl Drop for Half<'_> {
    fn drop(&mut self) {
        if let Some(batch) = self.batch.take() {
            let half = batch.len() / 2;
            drop(self.router.enter(batch.into_iter().take(half).collect()));
        }
    }
}

/// A job that is cut in half if this is dropped while it waits.
pub(super) struct Cut<'a>(pub(super) &'a Broken, pub(super) u64);

impl Drop for Cut<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        if let Some(job) = state.queue.iter_mut().find(|job| job.id == self.1) {
            let whole = mem::replace(&mut job.batch, [].into_iter().collect());
            job.batch = whole.into_iter().take(1).collect();
        }
    }
}
