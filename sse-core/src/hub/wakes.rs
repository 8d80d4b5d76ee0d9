use std::sync::Arc;

use smallvec::SmallVec;

use super::core::guarded;
use crate::Connection;

/// Connections whose sinks are to be woken once no lock is held: when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Wakes(SmallVec<[Arc<Connection>; 2]>);

impl Wakes {
    pub(super) fn push(&mut self, connection: &Arc<Connection>) {
        self.0.push(Arc::clone(connection));
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Arc<Connection>) -> bool) {
        self.0.retain(|connection| keep(connection));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        for connection in &self.0 {
            guarded(connection, || connection.sink().wake());
        }
    }
}
