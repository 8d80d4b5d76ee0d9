//! A server that is out of descriptors waits for them, and does nothing else. The limit is that of
//! the process: this test has one of its own.

#[path = "it/support/mod.rs"]
mod support;

use std::{
    fs::File,
    io,
    os::fd::AsRawFd,
    sync::{Arc, Mutex},
    time::Duration,
};

use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    time::{ClockId, clock_gettime},
};
use sse_conformance::eventually;
use support::{App, PATIENCE, bind, read_until, send};
use tokio::{io::AsyncWriteExt, net::TcpStream};

const CLIENTS: usize = 20;
/// How many of them the server can take.
const FREE: usize = 5;
const A_SECOND: Duration = Duration::from_secs(1);

/// What is logged.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How long this process has been computing.
fn computed() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}

fn limit_descriptors(current: u64) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = Some(current);
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
}

#[tokio::test]
async fn it_waits_and_recovers() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .init();
    let (server, addr) = bind();
    // The kernel accepts them; what is written waits for the server.
    let mut clients = Vec::new();
    for n in 0..CLIENTS {
        clients.push(send(addr, &format!("GET /{n} HTTP/1.1\r\nhost: x\r\n\r\n")).await);
    }
    let before = getrlimit(Resource::Nofile).current.unwrap();
    let lowest_free = File::open("/dev/null").unwrap().as_raw_fd();
    limit_descriptors(u64::try_from(lowest_free).unwrap() + FREE as u64);
    tokio::spawn(server.serve(App::new()));

    let mut first = clients.remove(0);
    read_until(&mut first, "GET /0").await;
    eventually("it has none left", PATIENCE, || !log.text().is_empty()).await;
    let before_the_second = computed();
    tokio::time::sleep(A_SECOND).await;
    let computed = computed() - before_the_second;
    assert!(computed < A_SECOND / 20, "{computed:?} in a second");
    let served = |socket: &TcpStream| {
        let mut byte = [0];
        matches!(socket.try_read(&mut byte), Ok(1))
    };
    let waiting = clients.iter().filter(|socket| !served(socket)).count();
    assert!(waiting >= CLIENTS - FREE - 1, "{waiting} wait");
    let logged = log.text();
    assert_eq!(logged.lines().count(), 1, "{logged}");
    assert!(logged.contains("no connection can be accepted"), "{logged}");

    limit_descriptors(before);
    for (n, mut client) in clients.into_iter().enumerate() {
        client
            .write_all(b"GET /again HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let read = tokio::time::timeout(PATIENCE, read_until(&mut client, "GET /again"));
        assert!(read.await.is_ok(), "client {n} isn't served");
    }
    assert_eq!(log.text(), logged);
}
