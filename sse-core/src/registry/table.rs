use std::hash::{BuildHasher, Hash, RandomState};

use hashbrown::HashTable;

/// What carries the key that it is found by.
pub(super) trait Keyed {
    type Key: Hash + Eq;

    fn key(&self) -> &Self::Key;

    /// Reads of what it points to what a delivery reads.
    fn look(&self);
}

/// A map whose entries carry their keys, so that each key is there once.
///
/// Whoever uses it hashes: with this hasher.
#[derive(Debug)]
pub(super) struct Table<T> {
    hasher: RandomState,
    entries: HashTable<T>,
}

impl<T> Table<T> {
    pub(super) const fn new(hasher: RandomState) -> Self {
        Self {
            hasher,
            entries: HashTable::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// How many entries ahead are looked at.
const AHEAD: usize = 8;

impl<T: Keyed> Table<T> {
    /// Calls `each` for each entry. Where these are more than caches hold, each would wait for memory
    /// in turn: several are fetched at once, by a look at them before the first is handed out.
    pub(super) fn for_each(&self, mut each: impl FnMut(&T)) {
        let mut entries = self.entries.iter();
        loop {
            let mut ahead = [None; AHEAD];
            for (place, entry) in ahead.iter_mut().zip(entries.by_ref()) {
                entry.look();
                *place = Some(entry);
            }
            if ahead[0].is_none() {
                break;
            }
            ahead.into_iter().flatten().for_each(&mut each);
        }
    }

    pub(super) fn hash(&self, key: &T::Key) -> u64 {
        self.hasher.hash_one(key)
    }

    pub(super) fn find(&self, hash: u64, key: &T::Key) -> Option<&T> {
        self.entries.find(hash, |entry| entry.key() == key)
    }

    pub(super) fn find_mut(&mut self, hash: u64, key: &T::Key) -> Option<&mut T> {
        self.entries.find_mut(hash, |entry| entry.key() == key)
    }

    /// Adds an entry whose key isn't there.
    pub(super) fn insert(&mut self, hash: u64, entry: T) {
        let hasher = &self.hasher;
        let rehash = |entry: &T| hasher.hash_one(entry.key());
        self.entries.insert_unique(hash, entry, rehash);
    }

    /// Takes out the entry of `key`; gives memory back once next to nothing of it is used, as after
    /// a crowd has left.
    pub(super) fn take(&mut self, hash: u64, key: &T::Key) -> Option<T> {
        let found = self.entries.find_entry(hash, |entry| entry.key() == key);
        let (taken, _) = found.ok()?.remove();
        self.shrink();
        Some(taken)
    }

    /// Takes out any entry.
    pub(super) fn pop(&mut self) -> Option<T> {
        let taken = self.entries.extract_if(|_| true).next();
        self.shrink();
        taken
    }

    fn shrink(&mut self) {
        let len = self.entries.len();
        if len <= self.entries.capacity() / 8 {
            let hasher = &self.hasher;
            let rehash = |entry: &T| hasher.hash_one(entry.key());
            self.entries.shrink_to(len * 2, rehash);
        }
    }
}
