//! The notification server: `cargo run` at the root of the repository.

#![forbid(unsafe_code)]

use std::{
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
};

use clap::Parser;
use notifications::{Args, Command};
use sse_net::Server;
use tracing_subscriber::EnvFilter;

/// The examples, and how to run each.
const EXAMPLES: &[(&str, &str, &str)] = &[
    (
        "notifications",
        "cargo run",
        "this server: streams for clients in groups, and the three send modes",
    ),
    (
        "notifications",
        "cargo run -- --framework warp",
        "the same on warp",
    ),
    (
        "wildcard-registry",
        "cargo test -p wildcard-registry",
        "a registry of one's own: groups that match patterns",
    ),
];

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let done = match args.command {
        Some(Command::List) => list(),
        None => serve(&args).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // If nobody reads it there is nobody to tell.
            let _ = writeln!(io::stderr(), "{message}");
            ExitCode::FAILURE
        }
    }
}

fn list() -> Result<(), String> {
    let mut out = io::stdout().lock();
    for (name, command, what) in EXAMPLES {
        writeln!(out, "{name:<19}{command:<33}{what}").map_err(|error| error.to_string())?;
    }
    Ok(())
}

async fn serve(args: &Args) -> Result<(), String> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
    let hub = args.hub().map_err(|error| error.to_string())?;
    let server = bind(SocketAddr::new(args.listen, args.port))?;
    match notifications::serve(args.framework, server, hub).await {}
}

/// Binds the address and says where the page is.
fn bind(address: SocketAddr) -> Result<Server, String> {
    let bound = Server::bind(address).and_then(|server| Ok((server.local_addr()?, server)));
    let (local, server) = bound.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            let port = address.port();
            format!(
                "port {port} is taken on {}: choose another with --port",
                address.ip()
            )
        }
        _ => format!("can't listen on {address}: {error}"),
    })?;
    writeln!(
        io::stdout(),
        "The page is at http://{local}/ (Ctrl-C stops the server)"
    )
    .map_err(|error| error.to_string())?;
    Ok(server)
}
