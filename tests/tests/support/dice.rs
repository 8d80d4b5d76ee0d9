//! Random choices that a seed repeats.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    ops::RangeInclusive,
};

/// Pseudo-random numbers (SplitMix64).
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The dice of one `owner`: what they show doesn't depend on when others throw theirs.
    pub(crate) fn of(seed: u64, owner: impl Hash) -> Self {
        // Unlike `RandomState`'s, its keys are always the same.
        let mut hasher = DefaultHasher::new();
        (seed, owner).hash(&mut hasher);
        Self(hasher.finish())
    }

    /// A number in `range`.
    pub(crate) fn pick(&mut self, range: RangeInclusive<usize>) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let (low, high) = range.into_inner();
        low + (z % (high - low + 1) as u64) as usize
    }

    /// Whether a chance of one in `n` has come.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.pick(1..=n) == 1
    }
}
