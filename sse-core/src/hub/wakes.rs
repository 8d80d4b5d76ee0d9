use std::sync::Arc;

use smallvec::SmallVec;

use super::core::{Core, guarded};
use crate::{CloseReason, Connection, foreign::caught, sink::Wakers};

/// What is to follow once no lock is held: sinks to wake, ends to announce. It follows when this
/// is dropped.
#[derive(Debug)]
pub(super) struct Wakes {
    core: Arc<Core>,
    /// Those who read the hub's own queues.
    readers: Wakers,
    sinks: SmallVec<[Arc<Connection>; 2]>,
    ended: Vec<(Arc<Connection>, CloseReason)>,
}

impl Wakes {
    pub(super) fn new(core: &Arc<Core>) -> Self {
        Self {
            core: Arc::clone(core),
            readers: Wakers::new(),
            sinks: SmallVec::new(),
            ended: Vec::new(),
        }
    }

    /// Whom to wake who reads one of the hub's own queues.
    pub(super) const fn readers(&mut self) -> &mut Wakers {
        &mut self.readers
    }

    /// The sink of `connection` has something for its reader.
    pub(super) fn wake(&mut self, connection: &Arc<Connection>) {
        let last = self.sinks.last();
        if !last.is_some_and(|last| Arc::ptr_eq(last, connection)) {
            self.sinks.push(Arc::clone(connection));
        }
    }

    /// `connection` has ended, and nobody has been told.
    pub(super) fn announce(&mut self, connection: &Arc<Connection>, reason: CloseReason) {
        self.ended.push((Arc::clone(connection), reason));
    }

    /// Wakes each sink once, however often it was noted.
    pub(super) fn dedup(&mut self) {
        self.sinks.sort_unstable_by_key(Arc::as_ptr);
        self.sinks
            .dedup_by_key(|connection| Arc::as_ptr(connection));
    }

    /// Does all of it now.
    pub(super) fn flush(&mut self) {
        for reader in self.readers.drain(..) {
            if caught(|| reader.wake()).is_none() {
                tracing::error!("a reader's task panicked when it was woken");
            }
        }
        for connection in std::mem::take(&mut self.sinks) {
            let woken = guarded(&connection, || connection.sink().wake());
            if woken.is_none() {
                let core = Arc::clone(&self.core);
                core.end_unwoken(&connection, CloseReason::SinkFailed, self);
            }
        }
        for (connection, reason) in self.ended.drain(..) {
            self.core.announce_end(&connection, reason);
        }
    }

    /// How many readers and sinks are to be woken.
    pub(super) fn len(&self) -> usize {
        self.readers.len() + self.sinks.len()
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        self.flush();
    }
}
