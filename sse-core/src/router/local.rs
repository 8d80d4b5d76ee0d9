use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use smallvec::SmallVec;

use super::{
    Accepted, Batch, Deliver, KeyMemory, Pending, Publication, RouteError, Routed, Router, Ticket,
    ingress::{Ingress, Started},
    memory::Remembered,
};
use crate::{Clock, Draft, IdempotencyKey, Position, Target, TokioClock, sync::Mutex};

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
    key: Option<IdempotencyKey>,
    ticket: Ticket,
}

#[derive(Debug)]
struct Order {
    to: OnceLock<(Arc<dyn Deliver>, Position)>,
    clock: Box<dyn Clock>,
    remembered: Mutex<Remembered>,
}

impl LocalRouter {
    /// A router that remembers idempotency keys as `memory` says, by `clock`.
    pub fn new(memory: KeyMemory, clock: impl Clock) -> Self {
        let order = Arc::new(Order {
            to: OnceLock::new(),
            clock: Box::new(clock),
            remembered: Mutex::new(Remembered::new(memory)),
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
    /// Orders and delivers a batch. The ingress calls it one batch at a time.
    fn route(&self, batch: SmallVec<[Prepared; 1]>) -> Result<Vec<Accepted>, RouteError> {
        let (to, _) = self.to.get().ok_or(RouteError::NotStarted)?;
        let mut accepted = Vec::with_capacity(batch.len());
        let mut routed = SmallVec::<[Routed; 1]>::new();
        let keyed = batch.iter().any(|prepared| prepared.key.is_some());
        let now = keyed.then(|| self.clock.now());
        let mut remembered = self.remembered.lock();
        for prepared in batch {
            if let (Some(key), Some(now)) = (prepared.key, now) {
                let keyed = remembered.fingerprint(&key, &prepared.target);
                if let Some(duplicate) = remembered.find(keyed, now) {
                    accepted.push(duplicate);
                    continue;
                }
                remembered.insert(keyed, None, now);
            }
            accepted.push(Accepted::default());
            routed.push(Routed {
                target: prepared.target,
                frame: prepared.draft.into_frame(None),
                ticket: Some(prepared.ticket),
            });
        }
        let delivered = to.deliver(&routed);
        drop(remembered);
        drop(delivered);
        Ok(accepted)
    }
}

impl From<Publication> for Prepared {
    fn from(publication: Publication) -> Self {
        let (target, event, ticket) = publication.into_parts();
        Self {
            draft: Draft::new(&event),
            key: event.idempotency_key().cloned(),
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
        let head = Position::new(epoch, 0);
        let (own, head) = self.order.to.get_or_init(|| (Arc::clone(&to), head));
        if Arc::ptr_eq(own, &to) {
            Ok(*head)
        } else {
            Err(RouteError::Started)
        }
    }

    async fn publish(&self, batch: Batch) -> Result<Vec<Accepted>, RouteError> {
        let batch = batch.into_iter().map(Prepared::from).collect();
        self.ingress.run(batch).await
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
