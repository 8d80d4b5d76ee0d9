//! The connections that catch up, and the part of the hub's task that takes care of them.

use std::{collections::VecDeque, sync::Arc};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Notify;

use super::{catch_up::CatchUp, core::Core, turns::Turns};
use crate::{
    Connection,
    hand_over::Tally,
    sync::{Mutex, task::yield_now},
};

/// How many connections the history is asked for at the same time.
const PAGERS: usize = 16;

/// How many fresh states the application makes at the same time.
const FRESH_STATES: usize = 32;

/// How many catch-ups end before other tasks get their turn.
const CHUNK: usize = 64;

/// The connections of a hub that catch up.
#[derive(Debug)]
pub(super) struct CatchUps {
    arrivals: Mutex<VecDeque<Arc<Connection>>>,
    arrived: Notify,
    pub(super) reads: Turns,
    pub(super) fresh_states: Turns,
    tally: Arc<Tally>,
}

impl Default for CatchUps {
    fn default() -> Self {
        Self {
            arrivals: Mutex::default(),
            arrived: Notify::new(),
            reads: Turns::new(PAGERS),
            fresh_states: Turns::new(FRESH_STATES),
            tally: Arc::default(),
        }
    }
}

impl CatchUps {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.tally.now()
    }

    /// Whether there are none: then nothing has to be held for them.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) const fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// One more for the hub's task to take care of, which has to be [notified](Self::notify).
    pub(super) fn put(&self, connection: Arc<Connection>) {
        self.arrivals.lock().push_back(connection);
    }

    /// Wakes the hub's task, if there is something to do.
    pub(super) fn notify(&self) {
        self.arrived.notify_one();
    }

    fn take(&self) -> VecDeque<Arc<Connection>> {
        std::mem::take(&mut *self.arrivals.lock())
    }
}

/// Takes care of all connections that catch up; never ends.
pub(super) async fn drive(core: &Arc<Core>) {
    let mut running = FuturesUnordered::new();
    let mut done = 0;
    loop {
        let arrived = core.catch_ups.take().into_iter();
        running.extend(arrived.filter_map(|connection| {
            let catch_up = CatchUp::of(core, connection)?;
            Some(catch_up.run())
        }));
        tokio::select! {
            () = core.catch_ups.arrived.notified() => {}
            Some(()) = running.next() => {
                done += 1;
                if done % CHUNK == 0 {
                    yield_now().await;
                }
            }
        }
    }
}
