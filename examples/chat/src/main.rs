//! A chat room: `cargo run -p chat`.

#![forbid(unsafe_code)]

use std::{num::NonZeroUsize, process::ExitCode, time::Duration};

use chat::{Chat, MemoryStore, Settings, app};
use clap::Parser;
use example_support::{Serving, exit, init_log};
use sse_core::HubConfig;

/// A chat room in memory: who is there, what was said, private messages.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Where it listens, and how it ends.
    #[command(flatten)]
    serving: Serving,

    /// After how long without anything to read a stream gets a heartbeat.
    #[arg(long, env = "SSE_HEARTBEAT", default_value = "30s", value_parser = humantime::parse_duration)]
    heartbeat: Duration,

    /// For how long somebody may have no stream before he counts as gone.
    #[arg(long, env = "SSE_GRACE", default_value = "5s", value_parser = humantime::parse_duration)]
    grace: Duration,

    /// For how long a name is somebody's who has no stream, if another asks for it, or the room is full.
    #[arg(long, env = "SSE_KEEP", default_value = "24h", value_parser = humantime::parse_duration)]
    keep: Duration,

    /// How many events are kept for streams that come back.
    #[arg(
        long,
        env = "SSE_HISTORY",
        default_value = "10000",
        value_name = "EVENTS"
    )]
    history: NonZeroUsize,
}

#[tokio::main]
async fn main() -> ExitCode {
    exit(run(&Args::parse()).await)
}

async fn run(args: &Args) -> Result<(), String> {
    init_log("warn");
    let mut settings = Settings::default();
    settings.heartbeat = args.heartbeat;
    settings.grace = args.grace;
    settings.kept = args.keep;
    settings.history = args.history.get();
    let chat = Chat::new(MemoryStore::default(), &settings).map_err(|error| error.to_string())?;
    let server = args.serving.bind(HubConfig::default().reap_after)?;
    let hub = chat.hub().clone();
    chat.tell_who_is_there();
    let service = sse_warp::service(app(chat));
    let serve = |end| server.serve_until(service, end);
    args.serving.run(&hub, serve).await
}
