use std::{fmt, future::pending, mem, pin::pin, sync::Arc, thread, time::Duration};

use parking_lot::{Mutex, MutexGuard};
use sse_core::{
    Accepted, Batch, Deliver, Lost, Pending, Position, Publication, RouteError, Router, async_trait,
};
use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
    task::yield_now,
};

use super::{
    Fault::{self, *},
    order::{Order, Ordered},
    state::{Cut, Half, State},
};

/// How many batches wait.
const PLACES: usize = 64;

/// A router that keeps every event that isn't transient. Whoever finds it free delivers, and goes
/// on until nothing is left; who finds it at work leaves a job.
pub(super) struct Broken {
    fault: Option<Fault>,
    pub(super) state: Mutex<State>,
    /// A job was taken out of the queue.
    room: Notify,
    /// Nothing is being delivered.
    idle: Notify,
    /// Held by some faults where no lock should be.
    lock: Mutex<()>,
}

fn copy(publication: &Publication) -> Publication {
    let (target, event) = (publication.target().clone(), publication.event().clone());
    Publication::new(target, event, publication.ticket())
}

fn ready<T>(value: T) -> oneshot::Receiver<T> {
    let (sender, later) = oneshot::channel();
    // Whoever is to receive it is here.
    let _ = sender.send(value);
    later
}

/// What became of a batch that was brought in.
pub(super) enum Entered {
    Taken(u64, oneshot::Receiver<Vec<Accepted>>),
    Full(Batch),
}

impl Broken {
    pub(super) fn new(fault: Option<Fault>) -> Self {
        Self {
            fault,
            state: Mutex::new(State::new(Order::new(fault))),
            room: Notify::new(),
            idle: Notify::new(),
            lock: Mutex::new(()),
        }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// What every way in does first.
    fn come_in(&self, publishes: bool) {
        if self.is(LocksWhileItWakes)
            || self.is(LocksWhilePublishWakes)
            || (self.is(LocksPublishWhileItWakes) && publishes)
        {
            drop(self.lock.lock());
        }
        let (back, by_publish) = {
            let mut state = self.state.lock();
            let back = state.delivers == Some(thread::current().id());
            (back, mem::replace(&mut state.by_publish, publishes))
        };
        let blocks = self.is(BlocksWhoeverComesBack)
            || (self.is(BlocksWhoeverComesBackToPublish) && by_publish);
        if back && blocks {
            thread::sleep(Duration::MAX);
        }
    }

    /// The state, where it is open.
    fn open(&self, batch: Batch) -> Result<(MutexGuard<'_, State>, Batch), RouteError> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(RouteError::Closed);
        }
        if state.to.is_none() {
            if self.is(KeepsWhatItRefusedBeforeStart) {
                state.refused.push(batch);
            }
            return Err(RouteError::NotStarted);
        }
        Ok((state, batch))
    }

    /// Brings a batch in, and works if nobody does.
    pub(super) fn enter(&self, batch: Batch) -> Result<Entered, RouteError> {
        if self.is(LiesAfterShutdown) && self.is_past(16) {
            return Ok(Entered::Taken(
                0,
                ready(vec![Accepted::default(); batch.len()]),
            ));
        }
        let (mut state, batch) = self.open(batch)?;
        let places = if self.is(IsNeverBusy) {
            usize::MAX
        } else {
            PLACES
        };
        if state.busy && state.queue.len() >= places {
            return Ok(Entered::Full(batch));
        }
        let (id, later) = state.push(batch);
        let works = !mem::replace(&mut state.busy, true);
        drop(state);
        if works {
            self.work();
        }
        Ok(Entered::Taken(id, later))
    }

    fn work(&self) {
        loop {
            let mut state = self.state.lock();
            let next = if self.is(TakesTheLastFirst) {
                state.queue.pop_back()
            } else {
                state.queue.pop_front()
            };
            let Some(job) = next else {
                state.busy = false;
                drop(state);
                self.idle.notify_waiters();
                return;
            };
            drop(state);
            self.room.notify_waiters();
            if self.is(SkipsWhatNobodyAwaits) && job.answer.is_closed() {
                continue;
            }
            let accepted = self.deliver(job.batch);
            // Whoever asked may have gone away.
            let _ = job.answer.send(accepted);
        }
    }

    fn order(&self, batch: Batch) -> (Ordered, Arc<dyn Deliver>) {
        let mut state = self.state.lock();
        let to = Arc::clone(state.to.as_ref().expect("it was started"));
        (state.order.order(batch), to)
    }

    /// Orders a batch and delivers it.
    fn deliver(&self, batch: Batch) -> Vec<Accepted> {
        let (Ordered { accepted, routed }, to) = self.order(batch);
        let by_publish = {
            let mut state = self.state.lock();
            state.delivers = Some(thread::current().id());
            state.by_publish
        };
        let locks = self.is(LocksDebugWhileItDelivers)
            || (self.is(LocksDebugWhilePublishDelivers) && by_publish);
        let guard = locks.then(|| self.lock.lock());
        let delivered = if self.is(BreaksABatch) && routed.len() == 4 {
            drop(to.deliver(&routed[..2]));
            to.deliver(&routed[2..])
        } else {
            to.deliver(&routed)
        };
        drop(guard);
        self.state.lock().delivers = None;
        let locks = self.is(LocksWhileItWakes)
            || self.is(LocksPublishWhileItWakes)
            || (self.is(LocksWhilePublishWakes) && by_publish);
        let guard = locks.then(|| self.lock.lock());
        drop(delivered);
        drop(guard);
        accepted
    }

    /// Takes a batch though it is to be refused, or a part of it.
    fn refuse(&self, batch: Batch) {
        let mut state = self.state.lock();
        let single = batch.len() == 1;
        let mut batch = batch.into_iter();
        let Some(first) = batch.next() else { return };
        match self.fault {
            Some(TakesAsMuchOfABatchAsFits) if !single => drop(state.push(first.into())),
            Some(DeliversWhatItRefused) if single && first.event().idempotency_key().is_none() => {
                drop(state.push(first.into()))
            }
            Some(RemembersWhatItRefused) => state.order.remember(&first),
            _ => {}
        }
    }

    /// What some faults do before a publication is brought in; none if that is all.
    async fn before(&self, batch: Batch) -> Result<Result<Vec<Accepted>, Batch>, RouteError> {
        let first = batch.iter().next().map(copy);
        match (self.fault, batch.len()) {
            (Some(PublishesBeforeStart), _) if self.is_unstarted() => {
                return Ok(Ok(vec![Accepted::default(); batch.len()]));
            }
            (Some(DeliversBesideADelivery), 2) if self.state.lock().busy => {
                return Ok(Ok(self.deliver(batch)));
            }
            (Some(DeliversHalfOfWhatWasDropped), _) => {
                let mut half = Half {
                    router: self,
                    batch: Some(batch),
                };
                yield_now().await;
                return Ok(Err(half.batch.take().expect("it is there")));
            }
            (Some(YieldsBeforeItDelivers), 2) if self.is_third_pair() => {
                let (Ordered { accepted, routed }, to) = self.order(batch);
                yield_now().await;
                drop(to.deliver(&routed));
                return Ok(Ok(accepted));
            }
            (Some(AcceptsBehindAShutdown), 2) => {
                let (_, batch) = self.open(batch)?;
                yield_now().await;
                return Ok(Ok(self.deliver(batch)));
            }
            (Some(ForgetsWhatWasDropped | LooksKeysUpTooEarly), 1) => {
                let first = first.expect("there is one");
                if !self.state.lock().order.knows(&first) {
                    if self.is(ForgetsWhatWasDropped) {
                        self.state.lock().order.remember(&first);
                    }
                    yield_now().await;
                    self.state.lock().order.forget(&first);
                }
            }
            _ => {}
        }
        Ok(Err(batch))
    }

    /// Whether this is the third batch of two, or the seventh, and so on.
    fn is_third_pair(&self) -> bool {
        let mut state = self.state.lock();
        state.pairs += 1;
        state.pairs % 4 == 3
    }

    /// Whether it is closed, after more jobs than that.
    fn is_past(&self, jobs: u64) -> bool {
        let state = self.state.lock();
        state.closed && state.jobs > jobs
    }

    fn is_unstarted(&self) -> bool {
        let state = self.state.lock();
        state.to.is_none() && !state.closed
    }
}

#[async_trait]
impl Router for Broken {
    async fn start(&self, to: Arc<dyn Deliver>) -> Result<Position, RouteError> {
        if self.is(StaysHalfStarted) {
            if mem::replace(&mut self.state.lock().starting, true) {
                return Err(RouteError::backend("it is being started"));
            }
            yield_now().await;
        }
        let refused = {
            let mut state = self.state.lock();
            state.starting = false;
            if state.closed && !self.is(StartsAfterShutdown) {
                return Err(RouteError::Closed);
            }
            if let Some(own) = &state.to {
                let same = Arc::ptr_eq(own, &to);
                match self.fault {
                    Some(RefusesARepeatedStart) => return Err(RouteError::Started),
                    Some(SaysAnotherHeadWhenRepeated) if same => return Ok(Position::new(9, 0)),
                    Some(CriesLost) if same => own.lost(None, Lost::Backend),
                    Some(DeliversToARefusedHub) => state.to = Some(to),
                    _ => {}
                }
                if !same && !self.is(TakesAnotherHub) {
                    return Err(RouteError::Started);
                }
            } else {
                state.to = Some(to);
            }
            mem::take(&mut state.refused)
        };
        for batch in refused {
            drop(self.enter(batch));
        }
        let head = self.state.lock().order.sequence;
        Ok(Order::at(head + u64::from(self.is(SaysAHeadTooLate))))
    }

    async fn publish(&self, batch: Batch) -> Result<Vec<Accepted>, RouteError> {
        self.come_in(true);
        if self.is(RefusesAnEmptyBatch) && batch.is_empty() && !self.state.lock().closed {
            return Err(RouteError::backend("nothing to do"));
        }
        let mut batch = match self.before(batch).await? {
            Ok(accepted) => return Ok(accepted),
            Err(batch) => batch,
        };
        let (id, later) = loop {
            let mut room = pin!(self.room.notified());
            room.as_mut().enable();
            batch = match self.enter(batch)? {
                Entered::Taken(id, later) => break (id, later),
                Entered::Full(batch) => batch,
            };
            match self.fault {
                Some(FailsInsteadOfWaiting) => return Err(RouteError::Busy),
                Some(BlocksWhoeverWaits) => {
                    while self.state.lock().queue.len() >= PLACES {
                        thread::yield_now();
                    }
                }
                _ => room.await,
            }
        };
        let _cut = self.is(HalvesWhatIsDroppedInLine).then(|| Cut(self, id));
        later.await.map_err(|_| RouteError::Closed)
    }

    fn try_publish(&self, batch: Batch) -> Result<Pending, RouteError> {
        self.come_in(false);
        if self.is(AsksTheRuntime) {
            drop(Handle::current());
        }
        if self.is(PublishesAfterShutdown) && self.state.lock().closed {
            return Ok(Pending::ready(vec![Accepted::default(); batch.len()]));
        }
        match self.enter(batch)? {
            Entered::Taken(_, later) => Ok(Pending::later(async {
                later.await.map_err(|_| RouteError::Closed)
            })),
            Entered::Full(batch) => {
                self.refuse(batch);
                Err(RouteError::Busy)
            }
        }
    }

    async fn shutdown(&self) {
        let again = {
            let mut state = self.state.lock();
            let many = state.queue.len() > 16;
            if self.is(DropsItsQueueAtShutdown) && many {
                state.queue.clear();
            }
            let closes = !self.is(ClosesWhenAllIsDone);
            let again = mem::replace(&mut state.closed, closes);
            let alone = state.queue.is_empty() && state.jobs == 1;
            if (self.is(ReturnsBeforeItsQueueIsDone) && many)
                || (self.is(ForgetsTheOneAtWork) && alone)
                || (self.is(ReturnsAtOnceWhenShutAgain) && again)
            {
                return;
            }
            (again && self.is(HangsAtASecondShutdown))
                || (state.to.is_none() && self.is(WaitsForAStart))
        };
        if again {
            pending::<()>().await;
        }
        loop {
            let mut idle = pin!(self.idle.notified());
            idle.as_mut().enable();
            {
                let mut state = self.state.lock();
                if !state.busy {
                    state.closed = true;
                    return;
                }
            }
            idle.await;
        }
    }
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is(LocksDebugWhileItDelivers) || self.is(LocksDebugWhilePublishDelivers) {
            drop(self.lock.lock());
        }
        f.debug_struct("Broken").finish_non_exhaustive()
    }
}
