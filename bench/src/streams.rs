//! Many HTTP/2 streams: opened, held, and reached by one broadcast.

use std::{
    error::Error,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use h2::{RecvStream, client::SendRequest};
use http::Request;
use serde::Serialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};

use crate::process;

/// How long a stream may wait for anything.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many connections are on their way to be opened at the same time.
const OPENING: usize = 16;
/// Half of it is what `h2` bears of small frames that nobody has read yet, 256 less its size for each:
/// by default 175 streams that get an event at once end their connection.
const WINDOW: u32 = 4 * 1024 * 1024;
/// What the broadcast says.
const MARK: &[u8] = b"to all of you";

/// How many streams, of which server.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The server's port, on 127.0.0.1.
    #[arg(long)]
    port: u16,
    /// The server's process, to read what it costs.
    #[arg(long)]
    pid: u32,
    #[arg(long, default_value_t = 500)]
    connections: usize,
    /// How many streams a connection has.
    #[arg(long, default_value_t = 200)]
    streams: usize,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Report {
    streams: usize,
    seconds_to_open: f64,
    /// Of the server's memory.
    bytes_a_stream: f64,
    /// Of the server's processor time, in microseconds.
    cpu_to_open: f64,
    cpu_a_delivery: f64,
    /// Until the broadcast was accepted, and until the last stream had it.
    seconds_to_accept: f64,
    seconds_to_reach_all: f64,
}

/// Opens the streams, publishes once, and says what that took, as JSON.
pub(crate) fn run(args: &Args) -> Result<String, Box<dyn Error>> {
    process::raise_descriptors()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let report = runtime.block_on(measure(args));
    let report = report.map_err(|failed| -> Box<dyn Error> { failed })?;
    Ok(serde_json::to_string(&report)?)
}

async fn measure(args: &Args) -> Result<Report, Failed> {
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    // What there is once.
    drop(open(server, 0, 1).await?);
    let (cpu, (memory, _)) = (process::cpu_time(args.pid)?, process::memory(args.pid)?);
    let start = Instant::now();
    let (places, mut opening) = (Arc::new(Semaphore::new(OPENING)), JoinSet::new());
    for number in 0..args.connections {
        let (places, streams) = (Arc::clone(&places), args.streams);
        opening.spawn(async move {
            let _place = places.acquire().await;
            open(server, number, streams).await
        });
    }
    let mut connections = Vec::with_capacity(args.connections);
    while let Some(opened) = opening.join_next().await {
        connections.push(opened??);
    }
    let seconds_to_open = start.elapsed().as_secs_f64();
    let streams = args.connections * args.streams;
    let each = |what: f64| what / streams as f64;
    let opened_by = process::cpu_time(args.pid)?;
    let bytes = process::memory(args.pid)?.0.saturating_sub(memory);

    let mut reading = JoinSet::new();
    let start = Instant::now();
    for connection in connections {
        reading.spawn(async move {
            let Connection { bodies, sender } = connection;
            for body in bodies {
                drop(until(body, MARK).await?);
            }
            drop(sender);
            Ok::<_, Failed>(())
        });
    }
    publish(server).await?;
    let seconds_to_accept = start.elapsed().as_secs_f64();
    while let Some(read) = reading.join_next().await {
        read??;
    }
    let cpu_a_delivery = process::cpu_time(args.pid)? - opened_by;
    Ok(Report {
        streams,
        seconds_to_open,
        bytes_a_stream: each(bytes as f64),
        cpu_to_open: each((opened_by - cpu).as_secs_f64() * 1e6),
        cpu_a_delivery: each(cpu_a_delivery.as_secs_f64() * 1e6),
        seconds_to_accept,
        seconds_to_reach_all: start.elapsed().as_secs_f64(),
    })
}

type Failed = Box<dyn Error + Send + Sync>;

/// A connection whose streams are all open.
struct Connection {
    bodies: Vec<RecvStream>,
    /// Without it the connection ends.
    sender: SendRequest<bytes::Bytes>,
}

/// Opens a connection, and its streams up to their opening events.
async fn open(server: SocketAddr, number: usize, streams: usize) -> Result<Connection, Failed> {
    let socket = TcpStream::connect(server).await?;
    socket.set_nodelay(true)?;
    let handshake = h2::client::Builder::new()
        .initial_connection_window_size(WINDOW)
        .handshake(socket);
    let (mut sender, connection) = handshake.await?;
    // It ends with its last handle.
    tokio::spawn(connection);
    let mut responses = Vec::with_capacity(streams);
    for stream in 0..streams {
        sender = sender.ready().await?;
        let uri = format!("http://localhost/events?client=c{number}-{stream}&group=g{number}");
        let (response, _) = sender.send_request(Request::get(uri).body(())?, true)?;
        responses.push(response);
    }
    let mut bodies = Vec::with_capacity(streams);
    for response in responses {
        let response = timeout(PATIENCE, response).await??;
        bodies.push(until(response.into_body(), b"\n\n").await?);
    }
    Ok(Connection { bodies, sender })
}

/// Reads a stream up to something.
async fn until(mut body: RecvStream, what: &[u8]) -> Result<RecvStream, Failed> {
    let mut read = Vec::new();
    while memchr::memmem::find(&read, what).is_none() {
        let piece = timeout(PATIENCE, body.data()).await?;
        let piece = piece.ok_or("a stream has ended")??;
        body.flow_control().release_capacity(piece.len())?;
        read.extend_from_slice(&piece);
    }
    Ok(body)
}

async fn publish(server: SocketAddr) -> Result<(), Failed> {
    let mut socket = TcpStream::connect(server).await?;
    let len = MARK.len();
    let head = format!(
        "POST /publish HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-length: {len}\r\n\r\n"
    );
    socket.write_all(&[head.as_bytes(), MARK].concat()).await?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await?;
    if answer.starts_with("HTTP/1.1 204") {
        Ok(())
    } else {
        Err(answer.into())
    }
}
