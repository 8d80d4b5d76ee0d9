use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::SystemTime,
};

use parking_lot::Mutex;
use sse_core::{
    Bounds, EventId, History, HistoryError, Keep, Kept, Latest, MemoryHistory, Page, PageLimit,
    Position, Routed, Viewer, async_trait,
};

use super::Fault::{self, *};

/// The history in the box with, at most, one thing done wrong.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) fault: Option<Fault>,
    pub(super) inner: MemoryHistory,
    log: Mutex<Log>,
    /// An append that shows later.
    late: Mutex<Option<Routed>>,
    /// How many pages are being made.
    pub(super) reading: AtomicUsize,
}

/// All that was appended, also what is no longer kept.
#[derive(Debug, Clone)]
pub(super) struct Log {
    pub(super) head: Position,
    pub(super) begun: usize,
    pub(super) events: Vec<(SystemTime, Kept)>,
    /// What came before the last beginning.
    pub(super) forgotten: Vec<Kept>,
}

pub(super) fn position(kept: &Kept) -> Position {
    kept.frame.position().unwrap()
}

/// A position so much further on, or back.
pub(super) const fn moved(position: Position, by: i64) -> Position {
    Position::new(
        position.epoch(),
        position.sequence().saturating_add_signed(by),
    )
}

impl Broken {
    pub(super) fn new(fault: Option<Fault>) -> Self {
        Self {
            fault,
            inner: MemoryHistory::last(1_000),
            log: Mutex::new(Log {
                head: Position::new(0, 0),
                begun: 0,
                events: Vec::new(),
                forgotten: Vec::new(),
            }),
            late: Mutex::default(),
            reading: AtomicUsize::new(0),
        }
    }

    pub(super) fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// What was appended since it began.
    pub(super) fn log(&self) -> Log {
        self.log.lock().clone()
    }

    pub(super) fn head(&self) -> Position {
        self.log.lock().head
    }

    /// Keeps what was put off.
    fn catch_up(&self) {
        if let Some(routed) = self.late.lock().take() {
            self.inner.append(&routed);
        }
    }

    /// Whether an append gets lost.
    fn loses(&self, routed: &Routed, begun: usize, count: usize) -> bool {
        match self.fault {
            Some(KeepsNothingOfItsOwnNode) => routed.ticket.is_some(),
            Some(LosesWhatComesBesideAPage) => self.reading.load(Ordering::SeqCst) > 0,
            Some(LosesTheHundredth) => begun > 1 && count.is_multiple_of(100),
            _ => false,
        }
    }
}

#[async_trait]
impl History for Broken {
    async fn bounds(&self) -> Result<Bounds, HistoryError> {
        self.catch_up();
        let mut bounds = self.inner.bounds().await?;
        match self.fault {
            Some(BoundsNothing) => bounds.floor = self.head(),
            Some(CountsOneLess) => bounds.events = bounds.events.saturating_sub(1),
            Some(CountsWhatItForgot) => bounds.events += self.log().forgotten.len() as u64,
            _ => {}
        }
        Ok(bounds)
    }

    async fn locate(
        &self,
        id: &EventId,
        viewer: &Viewer,
    ) -> Result<Option<Position>, HistoryError> {
        self.catch_up();
        self.located(id, viewer).await
    }

    async fn latest(&self, wanted: Latest, viewer: &Viewer) -> Result<Position, HistoryError> {
        self.catch_up();
        self.begin_of(wanted, viewer).await
    }

    async fn page(
        &self,
        after: Position,
        viewer: &Viewer,
        limit: PageLimit,
    ) -> Result<Page, HistoryError> {
        self.page_of(after, viewer, limit).await
    }
}

impl Keep for Broken {
    fn begin(&self, head: Position) {
        let mut log = self.log.lock();
        if self.is(BeginsOnce) && log.begun > 0 {
            return;
        }
        let head = match self.fault {
            Some(BeginsAgainAtZero) if log.begun > 0 => Position::new(head.epoch(), 0),
            _ => head,
        };
        let forgotten = log.events.drain(..).map(|(_, kept)| kept).collect();
        log.forgotten = forgotten;
        log.head = head;
        log.begun += 1;
        drop(log);
        self.late.lock().take();
        self.inner.begin(head);
    }

    fn append(&self, routed: &Routed) {
        self.catch_up();
        let (begun, count) = {
            let mut log = self.log.lock();
            log.events.push((SystemTime::now(), Kept::from(routed)));
            (log.begun, log.events.len())
        };
        if self.is(ShowsAnAppendLater) && count <= 2 {
            *self.late.lock() = Some(routed.clone());
        } else if !self.loses(routed, begun, count) {
            self.inner.append(routed);
        }
    }
}
