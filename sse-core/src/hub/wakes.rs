use std::sync::Arc;

use smallvec::SmallVec;

use super::core::{Core, guarded};
use crate::{CloseReason, Connection};

/// What is to follow once no lock is held: sinks to wake, ends to announce. It follows when this
/// is dropped.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    sinks: SmallVec<[Arc<Connection>; 2]>,
    ended: Vec<Ended>,
}

#[derive(Debug)]
struct Ended {
    core: Arc<Core>,
    connection: Arc<Connection>,
    reason: CloseReason,
}

impl Wakes {
    /// The sink of `connection` has something for its reader.
    pub(super) fn wake(&mut self, connection: &Arc<Connection>) {
        self.sinks.push(Arc::clone(connection));
    }

    /// `connection` has ended, and nobody has been told.
    pub(super) fn announce(
        &mut self,
        core: &Arc<Core>,
        connection: &Arc<Connection>,
        reason: CloseReason,
    ) {
        self.ended.push(Ended {
            core: Arc::clone(core),
            connection: Arc::clone(connection),
            reason,
        });
    }

    /// How many sinks are to be woken.
    pub(super) fn len(&self) -> usize {
        self.sinks.len()
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        for connection in &self.sinks {
            guarded(connection, || connection.sink().wake());
        }
        for ended in self.ended.drain(..) {
            ended.core.announce_end(&ended.connection, ended.reason);
        }
    }
}
