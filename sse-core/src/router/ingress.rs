use std::{
    collections::VecDeque,
    fmt::Debug,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use tokio::sync::{Notify, Semaphore};

use super::{
    RouteError,
    slot::{Slot, Stage},
    worker::{BUDGET, Worker},
};
use crate::{foreign::caught, sync::Mutex};

/// Does jobs one at a time, in the order in which they came, without ever blocking a caller.
///
/// Whoever finds nobody at work works: does its own job at once, then those that others queued
/// meanwhile. Who finds somebody at work queues its job and awaits the answer. So a free ingress
/// costs a lock, and a busy one hands no turn from task to task.
///
/// What is more than a worker's share is left to a task; but whoever comes before that task is
/// polled works in its stead, so that no job waits for a runtime that nobody drives.
pub(super) struct Ingress<J, T> {
    work: Box<dyn Fn(J) -> Result<T, RouteError> + Send + Sync>,
    queue: Mutex<Queue<J, T>>,
    /// Free places in the queue.
    places: Semaphore,
    /// Nobody is at work any more, whether jobs are left or not.
    free: Notify,
}

struct Queue<J, T> {
    jobs: VecDeque<Arc<Slot<J, T>>>,
    work: Work,
    closed: bool,
}

/// Who does the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// There are none.
    Idle,
    /// Somebody is at it.
    Busy,
    /// Some are left, and nobody is at it.
    Resting,
}

/// What became of a job that doesn't wait for a place.
pub(super) enum Started<T, F> {
    /// It is done.
    Done(T),
    /// It will be done whatever becomes of this future.
    Queued(F),
}

/// What became of a job that was brought in.
enum Entered<J, T> {
    Done(Result<T, RouteError>),
    Queued(Arc<Slot<J, T>>),
}

impl<J: Send + 'static, T: Send + 'static> Ingress<J, T> {
    /// An ingress in which at most `places` jobs wait.
    pub(super) fn new(
        places: usize,
        work: impl Fn(J) -> Result<T, RouteError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            work: Box::new(work),
            queue: Mutex::new(Queue {
                jobs: VecDeque::new(),
                work: Work::Idle,
                closed: false,
            }),
            places: Semaphore::new(places),
            free: Notify::new(),
        })
    }

    /// Does `job`, now or when its turn comes.
    ///
    /// Cancel safe: dropped before the job is begun, it isn't done; after that it is.
    pub(super) async fn run(self: &Arc<Self>, job: J) -> Result<T, RouteError> {
        let mut job = job;
        let place = loop {
            let free = self.free.notified();
            job = match self.run_now(job) {
                Ok(done) => return done,
                Err(job) => job,
            };
            tokio::select! {
                place = self.places.acquire() => break place,
                // Nobody is at work: no place is needed. Those before it in line may not be
                // polled.
                () = free => {}
            }
        };
        let Ok(place) = place else {
            return Err(RouteError::Closed);
        };
        place.forget();
        match self.enter(job)? {
            Entered::Done(done) => done,
            Entered::Queued(slot) => {
                let waiting = Waiting {
                    ingress: self,
                    slot,
                };
                poll_fn(|cx| self.poll_done(&waiting.slot, cx)).await
            }
        }
    }

    /// Does `job` now or queues it; fails where the queue is full.
    pub(super) fn try_run(
        self: &Arc<Self>,
        job: J,
    ) -> Result<
        Started<T, impl Future<Output = Result<T, RouteError>> + Send + use<J, T>>,
        RouteError,
    > {
        let job = match self.run_now(job) {
            Ok(done) => return done.map(Started::Done),
            Err(job) => job,
        };
        let place = self.places.try_acquire().map_err(|_| RouteError::Busy)?;
        place.forget();
        match self.enter(job)? {
            Entered::Done(done) => done.map(Started::Done),
            Entered::Queued(slot) => {
                let ingress = Arc::clone(self);
                let answer = poll_fn(move |cx| ingress.poll_done(&slot, cx));
                Ok(Started::Queued(answer))
            }
        }
    }

    /// Takes no more jobs, and returns when those in the queue are done.
    pub(super) async fn close(&self) {
        self.queue.lock().closed = true;
        loop {
            let free = self.free.notified();
            if self.resume() {
                while !self.drain(BUDGET) {}
            }
            if self.queue.lock().work == Work::Idle {
                break;
            }
            free.await;
        }
        self.places.close();
    }

    /// Whether it takes no more jobs.
    pub(super) fn is_closed(&self) -> bool {
        self.queue.lock().closed
    }

    /// Does `job` if nobody is at work and none is left, without taking a place in the queue.
    pub(super) fn run_now(self: &Arc<Self>, job: J) -> Result<Result<T, RouteError>, J> {
        {
            let mut queue = self.queue.lock();
            if queue.closed {
                return Ok(Err(RouteError::Closed));
            }
            match queue.work {
                Work::Idle => queue.work = Work::Busy,
                Work::Busy => return Err(job),
                Work::Resting => {
                    // Makes room at least.
                    queue.work = Work::Busy;
                    drop(queue);
                    drop(Worker::new(self));
                    return Err(job);
                }
            }
        }
        let _worker = Worker::new(self);
        Ok(self.work(job))
    }

    /// Brings in a job that has a place.
    fn enter(self: &Arc<Self>, job: J) -> Result<Entered<J, T>, RouteError> {
        let mut queue = self.queue.lock();
        if queue.closed {
            drop(queue);
            self.places.add_permits(1);
            return Err(RouteError::Closed);
        }
        let before = queue.work;
        if before == Work::Idle {
            queue.work = Work::Busy;
            drop(queue);
            self.places.add_permits(1);
            let _worker = Worker::new(self);
            return Ok(Entered::Done(self.work(job)));
        }
        let slot = Arc::new(Mutex::new(Stage::Queued(job, None)));
        queue.jobs.push_back(Arc::clone(&slot));
        queue.work = Work::Busy;
        drop(queue);
        if before == Work::Resting {
            Worker::new(self).drain_until(&slot);
        }
        Ok(Entered::Queued(slot))
    }

    /// Polls for the end of a queued job; does it if it was left and nobody is at work.
    fn poll_done(
        self: &Arc<Self>,
        slot: &Arc<Slot<J, T>>,
        cx: &Context<'_>,
    ) -> Poll<Result<T, RouteError>> {
        let done = slot.lock().poll_done(cx);
        if done.is_ready() || !self.resume() {
            return done;
        }
        Worker::new(self).drain_until(slot);
        slot.lock().poll_done(cx)
    }

    /// Stops working though jobs are left, and says so to whoever could: all who await their jobs,
    /// for any of them may never be polled again; those who wait for a place; and a shutdown.
    pub(super) fn rest(&self) {
        let wakers: Vec<_> = {
            let mut queue = self.queue.lock();
            queue.work = Work::Resting;
            queue
                .jobs
                .iter()
                .filter_map(|slot| slot.lock().waker())
                .collect()
        };
        wakers.into_iter().for_each(Waker::wake);
        self.free.notify_waiters();
    }

    /// Goes to work if jobs are left and nobody is at it.
    pub(super) fn resume(&self) -> bool {
        let mut queue = self.queue.lock();
        let resting = queue.work == Work::Resting;
        if resting {
            queue.work = Work::Busy;
        }
        resting
    }

    fn work(&self, job: J) -> Result<T, RouteError> {
        caught(|| (self.work)(job))
            .unwrap_or_else(|| Err(RouteError::backend("delivering panicked")))
    }

    /// Does up to `budget` queued jobs; `true` if there are no more, and nobody is at work now.
    pub(super) fn drain(&self, budget: usize) -> bool {
        for _ in 0..budget {
            let slot = {
                let mut queue = self.queue.lock();
                let Some(slot) = queue.jobs.pop_front() else {
                    queue.work = Work::Idle;
                    drop(queue);
                    self.free.notify_waiters();
                    return true;
                };
                slot
            };
            self.run_slot(&slot);
        }
        false
    }

    fn run_slot(&self, slot: &Slot<J, T>) {
        let job = {
            let mut stage = slot.lock();
            match std::mem::replace(&mut *stage, Stage::Gone) {
                Stage::Queued(job, waker) => {
                    *stage = Stage::Running(waker);
                    job
                }
                other => {
                    *stage = other;
                    return;
                }
            }
        };
        let done = self.work(job);
        let before = std::mem::replace(&mut *slot.lock(), Stage::Done(done));
        self.places.add_permits(1);
        if let Stage::Running(Some(waker)) = before {
            waker.wake();
        }
    }

    /// Takes back a job that nobody has begun.
    fn cancel(&self, slot: &Arc<Slot<J, T>>) {
        let stage = {
            let mut stage = slot.lock();
            if !matches!(*stage, Stage::Queued(..)) {
                return;
            }
            std::mem::replace(&mut *stage, Stage::Gone)
        };
        drop(stage);
        let is_other = |other: &Arc<Slot<J, T>>| !Arc::ptr_eq(other, slot);
        self.queue.lock().jobs.retain(is_other);
        self.places.add_permits(1);
    }
}

impl<J, T> Debug for Ingress<J, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let waiting = self.queue.lock().jobs.len();
        f.debug_struct("Ingress")
            .field("waiting", &waiting)
            .field("places", &self.places.available_permits())
            .finish_non_exhaustive()
    }
}

/// A queued job whose caller takes it back by going away.
struct Waiting<'a, J: Send + 'static, T: Send + 'static> {
    ingress: &'a Ingress<J, T>,
    slot: Arc<Slot<J, T>>,
}

impl<J: Send + 'static, T: Send + 'static> Drop for Waiting<'_, J, T> {
    fn drop(&mut self) {
        self.ingress.cancel(&self.slot);
    }
}
