//! A program as a user starts it, for tests.

use std::{
    net::SocketAddr,
    process::Stdio,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdout, Command},
};

/// A running program that serves; it ends with the test.
#[derive(Debug)]
pub struct Program {
    /// Where it serves.
    pub addr: SocketAddr,
    /// Its process.
    pub process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// Starts a program, on a free port unless `args` name one.
    ///
    /// # Panics
    ///
    /// It doesn't start, or doesn't say where it is.
    pub async fn start(path: &str, args: &[&str]) -> Self {
        Self::start_as(Command::new(path), args).await
    }

    /// The same, logging all from `level` on.
    ///
    /// # Panics
    ///
    /// It doesn't start, or doesn't say where it is.
    pub async fn start_logging(path: &str, level: &str, args: &[&str]) -> (Self, Log) {
        let mut command = Command::new(path);
        command.env("RUST_LOG", level).env_remove("NO_COLOR");
        command.stderr(Stdio::piped());
        let mut program = Self::start_as(command, args).await;
        let stderr = program.process.stderr.take().expect("it is piped");
        (program, Log::of(stderr))
    }

    async fn start_as(mut command: Command, args: &[&str]) -> Self {
        if !args.contains(&"--port") {
            command.args(["--port", "0"]);
        }
        command.args(args);
        let (process, mut lines) = spawn(&mut command);
        let line = lines.next_line().await.expect("text");
        let line = line.expect("the server says where it is");
        Self {
            addr: address(&line),
            process,
            lines,
        }
    }

    /// Tells it to end, as `kill` does.
    ///
    /// # Panics
    ///
    /// It has ended.
    pub fn terminate(&self) {
        let id = self.process.id().expect("it runs");
        let id = id.try_into().ok().and_then(rustix::process::Pid::from_raw);
        let id = id.expect("a process");
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("it runs");
    }

    /// The next line that it prints; none once it has ended.
    ///
    /// # Panics
    ///
    /// It isn't text.
    pub async fn line(&mut self) -> Option<String> {
        self.lines.next_line().await.expect("text")
    }
}

/// The address in a line that names a URL.
///
/// # Panics
///
/// There is none.
#[must_use]
pub fn address(line: &str) -> SocketAddr {
    let (_, rest) = line.split_once("://").expect("a URL");
    let (addr, _) = rest.split_once('/').expect("a path");
    addr.parse().expect("an address")
}

/// What a process has logged so far.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// What comes from standard error, read as it comes.
    #[must_use]
    pub fn of(mut stderr: ChildStderr) -> Self {
        let log = Self::default();
        let written = log.clone();
        tokio::spawn(async move {
            let mut piece = [0; 8_192];
            while let Ok(len @ 1..) = stderr.read(&mut piece).await {
                written.lock().extend_from_slice(&piece[..len]);
            }
        });
        log
    }

    /// It, unless it isn't even text.
    ///
    /// # Panics
    ///
    /// It isn't text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8(self.lock().clone()).expect("text")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.0.lock().expect("no reader panics")
    }
}

/// Starts a process that ends with the test, and reads what it prints.
///
/// # Panics
///
/// There is no such program.
pub fn spawn(command: &mut Command) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut process = command
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{:?}: {error}", command.as_std().get_program()));
    let stdout = process.stdout.take().expect("it is piped");
    (process, BufReader::new(stdout).lines())
}
