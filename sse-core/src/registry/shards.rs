use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
};

use crate::sync::RwLock;

/// How many locks a map is spread over: enough that a fan-out, which holds one at a time, is
/// seldom in the way of a connect.
const SHARDS: usize = 16;

/// A hash map spread over several locks.
#[derive(Debug)]
pub(super) struct Shards<K, V> {
    hasher: RandomState,
    shards: [RwLock<HashMap<K, V>>; SHARDS],
}

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| RwLock::default()),
        }
    }
}

impl<K: Hash + Eq, V> Shards<K, V> {
    /// The shard that `key` is in.
    pub(super) fn of<Q: Hash + ?Sized>(&self, key: &Q) -> &RwLock<HashMap<K, V>>
    where
        K: Borrow<Q>,
    {
        // The high bits: the map itself uses the low ones of a hash of its own.
        &self.shards[(self.hasher.hash_one(key) >> 60) as usize % SHARDS]
    }

    /// Takes `key` out of its shard, and gives memory back that a crowd has left.
    pub(super) fn take<Q: Hash + Eq + ?Sized>(shard: &mut HashMap<K, V>, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let taken = shard.remove(key);
        if shard.len() <= shard.capacity() / 8 {
            shard.shrink_to(shard.len() * 2);
        }
        taken
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &RwLock<HashMap<K, V>>> {
        self.shards.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.iter().map(|shard| shard.read().len()).sum()
    }
}
