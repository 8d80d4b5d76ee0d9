//! The ticker as a user starts it.

mod page;
mod streams;

use std::net::SocketAddr;

use example_support::test::{Log, Program, address};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ticker");

/// A running ticker; it ends with the test.
struct Ticker {
    program: Program,
    log: Log,
    /// Where it serves over TLS.
    secure: SocketAddr,
}

impl Ticker {
    /// One that tells the time five times a second.
    async fn start() -> Self {
        Self::start_with(&["--every", "200ms"]).await
    }

    async fn start_with(args: &[&str]) -> Self {
        let args = [&["--tls-port", "0"], args].concat();
        let (mut program, log) = Program::start_logging(PROGRAM, "ticker=info", &args).await;
        let secure = address(&program.line().await.expect("where it is over TLS"));
        Self {
            program,
            log,
            secure,
        }
    }
}
