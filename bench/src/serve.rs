//! The servers: ours on each framework and loop, and what they are compared with.
//!
//! One contract for all. `GET /events` is a stream; `?client=` and `?group=` say whose it is where a
//! server knows such things. `POST /publish` broadcasts its body, one line, as one event's data and
//! is answered with 204 once that is accepted; with `?client=` or `?group=` it is for those alone.

mod floor;
mod idioms;
mod ours;

use std::{
    error::Error,
    net::{Ipv4Addr, SocketAddr},
};

use clap::ValueEnum;
use tokio::runtime::Builder;

/// Which server, and how it is set.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// This library, on a framework.
    #[arg(long, required_unless_present = "baseline")]
    framework: Option<Framework>,
    /// What it is compared with.
    #[arg(long, conflicts_with = "framework")]
    baseline: Option<Baseline>,
    /// Our own serve loop, or the framework's.
    #[arg(long = "loop", default_value = "own")]
    serve_loop: Loop,
    /// Whether events are kept.
    #[arg(long, default_value = "on")]
    history: OnOff,
    /// How many events wait for a connection: the capacity of a baseline's channel.
    #[arg(long, default_value_t = 4096)]
    queue: usize,
    /// One thread for everything.
    #[arg(long)]
    current_thread: bool,
    #[arg(long)]
    port: u16,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Framework {
    Poem,
    Warp,
    Axum,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Baseline {
    /// poem's `SSE` over a broadcast channel.
    Poem,
    /// `warp::sse` over a broadcast channel.
    Warp,
    /// axum's `Sse` over a broadcast channel.
    Axum,
    /// Writes the same bytes to every socket and does nothing else.
    Floor,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Loop {
    Own,
    Plain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnOff {
    On,
    Off,
}

/// Serves until the process is killed.
pub(crate) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let mut runtime = if args.current_thread {
        Builder::new_current_thread()
    } else {
        Builder::new_multi_thread()
    };
    let runtime = runtime.enable_all().build()?;
    runtime.block_on(async {
        match (args.framework, args.baseline, args.serve_loop) {
            (_, Some(Baseline::Poem), _) => idioms::poem(addr, args.queue).await,
            (_, Some(Baseline::Warp), _) => idioms::warp(addr, args.queue).await,
            (_, Some(Baseline::Axum), _) => idioms::axum(addr, args.queue).await,
            // It has the thread to itself.
            (_, Some(Baseline::Floor), _) => Ok(floor::serve(addr)?),
            (Some(framework), None, serve_loop) => {
                let hub = ours::hub(args.history == OnOff::On, args.queue)?;
                match (framework, serve_loop) {
                    (Framework::Poem, Loop::Own) => ours::poem_on_own_loop(addr, hub).await,
                    (Framework::Poem, Loop::Plain) => ours::poem_on_its_own(addr, hub).await,
                    (Framework::Warp, Loop::Own) => ours::warp_on_own_loop(addr, hub).await,
                    (Framework::Warp, Loop::Plain) => ours::warp_on_its_own(addr, hub).await,
                    (Framework::Axum, Loop::Own) => ours::axum_on_own_loop(addr, hub).await,
                    (Framework::Axum, Loop::Plain) => ours::axum_on_its_own(addr, hub).await,
                }
            }
            (None, None, _) => Err("--framework or --baseline".into()),
        }
    })
}
