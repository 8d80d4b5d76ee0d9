//! The seed of random choices: it repeats them.

use std::{
    env,
    hash::{BuildHasher, RandomState},
};

/// Names the seed of the next run.
pub(crate) const SEED: &str = "SSE_CUTS_SEED";

/// The seed that the environment names, or else a new one.
pub(crate) fn seed() -> u64 {
    match env::var(SEED) {
        Ok(seed) => seed.parse().expect("a seed is a number"),
        Err(_) => RandomState::new().hash_one(()),
    }
}
