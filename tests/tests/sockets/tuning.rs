//! What the kernel's buffers are good for: what a client that keeps up gets through them, and what
//! they hold for one that reads nothing. It prints figures and proves nothing:
//! `cargo test --release -p sse-conformance --test sockets tuning -- --ignored --nocapture`

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use sse_core::{Event, Hub, MemoryHistory, Overflow};
use sse_net::{Tuning, listen_with};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    alone,
    dead::kernel,
    ways::{ANY_PORT, Way, serve_on},
};

const KB: u32 = 1024;
const EVENTS: usize = 30_000;
const STALLED: usize = 100;
const ROUNDS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it only measures"]
#[expect(clippy::print_stdout, reason = "it is what it is for")]
async fn throughput_and_memory() {
    let _alone = alone().await;
    println!("unsent      send buffer  a reader that keeps up  held for one that reads nothing");
    for (unsent, send_buffer) in [
        (None, None),
        (Some(128 * KB), None),
        (Some(64 * KB), None),
        (Some(16 * KB), None),
        (Some(4 * KB), None),
        (None, Some(64 * KB)),
        (None, Some(16 * KB)),
        (Some(16 * KB), Some(64 * KB)),
        (Some(16 * KB), Some(16 * KB)),
    ] {
        let mut tuning = Tuning::default();
        (tuning.unsent, tuning.send_buffer) = (unsent, send_buffer);
        let mut rates = Vec::new();
        for _ in 0..ROUNDS {
            rates.push(throughput(tuning).await);
        }
        rates.sort_unstable();
        let held = held(tuning).await;
        let name =
            |bytes: Option<u32>| bytes.map_or("system's".into(), |b| format!("{} KiB", b / KB));
        println!(
            "{:<11} {:<12} {:>7} MB/s            {:>7} KiB",
            name(unsent),
            name(send_buffer),
            rates[ROUNDS / 2],
            held / u64::from(KB)
        );
    }
}

fn serve(hub: &Hub, tuning: Tuning) -> SocketAddr {
    let listener = listen_with(ANY_PORT, tuning).unwrap();
    serve_on(listener, hub, Way::WarpOnSseNet, Duration::from_secs(90))
}

async fn open(addr: SocketAddr, last: &str) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!("GET /ada HTTP/1.1\r\nHost: x\r\nLast-Event-ID: {last}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// In MB a second, to a client that replays events of 1 kB.
async fn throughput(tuning: Tuning) -> u64 {
    let history = MemoryHistory::last(EVENTS);
    let hub = Hub::builder().history(history).build().unwrap();
    let first = hub.broadcast(Event::text("first")).await.unwrap();
    for _ in 1..EVENTS {
        let event = Event::text("x".repeat(1_000));
        hub.broadcast(event).await.unwrap();
    }
    let addr = serve(&hub, tuning);
    let start = Instant::now();
    let mut stream = open(addr, &first.position().unwrap().to_string()).await;
    let (mut buffer, mut bytes) = (vec![0; 256 * 1024], 0);
    while bytes < EVENTS * 1_000 {
        let read = timeout(PATIENCE, stream.read(&mut buffer)).await;
        let read = read.expect("it goes on").unwrap();
        assert!(read > 0, "it was cut off");
        bytes += read;
    }
    (bytes as f64 / start.elapsed().as_secs_f64() / 1e6) as u64
}

/// How much the kernel holds of the server's for each of many that read nothing, once it takes no
/// more.
async fn held(tuning: Tuning) -> u64 {
    let hub = Hub::builder().overflow(Overflow::DropOldest);
    let hub = hub.build().unwrap();
    let addr = serve(&hub, tuning);
    let mut stalled = Vec::new();
    for _ in 0..STALLED {
        stalled.push(open(addr, "").await);
    }
    let mut in_vain = 0;
    while in_vain < 100 {
        let event = Event::text("x".repeat(10_000));
        let receipt = hub.broadcast(event).await.unwrap();
        let dropped = receipt.outcome().await.unwrap().dropped;
        in_vain = if dropped as usize == STALLED {
            in_vain + 1
        } else {
            0
        };
        sleep(Duration::from_millis(1)).await;
    }
    let held = kernel::sockets_of(addr);
    held.iter().sum::<u64>() / held.len() as u64
}
