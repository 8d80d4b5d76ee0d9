//! The same names over shuttle's types, with the methods that this crate calls.
//!
//! Shuttle runs the tasks of a model one at a time on one thread of the operating system. It
//! chooses the next one before and after each lock, at each atomic, and where a task waits.

use std::sync::PoisonError;

use shuttle::sync::{MutexGuard, RwLockReadGuard};
pub(crate) use shuttle::sync::{RwLockWriteGuard, atomic};

/// As parking_lot's: it isn't poisoned by a panic.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

impl<T> Mutex<T> {
    #[track_caller]
    pub(crate) const fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As parking_lot's: it isn't poisoned by a panic. A task that reads it twice at once fails.
#[derive(Debug, Default)]
pub(crate) struct RwLock<T>(shuttle::sync::RwLock<T>);

impl<T> RwLock<T> {
    #[track_caller]
    pub(crate) const fn new(value: T) -> Self {
        Self(shuttle::sync::RwLock::new(value))
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) mod task {
    use std::{cell::Cell, future::Future, mem};

    pub(crate) use shuttle::future::yield_now;

    /// The runtime that a task of a model is in.
    #[cfg_attr(not(test), expect(dead_code, reason = "the models enter them"))]
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Runtime {
        /// One that polls what is spawned on it.
        Driven,
        /// One that nobody drives: what is spawned on it is neither polled nor dropped.
        Undriven,
        /// None: the task is a thread of its own.
        None,
    }

    shuttle::thread_local! {
        static RUNTIME: Cell<Runtime> = const { Cell::new(Runtime::Driven) };
    }

    impl Runtime {
        /// From here on the calling task is in this one.
        #[cfg_attr(not(test), expect(dead_code, reason = "the models do"))]
        pub(crate) fn enter(self) {
            RUNTIME.with(|runtime| runtime.set(self));
        }
    }

    #[derive(Debug)]
    pub(crate) struct Handle(Runtime);

    impl Handle {
        pub(crate) fn try_current() -> Result<Self, NoRuntime> {
            match RUNTIME.with(Cell::get) {
                Runtime::None => Err(NoRuntime),
                runtime => Ok(Self(runtime)),
            }
        }

        /// A model isn't over, and is stuck if nothing else can go on, before the task has ended.
        pub(crate) fn spawn<T: Send + 'static>(
            &self,
            future: impl Future<Output = T> + Send + 'static,
        ) -> JoinHandle<T> {
            JoinHandle(match self.0 {
                Runtime::Undriven => {
                    mem::forget(future);
                    None
                }
                _ => Some(shuttle::future::spawn(future)),
            })
        }
    }

    #[derive(Debug)]
    pub(crate) struct NoRuntime;

    #[derive(Debug)]
    pub(crate) struct JoinHandle<T>(Option<shuttle::future::JoinHandle<T>>);

    impl<T> Drop for JoinHandle<T> {
        fn drop(&mut self) {
            // Shuttle waits for no task whose handle is dropped.
            mem::forget(self.0.take());
        }
    }
}
