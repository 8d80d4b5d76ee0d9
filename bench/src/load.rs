//! The load generator: one thread, all sockets in one epoll. It counts each delivery by connection and
//! sequence: what is lost, doubled or out of order fails the run.

mod driver;
mod publisher;
mod stream;
mod tally;

use std::{
    error::Error,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use self::driver::Driver;
use crate::process;

/// How many connections share a source address: a port each, of those that the system gives out.
const PORTS: usize = 1_000;

/// What is done to a server.
#[derive(Debug, Clone, clap::Args, Serialize, Deserialize)]
pub(crate) struct Args {
    /// The server's port, on 127.0.0.1.
    #[arg(long)]
    pub(crate) port: u16,
    /// The server's process, to read what it costs.
    #[arg(long)]
    pub(crate) pid: u32,
    /// How many streams are opened.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) connections: usize,
    /// How many events are published.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) events: usize,
    /// How many a second; as fast as the server accepts them without it.
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// How many publish at the same time.
    #[arg(long, default_value_t = 1)]
    pub(crate) publishers: usize,
    /// How many each of them publishes before the first is answered.
    #[arg(long, default_value_t = 1)]
    pub(crate) ahead: usize,
    /// How many bytes of data an event has.
    #[arg(long, default_value_t = 100)]
    pub(crate) size: usize,
    /// Whom an event is for.
    #[arg(long, default_value = "everybody")]
    pub(crate) to: To,
    /// How many streams in a hundred are never read.
    #[arg(long, default_value_t = 0)]
    pub(crate) stalled_percent: usize,
    /// The streams come back for the events rather than wait for them.
    #[arg(long)]
    pub(crate) resume: bool,
    /// How many are on their way to be opened at the same time.
    #[arg(long, default_value_t = 200)]
    pub(crate) opening: usize,
}

/// Whom an event is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
pub(crate) enum To {
    Everybody,
    /// The ten streams of a group, one group after the other.
    Group,
    /// One stream, any.
    Client,
}

/// What came of it. Times are in microseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) deliveries: u64,
    pub(crate) deliveries_a_second: f64,
    /// Of the server's processor time.
    pub(crate) cpu_a_delivery: f64,
    pub(crate) cpu_to_connect: f64,
    pub(crate) connect_seconds: f64,
    pub(crate) segments_a_delivery: f64,
    pub(crate) delay_p50: f64,
    pub(crate) delay_p99: f64,
    pub(crate) delay_max: f64,
    pub(crate) bytes_a_connection: f64,
    pub(crate) peak_bytes: u64,
}

/// Loads a server.
pub(crate) fn run(args: &Args) -> Result<Report, Box<dyn Error>> {
    process::raise_descriptors()?;
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let mut driver = Driver::new(server, args.clone())?;
    driver.wait_for_server()?;
    if args.resume {
        return resume(args, driver);
    }
    let opened = open(args, &mut driver)?;
    // What is done once: allocators and pools that grow, code that is read.
    driver.publish(args.events.min(20), args.rate)?;
    driver.tally.forget_delays();
    let measured = Measured::start(args)?;
    driver.publish(args.events, args.rate)?;
    measured.end(args, &driver, &opened)
}

/// Publishes first; then the streams are opened that come for it.
fn resume(args: &Args, mut driver: Driver) -> Result<Report, Box<dyn Error>> {
    driver.note_position()?;
    driver.publish(args.events, args.rate)?;
    driver.tally.forget_delays();
    let measured = Measured::start(args)?;
    let opened = open(args, &mut driver)?;
    driver.receive()?;
    measured.end(args, &driver, &opened)
}

/// What opening the streams cost.
struct Opened {
    cpu: Duration,
    time: Duration,
    bytes: u64,
}

fn open(args: &Args, driver: &mut Driver) -> Result<Opened, Box<dyn Error>> {
    let (cpu, (bytes, _)) = (process::cpu_time(args.pid)?, process::memory(args.pid)?);
    let start = Instant::now();
    driver.open(args.connections)?;
    let time = start.elapsed();
    let cpu = process::cpu_time(args.pid)? - cpu;
    let bytes = process::memory(args.pid)?.0.saturating_sub(bytes);
    Ok(Opened { cpu, time, bytes })
}

struct Measured {
    start: Instant,
    cpu: Duration,
    segments: u64,
}

impl Measured {
    fn start(args: &Args) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            segments: process::segments(args.port)?,
            cpu: process::cpu_time(args.pid)?,
            start: Instant::now(),
        })
    }

    fn end(self, args: &Args, driver: &Driver, opened: &Opened) -> Result<Report, Box<dyn Error>> {
        let time = driver.tally.last.duration_since(self.start);
        let cpu = process::cpu_time(args.pid)? - self.cpu;
        let segments = process::segments(args.port)?.saturating_sub(self.segments);
        let (delays, deliveries) = (&driver.tally.delays, driver.tally.deliveries);
        let each = |sum: f64| sum / deliveries.max(1) as f64;
        let micros = |nanos: u64| nanos as f64 / 1e3;
        let connections = args.connections as f64;
        Ok(Report {
            deliveries,
            deliveries_a_second: deliveries as f64 / time.as_secs_f64(),
            cpu_a_delivery: each(cpu.as_secs_f64() * 1e6),
            cpu_to_connect: opened.cpu.as_secs_f64() * 1e6 / connections,
            connect_seconds: opened.time.as_secs_f64(),
            segments_a_delivery: each(segments as f64),
            delay_p50: micros(delays.value_at_quantile(0.50)),
            delay_p99: micros(delays.value_at_quantile(0.99)),
            delay_max: micros(delays.max()),
            bytes_a_connection: opened.bytes as f64 / connections,
            peak_bytes: process::memory(args.pid)?.1,
        })
    }
}
