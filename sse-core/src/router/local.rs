use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use smallvec::SmallVec;

use super::{
    Accepted, Batch, Deliver, KeyMemory, Pending, Publication, RouteError, Routed, Router, Ticket,
    ingress::{Ingress, Started},
    memory::Remembered,
};
use crate::{Clock, Draft, Keep, Position, Target, TokioClock, foreign::caught, sync::Mutex};

/// How many batches wait for their turn before `try_publish` fails, by default.
const INGRESS: usize = 1024;

/// The default router: orders the publications of one process.
///
/// Publishing to a free router delivers at once, on the caller's thread. Beside another
/// publication it waits for its turn without blocking the thread; up to 1,024 batches wait.
#[derive(Debug)]
pub struct LocalRouter {
    order: Arc<Order>,
    ingress: Arc<Ingress<SmallVec<[Prepared; 1]>, Vec<Accepted>>>,
}

/// A publication that is encoded but for its position.
#[derive(Debug)]
struct Prepared {
    target: Target,
    draft: Draft,
    /// Whether it is kept where there is a history.
    keep: bool,
    ticket: Ticket,
}

#[derive(Debug)]
struct Order {
    to: OnceLock<(Arc<dyn Deliver>, Position)>,
    clock: Box<dyn Clock>,
    history: Option<Box<dyn Keep>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    remembered: Remembered,
    /// The sequence of the event that was kept last.
    newest: u64,
}

impl LocalRouter {
    /// A router that remembers idempotency keys as `memory` says, by `clock`, and keeps no events.
    pub fn new(memory: KeyMemory, clock: impl Clock) -> Self {
        Self::with(memory, clock, None)
    }

    /// A router whose events `history` keeps.
    pub fn keeping(history: impl Keep, memory: KeyMemory, clock: impl Clock) -> Self {
        Self::with(memory, clock, Some(Box::new(history)))
    }

    fn with(memory: KeyMemory, clock: impl Clock, history: Option<Box<dyn Keep>>) -> Self {
        let order = Arc::new(Order {
            to: OnceLock::new(),
            clock: Box::new(clock),
            history,
            state: Mutex::new(State {
                remembered: Remembered::new(memory),
                newest: 0,
            }),
        });
        let ingress = Ingress::new(INGRESS, {
            let order = Arc::clone(&order);
            move |batch| order.route(batch)
        });
        Self { order, ingress }
    }
}

impl Default for LocalRouter {
    fn default() -> Self {
        Self::new(KeyMemory::default(), TokioClock)
    }
}

impl Order {
    fn begin(&self, to: &Arc<dyn Deliver>, epoch: u64) -> (Arc<dyn Deliver>, Position) {
        let head = Position::new(epoch, 0);
        if let Some(history) = &self.history {
            history.begin(head);
        }
        (Arc::clone(to), head)
    }

    /// Orders, keeps and delivers a batch. The ingress calls it one batch at a time.
    fn route(&self, batch: SmallVec<[Prepared; 1]>) -> Result<Vec<Accepted>, RouteError> {
        let (to, head) = self.to.get().ok_or(RouteError::NotStarted)?;
        let mut accepted = Vec::with_capacity(batch.len());
        let mut routed = SmallVec::<[Routed; 1]>::new();
        let keyed = batch
            .iter()
            .any(|prepared| prepared.draft.idempotency_key().is_some());
        let now = keyed.then(|| self.clock.now());
        let mut state = self.state.lock();
        let State { remembered, newest } = &mut *state;
        for prepared in batch {
            let keyed = prepared.draft.idempotency_key().zip(now);
            let keyed =
                keyed.map(|(key, now)| (remembered.fingerprint(key, &prepared.target), now));
            if let Some((keyed, now)) = keyed
                && let Some(duplicate) = remembered.find(keyed, now)
            {
                accepted.push(duplicate);
                continue;
            }
            let kept = prepared.keep && self.history.is_some();
            let position = kept.then(|| {
                *newest += 1;
                Position::new(head.epoch(), *newest)
            });
            if let Some((keyed, now)) = keyed {
                remembered.insert(keyed, position, now);
            }
            accepted.push(Accepted {
                position,
                duplicate: false,
            });
            routed.push(Routed {
                target: prepared.target,
                frame: prepared.draft.into_frame(position),
                ticket: Some(prepared.ticket),
            });
        }
        // Before they are delivered: whoever knows of an event finds it.
        self.keep(&routed);
        let delivered = to.deliver(&routed);
        drop(state);
        drop(delivered);
        Ok(accepted)
    }

    /// Has the history keep what has a position. Should it panic, it begins anew after that: who
    /// comes back from before is told that something is missing.
    fn keep(&self, routed: &[Routed]) {
        let Some(history) = &self.history else {
            return;
        };
        let has_position = |routed: &&Routed| routed.frame.position().is_some();
        let append = |routed: &Routed| caught(|| history.append(routed));
        let whole = routed
            .iter()
            .filter(has_position)
            .all(|routed| append(routed).is_some());
        let last = routed
            .iter()
            .rev()
            .find_map(|routed| routed.frame.position());
        if let Some(last) = last.filter(|_| !whole) {
            tracing::error!("the history panicked: it begins anew");
            if caught(|| history.begin(last)).is_none() {
                tracing::error!("the history panicked again: what it says is not to be relied on");
            }
        }
    }
}

impl From<Publication> for Prepared {
    fn from(publication: Publication) -> Self {
        let (target, event, ticket) = publication.into_parts();
        Self {
            draft: Draft::new(&event),
            keep: event.is_kept_for(&target),
            target,
            ticket,
        }
    }
}

#[async_trait]
impl Router for LocalRouter {
    async fn start(&self, to: Arc<dyn Deliver>) -> Result<Position, RouteError> {
        if self.ingress.is_closed() {
            return Err(RouteError::Closed);
        }
        let epoch = getrandom::u64().map_err(RouteError::backend)?;
        let order = &self.order;
        let (own, head) = order.to.get_or_init(|| order.begin(&to, epoch));
        if Arc::ptr_eq(own, &to) {
            Ok(*head)
        } else {
            Err(RouteError::Started)
        }
    }

    async fn publish(&self, batch: Batch) -> Result<Vec<Accepted>, RouteError> {
        let batch = batch.into_iter().map(Prepared::from).collect();
        match self.ingress.run_now(batch) {
            Ok(done) => done,
            // Apart, so that what is boxed for a free router is small.
            Err(batch) => Box::pin(self.ingress.run(batch)).await,
        }
    }

    fn try_publish(&self, batch: Batch) -> Result<Pending, RouteError> {
        let batch = batch.into_iter().map(Prepared::from).collect();
        Ok(match self.ingress.try_run(batch)? {
            Started::Done(accepted) => Pending::ready(accepted),
            Started::Queued(answer) => Pending::later(answer),
        })
    }

    async fn shutdown(&self) {
        self.ingress.close().await;
    }
}
