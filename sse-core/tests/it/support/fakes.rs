//! Sinks and routers that do less than they should, or note what they are asked.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll},
    time::Duration,
};

use sse_core::{
    Accepted, Batch, CloseReason, Deliver, EventSink, Frame, Offer, Pending, Position, Progress,
    RouteError, Router, WhenFull, async_trait,
};

use super::{Seen, parse};

/// A router that accepts everything and delivers nothing.
#[derive(Debug)]
pub(crate) struct Silent;

#[async_trait]
impl Router for Silent {
    async fn start(&self, _: Arc<dyn Deliver>) -> Result<Position, RouteError> {
        Ok(Position::new(0, 0))
    }

    async fn publish(&self, batch: Batch) -> Result<Vec<Accepted>, RouteError> {
        Ok(vec![Accepted::default(); batch.len()])
    }

    fn try_publish(&self, batch: Batch) -> Result<Pending, RouteError> {
        Ok(Pending::ready(vec![Accepted::default(); batch.len()]))
    }

    async fn shutdown(&self) {}
}

/// A sink whose transport takes everything at once, and notes what was called.
#[derive(Debug, Default)]
pub(crate) struct Notebook {
    pub(crate) frames: Mutex<Vec<Seen>>,
    pub(crate) wakes: AtomicUsize,
    pub(crate) closed: Mutex<Option<CloseReason>>,
}

impl Notebook {
    pub(crate) fn read(&self) -> Vec<String> {
        let frames = std::mem::take(&mut *self.frames.lock().unwrap());
        frames.iter().map(ToString::to_string).collect()
    }

    pub(crate) fn reason(&self) -> Option<CloseReason> {
        *self.closed.lock().unwrap()
    }
}

impl EventSink for Notebook {
    fn try_send(&self, frame: &Frame, _: WhenFull) -> Offer {
        if self.is_closed() {
            return Offer::Closed;
        }
        self.frames
            .lock()
            .unwrap()
            .append(&mut parse(frame.bytes()));
        Offer::QUEUED
    }

    fn wake(&self) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
    }

    fn poll_room(&self, _: &mut Context<'_>, _: usize) -> Poll<bool> {
        Poll::Ready(!self.is_closed())
    }

    fn progress(&self) -> Progress {
        Progress::default()
    }

    fn close(&self, reason: CloseReason) {
        self.closed.lock().unwrap().get_or_insert(reason);
    }

    fn is_closed(&self) -> bool {
        self.reason().is_some()
    }
}

/// A sink that holds up the ordered section at every event, until it is let go on.
#[derive(Debug)]
pub(crate) struct Gate {
    entered: Mutex<mpsc::Sender<()>>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

/// The other side of a [`Gate`].
#[derive(Debug)]
pub(crate) struct Keeper {
    entered: mpsc::Receiver<()>,
    go_on: mpsc::Sender<()>,
}

impl Gate {
    pub(crate) fn new() -> (Arc<Self>, Keeper) {
        let (enter, entered) = mpsc::channel();
        let (go_on, went_on) = mpsc::channel();
        let gate = Self {
            entered: Mutex::new(enter),
            go_on: Mutex::new(went_on),
        };
        (Arc::new(gate), Keeper { entered, go_on })
    }
}

impl Keeper {
    /// Waits until the section is held up.
    pub(crate) fn wait(&self) {
        let limit = Duration::from_secs(30);
        self.entered.recv_timeout(limit).expect("it was held up");
    }

    pub(crate) fn let_go(&self) {
        self.go_on.send(()).expect("the gate is there");
    }
}

impl EventSink for Gate {
    fn try_send(&self, frame: &Frame, _: WhenFull) -> Offer {
        if !frame.is_notice() {
            let _ = self.entered.lock().unwrap().send(());
            // Open for good once the keeper is gone.
            let _ = self.go_on.lock().unwrap().recv();
        }
        Offer::QUEUED
    }

    fn wake(&self) {}

    fn poll_room(&self, _: &mut Context<'_>, _: usize) -> Poll<bool> {
        Poll::Ready(true)
    }

    fn progress(&self) -> Progress {
        Progress::default()
    }

    fn close(&self, _: CloseReason) {}

    fn is_closed(&self) -> bool {
        false
    }
}
