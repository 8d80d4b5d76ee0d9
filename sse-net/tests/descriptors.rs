//! A server that is out of descriptors waits for them, and goes on with what it has. The limit is that
//! of the process: this test has one of its own.

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
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{sleep, timeout},
};

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
        let path = if n == 0 {
            "stream".to_owned()
        } else {
            n.to_string()
        };
        let request = format!("GET /{path} HTTP/1.1\r\nhost: x\r\n\r\n");
        clients.push(send(addr, &request).await);
    }
    let before = getrlimit(Resource::Nofile).current.unwrap();
    let lowest_free = File::open("/dev/null").unwrap().as_raw_fd();
    limit_descriptors(u64::try_from(lowest_free).unwrap() + FREE as u64);
    let app = App::new();
    tokio::spawn(server.serve(app.clone()));

    let mut stream = clients.remove(0);
    let first = timeout(PATIENCE, read_until(&mut stream, "first\n"));
    assert!(first.await.is_ok(), "the stream isn't served");
    eventually("it has none left", PATIENCE, || !log.text().is_empty()).await;
    let before_the_second = computed();
    sleep(A_SECOND).await;
    let computed = computed() - before_the_second;
    assert!(computed < A_SECOND / 20, "{computed:?} in a second");
    let is_served = |socket: &TcpStream| matches!(socket.try_read(&mut [0]), Ok(1));
    let (served, mut clients): (Vec<_>, Vec<_>) = clients.into_iter().partition(is_served);
    assert!((1..FREE).contains(&served.len()), "{} are", served.len());
    let logged = log.text();
    assert_eq!(logged.lines().count(), 1, "{logged}");
    assert!(logged.contains("no connection can be accepted"), "{logged}");
    app.push("second\n").await;
    let second = timeout(PATIENCE, read_until(&mut stream, "second\n"));
    assert!(second.await.is_ok(), "the stream doesn't go on");

    // Here each that goes leaves two, its own and the server's: each is another's.
    let mut next: Vec<_> = clients.drain(..2 * served.len()).collect();
    drop(served);
    for (n, client) in next.iter_mut().enumerate() {
        let read = timeout(PATIENCE, read_until(client, "GET /"));
        assert!(read.await.is_ok(), "number {n} of the next isn't served");
    }

    limit_descriptors(before);
    for (n, mut client) in clients.into_iter().enumerate() {
        client
            .write_all(b"GET /again HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let read = timeout(PATIENCE, read_until(&mut client, "GET /again"));
        assert!(read.await.is_ok(), "client {n} isn't served");
    }
    assert_eq!(log.text(), logged);
}
