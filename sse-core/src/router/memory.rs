use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use super::Accepted;
use crate::{IdempotencyKey, Position, Target};

/// How long idempotency keys are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyMemory {
    /// How many keys at the most; 100,000 by default. The oldest is forgotten first.
    pub keys: NonZeroUsize,
    /// How long; 10 minutes by default.
    pub age: Duration,
}

impl Default for KeyMemory {
    fn default() -> Self {
        const KEYS: NonZeroUsize = NonZeroUsize::new(100_000).unwrap();
        Self {
            keys: KEYS,
            age: Duration::from_secs(600),
        }
    }
}

/// What was accepted lately under an idempotency key.
///
/// It holds a fingerprint of key and target, so that its size is bounded by the number of keys,
/// however long a list of clients is.
#[derive(Debug)]
pub(super) struct Remembered {
    limits: KeyMemory,
    hashers: [RandomState; 2],
    positions: HashMap<Fingerprint, Option<Position>>,
    /// Oldest first.
    order: VecDeque<(Instant, Fingerprint)>,
}

/// 128 bits that nobody outside can make collide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u64; 2]);

impl Remembered {
    pub(super) fn new(limits: KeyMemory) -> Self {
        Self {
            limits,
            hashers: [RandomState::new(), RandomState::new()],
            positions: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    pub(super) fn fingerprint(&self, key: &IdempotencyKey, target: &Target) -> Fingerprint {
        let hash = |hasher: &RandomState| hasher.hash_one((key, target));
        Fingerprint(self.hashers.each_ref().map(hash))
    }

    /// The answer to a publication that was accepted before.
    pub(super) fn find(&mut self, keyed: Fingerprint, now: Instant) -> Option<Accepted> {
        self.expire(now);
        let position = *self.positions.get(&keyed)?;
        Some(Accepted {
            position,
            duplicate: true,
        })
    }

    pub(super) fn insert(&mut self, keyed: Fingerprint, position: Option<Position>, now: Instant) {
        self.positions.insert(keyed, position);
        self.order.push_back((now, keyed));
        if self.order.len() > self.limits.keys.get() {
            self.forget_oldest();
        }
    }

    fn expire(&mut self, now: Instant) {
        let age = self.limits.age;
        while let Some((since, _)) = self.order.front()
            && now.saturating_duration_since(*since) >= age
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, keyed)) = self.order.pop_front() {
            self.positions.remove(&keyed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClientId;

    fn keyed(memory: &Remembered, key: &str, client: &str) -> Fingerprint {
        let target = Target::client(ClientId::new(client).unwrap());
        memory.fingerprint(&IdempotencyKey::new(key).unwrap(), &target)
    }

    #[test]
    fn remembers_a_key_for_its_target_for_a_while() {
        let limits = KeyMemory {
            keys: NonZeroUsize::new(2).unwrap(),
            age: Duration::from_secs(10),
        };
        let (mut memory, start) = (Remembered::new(limits), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let position = Some(Position::new(1, 1));
        let k = keyed(&memory, "k", "a");
        memory.insert(k, position, at(0));

        let duplicate = Accepted {
            position,
            duplicate: true,
        };
        let other = keyed(&memory, "k", "b");
        assert_eq!(memory.find(k, at(9)), Some(duplicate));
        assert_eq!(memory.find(other, at(9)), None, "another target");
        assert_eq!(memory.find(k, at(10)), None, "too old");

        let keys = ["1", "2", "3"].map(|key| keyed(&memory, key, "a"));
        for key in keys {
            memory.insert(key, None, at(20));
        }
        assert_eq!(memory.find(keys[0], at(20)), None, "too many");
        assert!(memory.find(keys[1], at(20)).is_some());
        assert_eq!(memory.positions.len(), memory.order.len());
    }
}
