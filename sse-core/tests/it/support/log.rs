//! A log whose answers can be slow, late, or none.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use sse_core::*;

use super::{Reader, panic_quietly, soon};

/// A router with a history of its own, whose answers can be slow, late, or none.
#[derive(Debug, Default)]
pub(crate) struct Log {
    router: Mutex<Option<Arc<LocalRouter>>>,
    pub(crate) kept: Arc<MemoryHistory>,
    to: Mutex<Option<Arc<dyn Deliver>>>,
    pub(crate) pages: AtomicUsize,
    pub(crate) slow: AtomicBool,
    pub(crate) fault: Mutex<Option<Fault>>,
    /// The history shows no events after this sequence.
    pub(crate) shows: Mutex<Option<u64>>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    Fails,
    Panics,
    Hangs,
    /// Says that whatever it is asked for is gone.
    Evicts,
}

impl Log {
    pub(crate) fn new() -> Arc<Self> {
        let log = Self {
            kept: Arc::new(MemoryHistory::last(10_000_000)),
            ..Self::default()
        };
        let router = LocalRouter::keeping(Arc::clone(&log.kept), KeyMemory::default(), TokioClock);
        *log.router.lock().unwrap() = Some(Arc::new(router));
        Arc::new(log)
    }

    pub(crate) fn hub(self: &Arc<Self>) -> HubBuilder {
        Hub::builder().log(Arc::clone(self))
    }

    fn router(&self) -> Arc<LocalRouter> {
        self.router.lock().unwrap().clone().unwrap()
    }

    pub(crate) fn deliverer(&self) -> Arc<dyn Deliver> {
        self.to.lock().unwrap().clone().unwrap()
    }

    async fn answer(&self) -> Result<(), HistoryError> {
        self.pages.fetch_add(1, Ordering::SeqCst);
        if self.slow.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let fault = *self.fault.lock().unwrap();
        match fault {
            None => Ok(()),
            Some(Fault::Fails) => Err(HistoryError::backend("away")),
            Some(Fault::Evicts) => {
                let floor = self.kept.bounds().await?.newest;
                Err(HistoryError::Evicted { floor })
            }
            Some(Fault::Panics) => panic_quietly(),
            Some(Fault::Hangs) => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Router for Log {
    async fn start(&self, to: Arc<dyn Deliver>) -> Result<Position, RouteError> {
        *self.to.lock().unwrap() = Some(Arc::clone(&to));
        self.router().start(to).await
    }
    async fn publish(&self, batch: Batch) -> Result<Vec<Accepted>, RouteError> {
        self.router().publish(batch).await
    }
    fn try_publish(&self, batch: Batch) -> Result<Pending, RouteError> {
        self.router().try_publish(batch)
    }
    async fn shutdown(&self) {
        self.router().shutdown().await;
    }
}

#[async_trait]
impl History for Log {
    async fn bounds(&self) -> Result<Bounds, HistoryError> {
        self.answer().await?;
        self.kept.bounds().await
    }
    async fn locate(
        &self,
        id: &EventId,
        viewer: &Viewer,
    ) -> Result<Option<Position>, HistoryError> {
        self.answer().await?;
        self.kept.locate(id, viewer).await
    }
    async fn latest(&self, wanted: Latest, viewer: &Viewer) -> Result<Position, HistoryError> {
        self.answer().await?;
        self.kept.latest(wanted, viewer).await
    }
    async fn page(
        &self,
        after: Position,
        viewer: &Viewer,
        limit: PageLimit,
    ) -> Result<Page, HistoryError> {
        self.answer().await?;
        let mut page = self.kept.page(after, viewer, limit).await?;
        if let Some(shows) = *self.shows.lock().unwrap() {
            let position = |kept: &Kept| kept.frame.position().unwrap();
            page.events
                .retain(|kept| position(kept).sequence() <= shows);
            let shown = Position::new(after.epoch(), shows.max(after.sequence()));
            page.looked_to = if page.looked_to < shown {
                page.looked_to
            } else {
                shown
            };
        }
        Ok(page)
    }
}

/// Reads until it has caught up.
pub(crate) async fn until_caught_up(reader: &mut Reader) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    while !seen.iter().any(|seen| seen.starts_with("caught-up")) {
        let events = soon(reader.next()).await.expect("it goes on");
        seen.extend(events.iter().map(ToString::to_string));
    }
    seen
}

pub(crate) fn numbers(seen: &[String]) -> Vec<u64> {
    seen.iter().filter_map(|seen| seen.parse().ok()).collect()
}
