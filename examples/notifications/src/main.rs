//! The notification server: `cargo run` at the root of the repository.

#![forbid(unsafe_code)]

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpListener},
    process::ExitCode,
};

use clap::Parser;
use notifications::{Args, Command, LOG_FILTER};
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
        writeln!(out, "{name:<16}{command:<32}{what}").map_err(|error| error.to_string())?;
    }
    Ok(())
}

async fn serve(args: &Args) -> Result<(), String> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG_FILTER));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
    let hub = args.hub().map_err(|error| error.to_string())?;
    let listener = listen(SocketAddr::new(args.listen, args.port))?;
    notifications::serve(args.framework, listener, hub)
        .await
        .map_err(|error| format!("the server failed: {error}"))
}

/// Binds the address and says where the page is.
fn listen(address: SocketAddr) -> Result<tokio::net::TcpListener, String> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        let local = listener.local_addr()?;
        Ok((tokio::net::TcpListener::from_std(listener)?, local))
    });
    let (listener, local) = bound.map_err(|error| match error.kind() {
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
    Ok(listener)
}
