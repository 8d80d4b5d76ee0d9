use std::{net::TcpListener, process::Stdio, time::Duration};

use redis::{AsyncCommands, AsyncConnectionConfig, aio::MultiplexedConnection};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// Whoever wants to use it has to say so.
pub(crate) const PASSWORD: &str = "the-password-of-redis";

/// How long it may take to answer, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(20);

/// A Redis that ends with the test, and keeps nothing but in memory.
pub(crate) struct Redis {
    port: u16,
    process: Child,
    folder: TempDir,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        Self::start_at(free_port(), tempfile::tempdir().unwrap()).await
    }

    async fn start_at(port: u16, folder: TempDir) -> Self {
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
        command.args([
            "--save",
            "",
            "--appendonly",
            "no",
            "--requirepass",
            PASSWORD,
        ]);
        command.arg("--dir").arg(folder.path());
        command.stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command
            .spawn()
            .expect("a redis-server: `cargo xtask setup` installs it");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("Ready to accept connections") {
                // Nobody else reads what it says.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Self {
                    port,
                    process,
                    folder,
                };
            }
        }
        panic!("the redis-server ends");
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://:{PASSWORD}@127.0.0.1:{}", self.port)
    }

    /// What another service has that revokes tokens.
    pub(crate) async fn connection(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.url()).unwrap();
        let patient = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        let connection = client.get_multiplexed_async_connection_with_config(&patient);
        connection.await.unwrap()
    }

    /// Revokes a token as anybody may who has this Redis.
    pub(crate) async fn revoke(&self, jti: &str) {
        let mut connection = self.connection().await;
        let key = format!("gateway:revoked:{jti}");
        let () = connection.set_ex(key, 1, 600).await.unwrap();
    }

    /// Ends it; what it knew is forgotten.
    pub(crate) async fn stop(mut self) -> Stopped {
        self.process.kill().await.unwrap();
        Stopped {
            port: self.port,
            folder: self.folder,
        }
    }
}

/// One that is to be there again.
pub(crate) struct Stopped {
    port: u16,
    folder: TempDir,
}

impl Stopped {
    pub(crate) async fn start(self) -> Redis {
        Redis::start_at(self.port, self.folder).await
    }

    /// Where none is yet.
    pub(crate) fn not_yet() -> Self {
        Self {
            port: free_port(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://:{PASSWORD}@127.0.0.1:{}", self.port)
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}
