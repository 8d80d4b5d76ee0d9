//! Many clients that come back at once, while others go on getting events.
//!
//! The suite runs it small. At full size, in a release build:
//! `SSE_STORM_CLIENTS=10000 cargo test --release -p sse-conformance --test sockets storm -- --nocapture`

use std::{
    env,
    io::Read,
    net::SocketAddr,
    process::Stdio,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::{
    alone,
    ways::{self, Way},
};
use sse_core::{Event, Hub, MemoryHistory, Position, Subscribe};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    task::JoinSet,
    time::timeout,
};

/// How many events wait for each client that comes back.
const EVENTS: usize = 10;

/// How many get an event every few milliseconds meanwhile.
const WATCHERS: usize = 10;

const PATIENCE: Duration = Duration::from_secs(60);

fn clients() -> usize {
    let asked = env::var("SSE_STORM_CLIENTS").ok();
    asked.map_or(1_000, |asked| asked.parse().expect("a number"))
}

fn nanos() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_nanos()
}

/// The server, in a process of its own: a process has no descriptors for both ends of that many.
#[test]
#[expect(clippy::print_stdout, reason = "the other tests read it")]
#[ignore = "a part of the other tests, which run it as a process"]
fn serve() {
    let way = match env::var("SSE_STORM_WAY").as_deref() {
        Ok("poem") => Way::PoemOnSseNet,
        _ => Way::WarpOnSseNet,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.spawn(async move {
        let kept = clients() * EVENTS;
        let hub = Hub::builder()
            .history(MemoryHistory::last(2 * kept))
            .build()
            .unwrap();
        let start = Subscribe::client_id("nobody").unwrap();
        drop(hub.subscribe(start).await.unwrap());
        let start = hub.history().await.unwrap().unwrap().newest;
        for number in 0..kept {
            let client = (number % clients()).to_string();
            let event = Event::text((number / clients()).to_string());
            hub.send_to(client, event).await.unwrap();
        }
        let addr = ways::serve(&hub, way);
        println!("\nserving {addr} {start}");
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        loop {
            tick.tick().await;
            let event = Event::text(nanos().to_string());
            hub.send_to("watcher", event).await.unwrap();
        }
    });
    // Until the test ends.
    let _ = std::io::stdin().read(&mut [0]);
}

struct Server {
    addr: SocketAddr,
    start: Position,
    _process: Child,
}

impl Server {
    async fn start(way: &str) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", "resume_storm::serve", "--ignored", "--nocapture"])
            .env("SSE_STORM_WAY", way)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let said = loop {
            let line = lines.next_line().await.unwrap().expect("it serves");
            if let Some(said) = line.strip_prefix("serving ") {
                break said.to_owned();
            }
        };
        let (addr, start) = said.split_once(' ').unwrap();
        Self {
            addr: addr.parse().unwrap(),
            start: start.parse().unwrap(),
            _process: process,
        }
    }

    async fn open(&self, client: &str, last: Option<Position>) -> TcpStream {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        let last = last.map_or(String::new(), |last| format!("Last-Event-ID: {last}\r\n"));
        let request = format!("GET /{client} HTTP/1.1\r\nHost: x\r\n{last}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }
}

/// When the first byte came, and the last event; what came.
struct CaughtUp {
    first_byte: Duration,
    done: Duration,
    text: String,
}

async fn catch_up(mut stream: TcpStream, started: Instant) -> (CaughtUp, TcpStream) {
    let (mut text, mut first_byte) = (Vec::new(), None);
    while !text.windows(9).any(|window| window == b"caught-up") {
        let read = stream.read_buf(&mut text).await.unwrap();
        assert!(read > 0, "cut: {}", String::from_utf8_lossy(&text));
        first_byte.get_or_insert_with(|| started.elapsed());
    }
    let caught_up = CaughtUp {
        first_byte: first_byte.unwrap(),
        done: started.elapsed(),
        text: String::from_utf8(text).unwrap(),
    };
    (caught_up, stream)
}

/// How late each event is that comes until the test ends.
async fn watch(mut stream: TcpStream, delays: Arc<Mutex<Vec<Duration>>>) {
    let (mut text, mut read) = (String::new(), [0; 16_384]);
    loop {
        let len = stream.read(&mut read).await.unwrap();
        let now = nanos();
        text.push_str(std::str::from_utf8(&read[..len]).unwrap());
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        let sent = text[..whole]
            .lines()
            .filter_map(|line| line.strip_prefix("data: "));
        let sent = sent.filter_map(|sent| sent.parse::<u128>().ok());
        let late = sent.map(|sent| Duration::from_nanos((now.saturating_sub(sent)) as u64));
        delays.lock().unwrap().extend(late);
        text.drain(..whole);
    }
}

fn percentile(mut of: Vec<Duration>, percent: usize) -> Duration {
    of.sort_unstable();
    of[(of.len() * percent / 100).min(of.len() - 1)]
}

#[expect(
    clippy::print_stdout,
    reason = "it is what the test is for, at full size"
)]
async fn storm(way: &str) {
    let server = Arc::new(Server::start(way).await);
    let delays = Arc::<Mutex<Vec<Duration>>>::default();
    let mut watchers = JoinSet::new();
    for _ in 0..WATCHERS {
        watchers.spawn(watch(
            server.open("watcher", None).await,
            Arc::clone(&delays),
        ));
    }
    let at_least = |count: usize| {
        let delays = Arc::clone(&delays);
        async move {
            while delays.lock().unwrap().len() < count {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    };
    timeout(PATIENCE, at_least(100 * WATCHERS))
        .await
        .expect("live events");
    let calm = std::mem::take(&mut *delays.lock().unwrap());

    let started = Instant::now();
    let mut returning = JoinSet::new();
    for client in 0..clients() {
        let server = Arc::clone(&server);
        returning.spawn(async move {
            let began = Instant::now();
            let stream = server.open(&client.to_string(), Some(server.start)).await;
            let (caught_up, stream) = catch_up(stream, began).await;
            (client, caught_up, stream)
        });
    }
    let (mut first_bytes, mut slowest, mut open) = (Vec::new(), Duration::ZERO, Vec::new());
    while let Some(done) = timeout(PATIENCE, returning.join_next())
        .await
        .expect("in time")
    {
        let (
            client,
            CaughtUp {
                first_byte,
                done,
                text,
            },
            stream,
        ) = done.unwrap();
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        let numbers: Vec<usize> = data.filter_map(|data| data.parse().ok()).collect();
        assert_eq!(
            numbers,
            (0..EVENTS).collect::<Vec<_>>(),
            "client {client}: {text}"
        );
        assert!(!text.contains("event: gap"), "{text}");
        first_bytes.push(first_byte);
        slowest = slowest.max(done);
        open.push(stream);
    }
    let took = started.elapsed();
    let busy = std::mem::take(&mut *delays.lock().unwrap());
    println!(
        "{way}: {} clients caught up in {took:.2?} (the slowest took {slowest:.2?}); first byte \
         p50 {:.1?} p99 {:.1?}; live events late by p50 {:.1?} p99 {:.1?} (before: p50 {:.1?} p99 {:.1?})",
        clients(),
        percentile(first_bytes.clone(), 50),
        percentile(first_bytes, 99),
        percentile(busy.clone(), 50),
        percentile(busy, 99),
        percentile(calm.clone(), 50),
        percentile(calm, 99),
    );
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_catch_up_at_once_on_poem_and_on_warp() {
    let _alone = alone().await;
    for way in ["poem", "warp"] {
        storm(way).await;
    }
}
