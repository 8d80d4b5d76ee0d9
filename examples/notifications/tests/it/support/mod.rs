//! The server as a user starts it, for the tests.

use std::{
    net::SocketAddr,
    process::Stdio,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdout, Command},
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
        Self::start_as(program(), args).await
    }

    /// The same, logging all from `level` on.
    pub(crate) async fn start_logging(level: &str, args: &[&str]) -> (Self, Log) {
        let mut command = program();
        command.env("RUST_LOG", level).env_remove("NO_COLOR");
        command.stderr(Stdio::piped());
        let mut server = Self::start_as(command, args).await;
        let stderr = server.process.stderr.take().expect("it is piped");
        (server, Log::of(stderr))
    }

    async fn start_as(mut command: Command, args: &[&str]) -> Self {
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
    pub(crate) fn terminate(&self) {
        let id = self.process.id().expect("it runs");
        let id = rustix::process::Pid::from_raw(id.try_into().unwrap()).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    }

    /// The next line that it prints; none once it has ended.
    pub(crate) async fn line(&mut self) -> Option<String> {
        self.lines.next_line().await.unwrap()
    }
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_notifications"))
}

/// What a process has logged so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn of(mut stderr: ChildStderr) -> Self {
        let log = Self::default();
        let written = log.clone();
        tokio::spawn(async move {
            let mut piece = [0; 8_192];
            while let Ok(len @ 1..) = stderr.read(&mut piece).await {
                written.0.lock().unwrap().extend_from_slice(&piece[..len]);
            }
        });
        log
    }

    /// It, unless it isn't even text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
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
