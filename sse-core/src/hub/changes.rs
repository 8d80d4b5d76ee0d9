use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};

use crate::ConnectionId;

/// Makes the changes to one connection's groups happen one after the other, so that the registry
/// and what the hub tells of it agree.
#[derive(Debug)]
pub(super) struct Changes {
    hasher: RandomState,
    turns: [Mutex<()>; 32],
}

impl Default for Changes {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            turns: std::array::from_fn(|_| Mutex::const_new(())),
        }
    }
}

impl Changes {
    /// The turn of `connection`, shared with a few others.
    pub(super) async fn of(&self, connection: ConnectionId) -> MutexGuard<'_, ()> {
        let hash = self.hasher.hash_one(connection);
        self.turns[hash as usize % self.turns.len()].lock().await
    }
}
