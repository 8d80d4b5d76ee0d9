use std::hash::{BuildHasher, RandomState};

use super::table::{Keyed, Table};
use crate::sync::{RwLock, RwLockWriteGuard};

/// How many locks a table is spread over.
const SHARDS: usize = 16;

/// A table spread over several locks, each with a table of its own.
#[derive(Debug)]
pub(super) struct Shards<T> {
    hasher: RandomState,
    shards: [RwLock<Table<T>>; SHARDS],
}

impl<T> Default for Shards<T> {
    fn default() -> Self {
        let hasher = RandomState::new();
        Self {
            shards: std::array::from_fn(|_| RwLock::new(Table::new(hasher.clone()))),
            hasher,
        }
    }
}

impl<T: Keyed> Shards<T> {
    /// What `read` says of the entry of `key`, under its lock; none if there is no entry.
    pub(super) fn read<R>(&self, key: &T::Key, read: impl FnOnce(&T) -> R) -> Option<R> {
        let hash = self.hasher.hash_one(key);
        let table = self.of(hash).read();
        table.find(hash, key).map(read)
    }

    /// Takes the lock of `key`.
    pub(super) fn lock<'a>(&'a self, key: &'a T::Key) -> Place<'a, T> {
        let hash = self.hasher.hash_one(key);
        let table = self.of(hash).write();
        Place { table, hash, key }
    }

    /// Calls `each` for each entry, under the lock that it is under.
    pub(super) fn for_each(&self, mut each: impl FnMut(&T)) {
        for shard in &self.shards {
            shard.read().for_each(&mut each);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().len()).sum()
    }

    fn of(&self, hash: u64) -> &RwLock<Table<T>> {
        // The table itself uses the lowest bits, and the highest seven.
        &self.shards[(hash >> 48) as usize % SHARDS]
    }
}

/// Where the entry of a key is, or would be, under its lock.
pub(super) struct Place<'a, T: Keyed> {
    table: RwLockWriteGuard<'a, Table<T>>,
    hash: u64,
    key: &'a T::Key,
}

impl<T: Keyed> Place<'_, T> {
    pub(super) fn get(&mut self) -> Option<&mut T> {
        self.table.find_mut(self.hash, self.key)
    }

    /// Fills the place, which is empty.
    pub(super) fn fill(&mut self, entry: T) {
        self.table.insert(self.hash, entry);
    }

    /// Takes the entry out.
    pub(super) fn take(&mut self) -> Option<T> {
        self.table.take(self.hash, self.key)
    }
}
