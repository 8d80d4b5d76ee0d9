use std::{
    collections::{HashMap, VecDeque},
    num::NonZeroUsize,
    sync::Arc,
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
#[derive(Debug)]
pub(super) struct Remembered {
    limits: KeyMemory,
    positions: HashMap<Arc<Keyed>, Option<Position>>,
    /// Oldest first.
    order: VecDeque<(Instant, Arc<Keyed>)>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Keyed {
    pub(super) key: IdempotencyKey,
    pub(super) target: Target,
}

impl Remembered {
    pub(super) fn new(limits: KeyMemory) -> Self {
        Self {
            limits,
            positions: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// The answer to a publication that was accepted before.
    pub(super) fn find(&mut self, keyed: &Keyed, now: Instant) -> Option<Accepted> {
        self.expire(now);
        let position = *self.positions.get(keyed)?;
        Some(Accepted {
            position,
            duplicate: true,
        })
    }

    pub(super) fn insert(&mut self, keyed: Keyed, position: Option<Position>, now: Instant) {
        let keyed = Arc::new(keyed);
        self.positions.insert(Arc::clone(&keyed), position);
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

    fn keyed(key: &str, client: &str) -> Keyed {
        Keyed {
            key: IdempotencyKey::new(key).unwrap(),
            target: Target::client(ClientId::new(client).unwrap()),
        }
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
        memory.insert(keyed("k", "a"), position, at(0));

        let duplicate = Accepted {
            position,
            duplicate: true,
        };
        assert_eq!(memory.find(&keyed("k", "a"), at(9)), Some(duplicate));
        assert_eq!(memory.find(&keyed("k", "b"), at(9)), None, "another target");
        assert_eq!(memory.find(&keyed("k", "a"), at(10)), None, "too old");

        for key in ["1", "2", "3"] {
            memory.insert(keyed(key, "a"), None, at(20));
        }
        assert_eq!(memory.find(&keyed("1", "a"), at(20)), None, "too many");
        assert!(memory.find(&keyed("2", "a"), at(20)).is_some());
        assert_eq!(memory.positions.len(), memory.order.len());
    }
}
