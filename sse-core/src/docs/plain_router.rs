use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sse_core::{
    Accepted, Batch, Deliver, IdempotencyKey, Pending, Position, Publication, RouteError, Router,
    Target, async_trait,
};
use tokio::sync::{Mutex, MutexGuard};

#[derive(Debug, Default)]
struct PlainRouter {
    order: Mutex<Order>,
    /// Beside the lock: a shutdown closes at once, and then waits for it.
    closed: AtomicBool,
}

#[derive(Debug, Default)]
struct Order {
    to: Option<Arc<dyn Deliver>>,
    /// The last hundred.
    keys: VecDeque<(IdempotencyKey, Target)>,
}

impl Order {
    fn is_duplicate(&mut self, publication: &Publication) -> bool {
        let Some(key) = publication.event().idempotency_key() else {
            return false;
        };
        let keyed = (key.clone(), publication.target().clone());
        if self.keys.contains(&keyed) {
            return true;
        }
        self.keys.truncate(99);
        self.keys.push_front(keyed);
        false
    }
}

impl PlainRouter {
    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    fn route(
        &self,
        mut order: MutexGuard<'_, Order>,
        batch: Batch,
    ) -> Result<Vec<Accepted>, RouteError> {
        if self.is_closed() {
            return Err(RouteError::Closed);
        }
        let to = order.to.clone().ok_or(RouteError::NotStarted)?;
        let (mut accepted, mut routed) = (Vec::new(), Vec::new());
        for publication in batch {
            let duplicate = order.is_duplicate(&publication);
            if !duplicate {
                routed.push(publication.route(None));
            }
            accepted.push(Accepted {
                position: None,
                duplicate,
            });
        }
        let delivered = to.deliver(&routed);
        drop(order);
        drop(delivered);
        Ok(accepted)
    }
}

#[async_trait]
impl Router for PlainRouter {
    async fn start(&self, to: Arc<dyn Deliver>) -> Result<Position, RouteError> {
        let mut order = self.order.lock().await;
        if self.is_closed() {
            return Err(RouteError::Closed);
        }
        if Arc::ptr_eq(order.to.get_or_insert_with(|| Arc::clone(&to)), &to) {
            Ok(Position::new(0, 0))
        } else {
            Err(RouteError::Started)
        }
    }

    async fn publish(&self, batch: Batch) -> Result<Vec<Accepted>, RouteError> {
        self.route(self.order.lock().await, batch)
    }

    fn try_publish(&self, batch: Batch) -> Result<Pending, RouteError> {
        match self.order.try_lock() {
            Ok(order) => self.route(order, batch).map(Pending::ready),
            Err(_) if self.is_closed() => Err(RouteError::Closed),
            Err(_) => Err(RouteError::Busy),
        }
    }

    async fn shutdown(&self) {
        self.closed.store(true, Ordering::SeqCst);
        drop(self.order.lock().await);
    }
}
