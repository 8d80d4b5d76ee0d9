//! The program that drives a browser.

use std::process::Stdio;

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::BrowserKind;

/// How often a driver is started: one looks for a port that is free over IPv4 and IPv6, and ends if
/// another program was faster.
const STARTS: usize = 5;

/// Runs a driver, and kills it with all that it started once the standard input ends: the test holds
/// the other end, and lets go of it however it ends.
const UNTIL_THE_TEST_ENDS: &str = r#""$@" & exec >&-; read -r _; kill -KILL 0"#;

/// A running driver. It ends with its owner, and the browser with it.
#[derive(Debug)]
pub(crate) struct Driver {
    port: u16,
    process: Child,
    /// Where the browser leaves what it doesn't clean up.
    _scratch: TempDir,
}

impl Driver {
    /// Starts the driver of a browser.
    ///
    /// # Panics
    ///
    /// There is none.
    pub(crate) async fn start(kind: BrowserKind) -> Self {
        let program = kind.driver();
        for _ in 0..STARTS {
            let scratch = TempDir::new().expect("a temporary folder");
            let mut process = Command::new("sh")
                .args(["-c", UNTIL_THE_TEST_ENDS, "sh"])
                .arg(&program)
                .arg("--port=0")
                .env("HOME", scratch.path())
                .env("TMPDIR", scratch.path())
                .env_remove("XDG_CACHE_HOME")
                .env_remove("XDG_CONFIG_HOME")
                .envs(kind.environment().iter().copied())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .process_group(0)
                .spawn()
                .expect("a shell");
            let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some((_, port)) = line.split_once(kind.before_the_port()) {
                    let port = port.trim_end_matches('.').parse().expect("a port");
                    // What it prints later goes nowhere, but has to be read.
                    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                    return Self {
                        port,
                        process,
                        _scratch: scratch,
                    };
                }
            }
        }
        let program = program.display();
        panic!("{program} doesn't start; run `cargo xtask setup`");
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends it, with all that it started.
    pub(crate) async fn end(mut self) {
        drop(self.process.stdin.take());
        self.process.wait().await.expect("it is a child");
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use tokio::time::timeout;

    use super::*;
    use crate::PATIENCE;

    #[tokio::test]
    async fn a_driver_ends_with_its_owner() {
        for kind in [BrowserKind::Chromium, BrowserKind::Firefox] {
            let driver = Driver::start(kind).await;
            let listens = |port| TcpStream::connect(("127.0.0.1", port)).is_ok();
            let port = driver.port;
            assert!(listens(port), "{kind:?}");
            drop(driver);
            let ended = timeout(PATIENCE, async {
                while listens(port) {
                    tokio::task::yield_now().await;
                }
            });
            assert!(ended.await.is_ok(), "{kind:?}");
        }
    }
}
