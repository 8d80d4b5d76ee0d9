//! The locks, atomics and tasks that delivery is made of; no other module names them.
//!
//! A normal build gets parking_lot's locks, std's atomics and tokio's tasks under these names, and
//! nothing in between. A build with `--cfg shuttle` gets the model checker's, by which
//! `cargo xtask models` runs the real types through thousands of interleavings: see `models`.

#[cfg(shuttle)]
mod shuttled;

#[cfg(shuttle)]
pub(crate) use self::shuttled::*;
#[cfg(not(shuttle))]
pub(crate) use self::usual::*;

#[cfg(not(shuttle))]
mod usual {
    pub(crate) use parking_lot::{Mutex, RwLock, RwLockWriteGuard};
    pub(crate) use std::sync::atomic;

    pub(crate) mod task {
        pub(crate) use tokio::{
            runtime::Handle,
            task::{JoinHandle, yield_now},
        };
    }
}
