//! One connection a user, who is known by his session: `cargo run -p manager`.

#![forbid(unsafe_code)]

mod manager;
mod page;
mod poem_app;
mod sessions;
mod warp_app;

use std::{process::ExitCode, sync::Arc};

use clap::{Parser, ValueEnum};
use example_support::{End, Origins, Serving, exit, init_log};
use manager::Manager;
use sse_core::HubConfig;
use sse_net::{Server, Stopped};

/// One stream for each user who is logged in: a newer one replaces it.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Where it listens, and how it ends.
    #[command(flatten)]
    serving: Serving,

    /// The web framework that the server is built on.
    #[arg(long, env = "SSE_FRAMEWORK", value_enum, default_value_t = Framework::Poem)]
    framework: Framework,

    /// Whose pages may use the server besides its own: origins such as `https://app.example`, or `any`.
    #[arg(
        long,
        env = "SSE_ALLOW_ORIGIN",
        value_delimiter = ',',
        value_name = "ORIGIN"
    )]
    allow_origin: Vec<String>,

    /// Whether those pages may act for whoever is logged in.
    #[arg(long, env = "SSE_ALLOW_CREDENTIALS")]
    allow_credentials: bool,
}

/// A web framework; what the server answers is the same on each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Framework {
    Poem,
    Warp,
}

#[tokio::main]
async fn main() -> ExitCode {
    exit(run(&Args::parse()).await)
}

async fn run(args: &Args) -> Result<(), String> {
    init_log("warn");
    let origins = Origins::new(&args.allow_origin, args.allow_credentials);
    let origins = origins.map_err(|error| error.to_string())?;
    let manager = Arc::new(Manager::new().map_err(|error| error.to_string())?);
    let server = args.serving.bind(HubConfig::default().reap_after)?;
    let hub = manager.hub.clone();
    let serve = |end| serve(args.framework, server, manager, origins, end);
    args.serving.run(&hub, serve).await
}

async fn serve(
    framework: Framework,
    server: Server,
    manager: Arc<Manager>,
    origins: Origins,
    end: End,
) -> Stopped {
    match framework {
        Framework::Poem => {
            let service = origins.before(sse_poem::service(poem_app::app(manager)));
            server.serve_until(service, end).await
        }
        Framework::Warp => {
            let service = origins.before(sse_warp::service(warp_app::app(manager)));
            server.serve_until(service, end).await
        }
    }
}
