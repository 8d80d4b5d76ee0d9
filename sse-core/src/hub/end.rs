//! How a connection ends.

use std::sync::Arc;

use super::{
    core::{Core, guarded},
    wakes::Wakes,
};
use crate::{CloseReason, Connection, Frame, Target, connection::Stage};

impl Core {
    /// Ends a connection: closes its sink and frees its slot, in one step. What others are to
    /// learn of it goes into `wakes`, for when no lock is held.
    ///
    /// `false` if it had ended before.
    pub(super) fn end(
        &self,
        connection: &Arc<Connection>,
        reason: CloseReason,
        wakes: &mut Wakes,
    ) -> bool {
        wakes.wake(connection);
        self.end_unwoken(connection, reason, wakes)
    }

    /// As [`end`](Self::end), but leaves the sink unwoken: waking it panics.
    pub(super) fn end_unwoken(
        &self,
        connection: &Arc<Connection>,
        reason: CloseReason,
        wakes: &mut Wakes,
    ) -> bool {
        self.end_after(connection, reason, None, wakes)
    }

    /// As [`end`](Self::end), with `last` in place of all that waits.
    pub(super) fn end_saying(
        &self,
        connection: &Arc<Connection>,
        reason: CloseReason,
        last: &Frame,
        wakes: &mut Wakes,
    ) -> bool {
        wakes.wake(connection);
        self.end_after(connection, reason, Some(last), wakes)
    }

    fn end_after(
        &self,
        connection: &Arc<Connection>,
        reason: CloseReason,
        last: Option<&Frame>,
        wakes: &mut Wakes,
    ) -> bool {
        let before = {
            // In one step: a hub that ends at the same time has its task wait for this one too.
            let mut leaving = self.leaving.lock();
            let before = connection.end();
            leaving.extend(before.map(|_| connection.id()));
            before
        };
        let last = last.zip(connection.queue());
        // A body that is gone frees what still waited for it.
        if before.is_some() || last.is_some() || reason == CloseReason::ClientGone {
            match last {
                Some((last, queue)) => queue.close_with(last, reason),
                None => drop(guarded(connection, || connection.sink().close(reason))),
            }
            // One that has something to read is watched until it is gone.
            let is_over = reason.discards() && last.is_none();
            if is_over || before == Some(Stage::Dormant) {
                self.roster.remove(connection);
            }
        }
        if before.is_none() {
            return false;
        }
        self.slots
            .give_back(connection, &connection.release_groups());
        self.counters.ended(reason);
        wakes.announce(connection, reason);
        true
    }

    /// Throws away what still waits for the reader of a connection that has ended.
    pub(super) fn give_up(&self, connection: &Arc<Connection>, wakes: &mut Wakes) {
        self.roster.remove(connection);
        // Of the reasons that discard what waits the nearest.
        let close = || connection.sink().close(CloseReason::Stalled);
        guarded(connection, close);
        wakes.wake(connection);
    }

    /// Tells of an end, the hub's task among others, which takes the connection out of the registry.
    pub(super) fn announce_end(&self, connection: &Connection, reason: CloseReason) {
        self.presence.disconnected(connection, reason);
        tracing::debug!(
            connection = %connection.id(),
            client = ?connection.client(),
            %reason,
            "connection ended"
        );
        self.left.notify_one();
    }

    /// Ends each connection that `target` means; how many those were.
    pub(super) fn disconnect(self: &Arc<Self>, target: &Target, reason: CloseReason) -> usize {
        let mut wakes = Wakes::new(self);
        let mut closed = 0;
        let section = self.section.lock();
        self.visit_active(target, &mut |connection, _| {
            closed += usize::from(self.end(connection, reason, &mut wakes));
        });
        drop(section);
        closed
    }
}
