use std::sync::Arc;

use super::{
    ingress::Ingress,
    slot::{Slot, Stage},
};
use crate::sync::task;

/// How many jobs of others a caller does before it leaves the rest to a task; fewer in models.
pub(super) const BUDGET: usize = if cfg!(shuttle) { 1 } else { 16 };

/// Who is at work. At the end it does what was queued meanwhile; what is more than its share is
/// left to a task, where there is a runtime, and to whoever comes.
pub(super) struct Worker<'a, J: Send + 'static, T: Send + 'static> {
    ingress: &'a Arc<Ingress<J, T>>,
    finished: bool,
}

impl<'a, J: Send + 'static, T: Send + 'static> Worker<'a, J, T> {
    pub(super) const fn new(ingress: &'a Arc<Ingress<J, T>>) -> Self {
        Self {
            ingress,
            finished: false,
        }
    }

    /// Does the jobs up to this one.
    pub(super) fn drain_until(mut self, slot: &Slot<J, T>) {
        loop {
            let queued = matches!(*slot.lock(), Stage::Queued(..));
            if !queued || self.finished {
                return;
            }
            self.finished = self.ingress.drain(1);
        }
    }

    /// Leaves what is left to a task.
    fn rest(&self, runtime: &task::Handle) {
        self.ingress.rest();
        drop(runtime.spawn(Relief(Arc::clone(self.ingress)).run()));
    }
}

impl<J: Send + 'static, T: Send + 'static> Drop for Worker<'_, J, T> {
    fn drop(&mut self) {
        if self.finished || self.ingress.drain(BUDGET) {
            return;
        }
        match task::Handle::try_current() {
            Ok(runtime) => self.rest(&runtime),
            Err(_) => while !self.ingress.drain(BUDGET) {},
        }
    }
}

/// The task that does what is left; it is done on the spot where the task is dropped, as when the
/// runtime ends.
struct Relief<J: Send + 'static, T: Send + 'static>(Arc<Ingress<J, T>>);

impl<J: Send + 'static, T: Send + 'static> Relief<J, T> {
    async fn run(self) {
        while self.0.resume() {
            if self.0.drain(BUDGET) {
                return;
            }
            self.0.rest();
            task::yield_now().await;
        }
    }
}

impl<J: Send + 'static, T: Send + 'static> Drop for Relief<J, T> {
    fn drop(&mut self) {
        if self.0.resume() {
            while !self.0.drain(BUDGET) {}
        }
    }
}
