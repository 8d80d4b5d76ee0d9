//! The server as a user starts it, for the tests.

use std::ops::{Deref, DerefMut};

use example_support::test::Program;
pub(crate) use example_support::test::{Log, spawn};

const PROGRAM: &str = env!("CARGO_BIN_EXE_notifications");

/// A running server; it ends with the test.
pub(crate) struct Server(Program);

impl Server {
    /// Starts the server, on a free port unless `args` name one.
    pub(crate) async fn start(args: &[&str]) -> Self {
        Self(Program::start(PROGRAM, args).await)
    }

    /// The same, logging all from `level` on.
    pub(crate) async fn start_logging(level: &str, args: &[&str]) -> (Self, Log) {
        let (program, log) = Program::start_logging(PROGRAM, level, args).await;
        (Self(program), log)
    }
}

impl Deref for Server {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.0
    }
}

impl DerefMut for Server {
    fn deref_mut(&mut self) -> &mut Program {
        &mut self.0
    }
}
