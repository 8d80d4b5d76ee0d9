//! The server as a user starts it, for the tests.

use std::{net::SocketAddr, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// A running server; it ends with the test.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    _process: Child,
}

impl Server {
    /// Starts the server on a free port.
    pub(crate) async fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_notifications"));
        command.args(["--port", "0"]).args(args);
        let (process, mut lines) = spawn(&mut command);
        let line = lines
            .next_line()
            .await
            .unwrap()
            .expect("the server says where it is");
        let (_, rest) = line.split_once("http://").expect("a URL");
        let (addr, _) = rest.split_once('/').expect("a path");
        Self {
            addr: addr.parse().unwrap(),
            _process: process,
        }
    }
}

/// Starts a process that ends with the test, and reads what it prints.
pub(crate) fn spawn(command: &mut Command) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut process = command
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{:?}: {error}", command.as_std().get_program()));
    let stdout = process.stdout.take().expect("it is piped");
    (process, BufReader::new(stdout).lines())
}
