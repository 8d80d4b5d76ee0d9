//! Clients that mean harm: while they do what they do a healthy stream goes on and new ones are opened,
//! and once they are gone nothing is left of them.

pub(crate) mod frames;

use std::{future::pending, net::SocketAddr, time::Duration};

use sse_conformance::{StreamClient, eventually};
use sse_core::Hub;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use self::frames::{Frames, PREFACE};
use crate::{
    alone,
    bystanders::{Bystanders, calm},
    dice::Dice,
    ways::{Way, each_way, serve_heads_within},
};

each_way! {
    thousands_that_reset_at_once,
    a_thousand_whose_heads_come_byte_by_byte_and_never_end,
    whatever_bytes_instead_of_http,
    an_http_2_preface_and_whatever_frames,
    http_2_streams_that_are_reset_as_soon_as_asked_for,
    heads_that_are_too_large,
    http_2_heads_that_never_end,
    bodies_that_never_end,
}

/// Where there is a limit for a request's head.
const HEAD_WITHIN: Duration = Duration::from_secs(1);
/// How long a client waits for an answer that may not come.
const A_MOMENT: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(10);

/// So many clients are under way at once.
const AT_ONCE: usize = 50;

/// The random choices are the same each time.
const SEED: u64 = 15;

/// Lets `attack` happen to a server, beside bystanders.
async fn under_attack(way: Way, attack: impl AsyncFnOnce(SocketAddr, &Hub)) {
    let _alone = alone().await;
    // A close behind bytes that nobody reads is noticed at the next write.
    let hub = Hub::builder().heartbeat(Duration::from_millis(250));
    let hub = hub.build().unwrap();
    let addr = serve_heads_within(HEAD_WITHIN, &hub, way);
    let bystanders = Bystanders::of(&hub, addr).await;
    attack(addr, &hub).await;
    bystanders.are_unharmed().await;
}

/// Has `count` clients do what `client` does, some at once, each with its number.
async fn each_of<F>(count: usize, client: impl Fn(usize) -> F + Clone + Send + 'static)
where
    F: Future<Output = ()> + Send,
{
    let mut at_once = JoinSet::new();
    for first in 0..AT_ONCE.min(count) {
        let client = client.clone();
        at_once.spawn(async move {
            for number in (first..count).step_by(AT_ONCE) {
                client(number).await;
            }
        });
    }
    while let Some(done) = at_once.join_next().await {
        done.unwrap();
    }
}

pub(crate) async fn connect(addr: SocketAddr) -> TcpStream {
    TcpStream::connect(addr).await.unwrap()
}

/// Sends what the server takes of `bytes`; it may close before.
pub(crate) async fn send(socket: &mut TcpStream, bytes: &[u8]) {
    drop(socket.write_all(bytes).await);
}

/// What comes until the server closes or says nothing for a moment.
async fn answer(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while let Ok(Ok(1..)) = timeout(A_MOMENT, socket.read_buf(&mut bytes)).await {}
    String::from_utf8_lossy(&bytes).into_owned()
}

/// It wasn't all over before it came to the hub: which counts many more streams than the newcomers'.
async fn some_had_streams(hub: &Hub) {
    let many = || hub.info().ended.client_gone > 500;
    eventually("some had streams", PATIENCE, many).await;
}

async fn thousands_that_reset_at_once(way: Way) {
    under_attack(way, async |addr, hub| {
        each_of(5_000, move |number| async move {
            let head = format!("GET /reset{number} HTTP/1.1\r\nhost: x\r\n\r\n");
            let sent = [0, head.len() / 2, head.len(), head.len()][number % 4];
            let mut socket = connect(addr).await;
            send(&mut socket, &head.as_bytes()[..sent]).await;
            if number % 4 == 3 {
                // Until the server is in the midst of it, or done.
                sleep(Duration::from_millis(number as u64 % 3)).await;
            }
            socket.set_zero_linger().unwrap();
        })
        .await;
        some_had_streams(hub).await;
    })
    .await;
}

/// Sends a byte now and then, and at last none, until the server closes.
pub(crate) async fn trickle(mut socket: TcpStream, bytes: &[u8]) {
    let (mut read, mut write) = socket.split();
    let writing = async {
        for byte in bytes {
            drop(write.write_all(&[*byte]).await);
            sleep(HEAD_WITHIN / 10).await;
        }
        pending::<()>().await;
    };
    let mut answer = Vec::new();
    let reading = read.read_to_end(&mut answer);
    tokio::select! {
        () = writing => {}
        _ = reading => {}
    }
    let answer = String::from_utf8_lossy(&answer);
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
}

async fn a_thousand_whose_heads_come_byte_by_byte_and_never_end(way: Way) {
    under_attack(way, async |addr, _| {
        let mut clients = JoinSet::new();
        for number in 0..1_000 {
            let socket = connect(addr).await;
            clients.spawn(async move {
                let head = format!("GET /slow HTTP/1.1\r\nhost: x\r\nx: {}", "x".repeat(1_000));
                let sent = match number % 3 {
                    0 => head.as_bytes(),
                    1 => &PREFACE[..20],
                    _ => b"",
                };
                trickle(socket, sent).await;
            });
        }
        let all_ended = async { while clients.join_next().await.is_some() {} };
        if way.is_on_sse_net() {
            let in_time = timeout(HEAD_WITHIN + PATIENCE, all_ended).await;
            assert!(in_time.is_ok(), "{} are still there", clients.len());
        } else {
            // The framework's own loop has no limit: they end when they go.
            let _ = timeout(HEAD_WITHIN, all_ended).await;
        }
    })
    .await;
}

pub(crate) fn random_bytes(dice: &mut Dice, len: usize) -> Vec<u8> {
    (0..len).map(|_| dice.pick(0..=255) as u8).collect()
}

/// Sends bytes that are no request; none is taken for one.
pub(crate) async fn send_garbage(addr: SocketAddr, bytes: Vec<u8>, reset: bool) {
    let mut socket = connect(addr).await;
    send(&mut socket, &bytes).await;
    let answer = answer(&mut socket).await;
    let is_refused = answer.is_empty() || answer.starts_with("HTTP/1.1 400");
    assert!(is_refused, "{answer}");
    if reset {
        socket.set_zero_linger().unwrap();
    }
}

async fn whatever_bytes_instead_of_http(way: Way) {
    under_attack(way, async |addr, _| {
        each_of(2_000, move |number| async move {
            let mut dice = Dice::of(SEED, number);
            let len = dice.pick(1..=8_192);
            let random = random_bytes(&mut dice, len);
            let (before, after): (&[u8], &[u8]) = match number % 5 {
                0 => (b"", b""),
                // The beginning of TLS.
                1 => (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b""),
                2 => (&[0; 4_096], b""),
                3 => (b"GET /x HTTP/1.1\r\nhost: x\r\nx\0: ", b"\r\n\r\n"),
                _ => (b"PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n", b""),
            };
            let bytes = [before, &random, after].concat();
            send_garbage(addr, bytes, dice.one_in(2)).await;
        })
        .await;
    })
    .await;
}

async fn an_http_2_preface_and_whatever_frames(way: Way) {
    under_attack(way, async |addr, _| {
        each_of(1_000, move |number| async move {
            let mut dice = Dice::of(SEED, number);
            let mut frames = Frames::new();
            for _ in 0..dice.pick(1..=50) {
                let len = dice.pick(0..=200);
                let payload = random_bytes(&mut dice, len);
                let (kind, flags) = (dice.pick(0..=12), dice.pick(0..=255));
                let stream = dice.pick(0..=9) as u32;
                frames.push(kind as u8, flags as u8, stream, &payload);
            }
            let len = dice.pick(0..=200);
            let cut_off = random_bytes(&mut dice, len);
            let mut socket = connect(addr).await;
            send(&mut socket, &[frames.bytes(), &cut_off].concat()).await;
            answer(&mut socket).await;
            if dice.one_in(2) {
                socket.set_zero_linger().unwrap();
            }
        })
        .await;
    })
    .await;
}

async fn http_2_streams_that_are_reset_as_soon_as_asked_for(way: Way) {
    under_attack(way, async |addr, hub| {
        each_of(50, move |number| async move {
            let mut socket = connect(addr).await;
            send(&mut socket, Frames::new().bytes()).await;
            for stream in 0..200 {
                let mut frames = Frames::none();
                let stream = 2 * stream + 1;
                frames.get(stream, format!("/c{number}-{stream}").as_bytes());
                frames.reset(stream);
                send(&mut socket, frames.bytes()).await;
                // In the end the server has had enough of them, or not.
                tokio::task::yield_now().await;
            }
            answer(&mut socket).await;
        })
        .await;
        some_had_streams(hub).await;
    })
    .await;
}

async fn heads_that_are_too_large(way: Way) {
    under_attack(way, async |addr, _| {
        each_of(300, move |number| async move {
            let (path, headers) = match number % 3 {
                0 => (String::new(), format!("x: {}\r\n", "x".repeat(100_000))),
                1 => {
                    let headers = (0..10_000).map(|header| format!("x{header}: x\r\n"));
                    (String::new(), headers.collect())
                }
                _ => ("x".repeat(100_000), String::new()),
            };
            let head = format!("GET /{path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
            let mut socket = connect(addr).await;
            send(&mut socket, head.as_bytes()).await;
            let mut status = [0; 12];
            let answered = timeout(PATIENCE, socket.read_exact(&mut status)).await;
            answered.expect("it is answered").unwrap();
            let status = std::str::from_utf8(&status).unwrap();
            let is_refused = match number % 3 {
                // Without a limit it is a name like another, or a stream like another.
                0 if !way.is_on_sse_net() => status == "HTTP/1.1 200" || status == "HTTP/1.1 404",
                _ => status == "HTTP/1.1 431" || status == "HTTP/1.1 414",
            };
            assert!(is_refused, "{number}: {status}");
        })
        .await;
    })
    .await;
}

async fn http_2_heads_that_never_end(way: Way) {
    const MUCH: usize = 10_000_000;
    under_attack(way, async |addr, _| {
        each_of(50, move |_| async move {
            let mut socket = connect(addr).await;
            let mut frames = Frames::new();
            frames.begin_get(1, b"/endless");
            send(&mut socket, frames.bytes()).await;
            let mut more = Frames::none();
            more.go_on(1, 100);
            let mut sent = 0;
            while sent < MUCH && socket.write_all(more.bytes()).await.is_ok() {
                sent += more.bytes().len();
            }
            assert!(sent < MUCH, "it takes all that comes");
        })
        .await;
    })
    .await;
}

/// Sends as much of a body without an end as the server takes; how much that is.
async fn send_on(client: &mut StreamClient) -> usize {
    let piece = [b'x'; 1_000];
    let mut sent = 0;
    while sent < 10_000_000 && matches!(timeout(A_MOMENT, client.send(&piece)).await, Ok(Ok(()))) {
        sent += piece.len();
    }
    sent
}

async fn bodies_that_never_end(way: Way) {
    const CLIENTS: usize = 100;
    under_attack(way, async |addr, hub| {
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            clients.spawn(async move {
                let call = StreamClient::open(addr, &format!("/c{number}")).method("POST");
                let call = match number % 2 {
                    0 => call.header("content-length", "1000000000000"),
                    _ => call.header("transfer-encoding", "chunked"),
                };
                let mut client = call.await;
                client.next_named("connected").await;
                if number % 2 == 1 {
                    client.send(b"FFFFFFFF\r\n").await.unwrap();
                }
                (send_on(&mut client).await, client)
            });
        }
        let mut open = Vec::new();
        while let Some(client) = clients.join_next().await {
            let (sent, client) = client.unwrap();
            assert!(sent < 10_000_000, "it takes all that comes");
            open.push(client);
        }
        eventually("their streams are open", PATIENCE, || {
            hub.info().connections >= CLIENTS
        })
        .await;
        calm().await;
        for (number, mut client) in open.into_iter().enumerate() {
            match number % 3 {
                0 => drop(client),
                1 => client.reset(),
                _ => client.half_close().await.unwrap(),
            }
        }
    })
    .await;
}
