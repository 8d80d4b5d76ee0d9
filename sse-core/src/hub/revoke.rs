//! Connections whose permission is taken back.

use std::sync::Arc;

use super::{Hub, core::Core, wakes::Wakes};
use crate::{CloseReason, Connection, Frame, Target};

/// What a page is told whose permission has run out.
pub(super) const EXPIRED: &str = "expired";

impl Hub {
    /// Ends every connection on this node that `target` means at once, as when its token is revoked; how
    /// many those were. What waits in their queues isn't delivered; a `closed` that says the `reason`
    /// is.
    ///
    /// A connection that has ended otherwise, and has something left to read, reads no more either; it
    /// doesn't count. What a transport has taken out of a queue is on its way. Whether a client may come
    /// back is for the application to judge; see [`disconnect_for_good`](Self::disconnect_for_good) for
    /// one that may not. A sink of the application's own is closed, with
    /// [`Revoked`](CloseReason::Revoked), and is given no `closed`.
    pub fn revoke(&self, target: &Target, reason: &str) -> usize {
        self.core().revoke(target, reason)
    }
}

impl Core {
    fn revoke(self: &Arc<Self>, target: &Target, reason: &str) -> usize {
        let closed = self.sinks.notices().closed(reason);
        let mut wakes = Wakes::new(self);
        let mut count = 0;
        let section = self.section.lock();
        // Whoever becomes active or ends in order does so inside the section: nobody slips through.
        for connection in self.roster.inactive() {
            if self.will_mean(target, &connection) {
                count += usize::from(self.take_back(&connection, &closed, &mut wakes));
            }
        }
        self.visit_active(target, &mut |connection, _| {
            count += usize::from(self.take_back(connection, &closed, &mut wakes));
        });
        drop(section);
        count
    }

    pub(super) fn revoke_one(&self, connection: &Arc<Connection>, reason: &str, wakes: &mut Wakes) {
        let closed = self.sinks.notices().closed(reason);
        let _section = self.section.lock();
        self.take_back(connection, &closed, wakes);
    }

    fn take_back(&self, connection: &Arc<Connection>, closed: &Frame, wakes: &mut Wakes) -> bool {
        self.end_saying(connection, CloseReason::Revoked, closed, wakes)
    }
}
