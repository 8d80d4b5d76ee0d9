use std::{
    collections::VecDeque,
    fmt::Debug,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore},
};

use super::RouteError;

/// How many jobs of others a caller does before it leaves the rest to a task.
const BUDGET: usize = 64;

/// Does jobs one at a time, in the order in which they came, without ever blocking a caller.
///
/// Whoever finds nobody at work works: does its own job at once, then those that others queued
/// meanwhile. Who finds somebody at work queues its job and awaits the answer. So a free ingress
/// costs a lock, a busy one hands no turn from task to task, and no job waits for a future that
/// nobody polls.
pub(super) struct Ingress<J, T> {
    work: Box<dyn Fn(J) -> Result<T, RouteError> + Send + Sync>,
    queue: Mutex<Queue<J, T>>,
    /// Free places in the queue.
    places: Semaphore,
    idle: Notify,
}

struct Queue<J, T> {
    jobs: VecDeque<Arc<Slot<J, T>>>,
    busy: bool,
    closed: bool,
}

type Slot<J, T> = Mutex<Stage<J, T>>;

enum Stage<J, T> {
    Queued(J, Option<Waker>),
    Running(Option<Waker>),
    Done(Result<T, RouteError>),
    Gone,
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
                busy: false,
                closed: false,
            }),
            places: Semaphore::new(places),
            idle: Notify::new(),
        })
    }

    /// Does `job`, now or when its turn comes.
    ///
    /// Cancel safe: dropped before the job is begun, it isn't done; after that it is.
    pub(super) async fn run(self: &Arc<Self>, job: J) -> Result<T, RouteError> {
        let job = match self.run_now(job) {
            Ok(done) => return done,
            Err(job) => job,
        };
        let Ok(place) = self.places.acquire().await else {
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
                poll_fn(|cx| poll_done(&waiting.slot, cx)).await
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
            Entered::Queued(slot) => Ok(Started::Queued(poll_fn(move |cx| poll_done(&slot, cx)))),
        }
    }

    /// Takes no more jobs, and returns when those in the queue are done.
    pub(super) async fn close(&self) {
        self.queue.lock().closed = true;
        loop {
            let idle = self.idle.notified();
            if !self.queue.lock().busy {
                break;
            }
            idle.await;
        }
        self.places.close();
    }

    /// Does `job` if nobody is at work, without taking a place in the queue.
    fn run_now(self: &Arc<Self>, job: J) -> Result<Result<T, RouteError>, J> {
        {
            let mut queue = self.queue.lock();
            if queue.closed {
                return Ok(Err(RouteError::Closed));
            }
            if queue.busy {
                return Err(job);
            }
            queue.busy = true;
        }
        let _worker = Worker(self);
        Ok(self.work(job))
    }

    /// Brings in a job that has a place.
    fn enter(self: &Arc<Self>, job: J) -> Result<Entered<J, T>, RouteError> {
        {
            let mut queue = self.queue.lock();
            if queue.closed {
                drop(queue);
                self.places.add_permits(1);
                return Err(RouteError::Closed);
            }
            if queue.busy {
                let slot = Arc::new(Mutex::new(Stage::Queued(job, None)));
                queue.jobs.push_back(Arc::clone(&slot));
                return Ok(Entered::Queued(slot));
            }
            queue.busy = true;
        }
        self.places.add_permits(1);
        let _worker = Worker(self);
        Ok(Entered::Done(self.work(job)))
    }

    fn work(&self, job: J) -> Result<T, RouteError> {
        catch_unwind(AssertUnwindSafe(|| (self.work)(job)))
            .unwrap_or_else(|_| Err(RouteError::backend("delivering panicked")))
    }

    /// Does up to `budget` queued jobs; `true` if there are no more, and nobody is at work now.
    fn drain(&self, budget: usize) -> bool {
        for _ in 0..budget {
            let slot = {
                let mut queue = self.queue.lock();
                let Some(slot) = queue.jobs.pop_front() else {
                    queue.busy = false;
                    drop(queue);
                    self.idle.notify_waiters();
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
        let mut queue = self.queue.lock();
        queue.jobs.retain(|other| !Arc::ptr_eq(other, slot));
        drop(queue);
        self.places.add_permits(1);
    }
}

impl<J, T> Debug for Ingress<J, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let queue = self.queue.lock();
        f.debug_struct("Ingress")
            .field("waiting", &queue.jobs.len())
            .field("closed", &queue.closed)
            .finish_non_exhaustive()
    }
}

fn poll_done<J, T>(slot: &Slot<J, T>, cx: &mut Context<'_>) -> Poll<Result<T, RouteError>> {
    let mut stage = slot.lock();
    match &mut *stage {
        Stage::Queued(_, waker) | Stage::Running(waker) => {
            *waker = Some(cx.waker().clone());
            Poll::Pending
        }
        Stage::Done(_) => match std::mem::replace(&mut *stage, Stage::Gone) {
            Stage::Done(done) => Poll::Ready(done),
            _ => unreachable!("matched above"),
        },
        Stage::Gone => panic!("polled after it was ready"),
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

/// Who is at work. At the end of its own job it does what was queued meanwhile; what is more than
/// its share goes to a task, where there is a runtime.
struct Worker<'a, J: Send + 'static, T: Send + 'static>(&'a Arc<Ingress<J, T>>);

impl<J: Send + 'static, T: Send + 'static> Drop for Worker<'_, J, T> {
    fn drop(&mut self) {
        if self.0.drain(BUDGET) {
            return;
        }
        let rest = Rest(Some(Arc::clone(self.0)));
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(rest.run())),
            Err(_) => drop(rest),
        }
    }
}

/// The work that is left; done on the spot if it is dropped, as when the runtime ends.
struct Rest<J: Send + 'static, T: Send + 'static>(Option<Arc<Ingress<J, T>>>);

impl<J: Send + 'static, T: Send + 'static> Rest<J, T> {
    async fn run(mut self) {
        while let Some(ingress) = &self.0 {
            if ingress.drain(BUDGET) {
                self.0 = None;
            } else {
                tokio::task::yield_now().await;
            }
        }
    }
}

impl<J: Send + 'static, T: Send + 'static> Drop for Rest<J, T> {
    fn drop(&mut self) {
        if let Some(ingress) = &self.0 {
            while !ingress.drain(BUDGET) {}
        }
    }
}
