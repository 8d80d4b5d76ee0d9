use std::{fmt, sync::Arc, thread};

use parking_lot::Mutex;
use sse_core::{
    Accepted, Batch, Deliver, Pending, Position, RouteError, Routed, Router, async_trait,
};
use tokio::{
    runtime::Builder,
    sync::{mpsc, watch},
    task::yield_now,
};

use super::order::{Order, Ordered};

/// Where a router delivers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Post {
    /// In a task.
    Task,
    /// On a thread of its own.
    Thread,
    /// On a thread of its own, with a runtime of one thread.
    Runtime,
}

/// A router that delivers by itself, some time after the answer, as one does that reads a log.
pub(super) struct Posting {
    at: Post,
    state: Mutex<State>,
    ended: watch::Sender<bool>,
}

struct State {
    order: Order,
    to: Option<Arc<dyn Deliver>>,
    post: Option<mpsc::Sender<Vec<Routed>>>,
    closed: bool,
}

async fn deliver(
    to: Arc<dyn Deliver>,
    mut posted: mpsc::Receiver<Vec<Routed>>,
    ended: watch::Sender<bool>,
) {
    while let Some(routed) = posted.recv().await {
        yield_now().await;
        drop(to.deliver(&routed));
    }
    ended.send_replace(true);
}

type Place = mpsc::OwnedPermit<Vec<Routed>>;

impl Posting {
    pub(super) fn new(at: Post) -> Self {
        Self {
            at,
            state: Mutex::new(State {
                order: Order::new(None),
                to: None,
                post: None,
                closed: false,
            }),
            ended: watch::Sender::new(false),
        }
    }

    fn post(&self) -> Result<mpsc::Sender<Vec<Routed>>, RouteError> {
        let state = self.state.lock();
        if state.closed {
            return Err(RouteError::Closed);
        }
        state.post.clone().ok_or(RouteError::NotStarted)
    }

    fn accept(&self, place: Place, batch: Batch) -> Result<Vec<Accepted>, RouteError> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(RouteError::Closed);
        }
        let Ordered { accepted, routed } = state.order.order(batch);
        drop(place.send(routed));
        Ok(accepted)
    }
}

#[async_trait]
impl Router for Posting {
    async fn start(&self, to: Arc<dyn Deliver>) -> Result<Position, RouteError> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(RouteError::Closed);
        }
        let head = Order::at(state.order.sequence);
        if let Some(own) = &state.to {
            let same = Arc::ptr_eq(own, &to);
            return same.then_some(head).ok_or(RouteError::Started);
        }
        state.to = Some(Arc::clone(&to));
        let (post, mut posted) = mpsc::channel::<Vec<Routed>>(64);
        state.post = Some(post);
        let ended = self.ended.clone();
        match self.at {
            Post::Task => drop(tokio::spawn(deliver(to, posted, ended))),
            Post::Thread => drop(thread::spawn(move || {
                while let Some(routed) = posted.blocking_recv() {
                    drop(to.deliver(&routed));
                }
                ended.send_replace(true);
            })),
            Post::Runtime => drop(thread::spawn(|| {
                let runtime = Builder::new_current_thread().build().unwrap();
                runtime.block_on(deliver(to, posted, ended));
            })),
        }
        Ok(head)
    }

    async fn publish(&self, batch: Batch) -> Result<Vec<Accepted>, RouteError> {
        let place = self.post()?.reserve_owned().await;
        let accepted = self.accept(place.map_err(|_| RouteError::Closed)?, batch)?;
        yield_now().await;
        Ok(accepted)
    }

    fn try_publish(&self, batch: Batch) -> Result<Pending, RouteError> {
        let place = self.post()?.try_reserve_owned();
        let accepted = self.accept(place.map_err(|_| RouteError::Busy)?, batch)?;
        Ok(Pending::later(async {
            yield_now().await;
            Ok(accepted)
        }))
    }

    async fn shutdown(&self) {
        let started = {
            let mut state = self.state.lock();
            state.closed = true;
            drop(state.post.take());
            state.to.is_some()
        };
        if started {
            // Its sender is this router's own.
            let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
        }
    }
}

impl fmt::Debug for Posting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Posting").finish_non_exhaustive()
    }
}
