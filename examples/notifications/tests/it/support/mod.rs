//! The server as a user starts it, for the tests.

use std::{net::SocketAddr, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// A running server; it ends with the test.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts the server, on a free port unless `args` name one.
    pub(crate) async fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_notifications"));
        if !args.contains(&"--port") {
            command.args(["--port", "0"]);
        }
        command.args(args);
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
            process,
            lines,
        }
    }

    /// Tells it to end, as `kill` does.
    #[allow(dead_code, reason = "each test file uses a part of it")]
    pub(crate) fn terminate(&self) {
        let id = self.process.id().expect("it runs");
        let id = rustix::process::Pid::from_raw(id.try_into().unwrap()).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    }

    /// The next line that it prints; none once it has ended.
    #[allow(dead_code, reason = "each test file uses a part of it")]
    pub(crate) async fn line(&mut self) -> Option<String> {
        self.lines.next_line().await.unwrap()
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
