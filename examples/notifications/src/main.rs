//! The notification server: `cargo run` at the root of the repository.

#![forbid(unsafe_code)]

use std::{
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use notifications::{Args, Command, Interrupts};
use sse_core::Drained;
use sse_net::{Server, Tuning};
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
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    if io::stderr().is_terminal() {
        log.init();
    } else {
        // What colours a terminal would only be in the way in a file.
        log.with_ansi(false).init();
    }
    let hub = args.hub().map_err(|error| error.to_string())?;
    let server = bind(SocketAddr::new(args.listen, args.port), args.reap_after)?;
    // What is left after the streams is an answer under way.
    let server = server.shutdown_grace(Duration::from_millis(250));
    let interrupts = Interrupts::listen().map_err(|error| error.to_string())?;
    let mut once = interrupts.clone();
    let end = async {
        once.reach(1).await;
        say(&format!(
            "Streams end over {}; once more to end at once",
            humantime::format_duration(args.drain)
        ));
        let drained = hub.shutdown(args.drain()).await;
        let Drained { clean, cut, .. } = drained;
        say(&format!(
            "Streams read to their end: {clean}; cut off: {cut}"
        ));
    };
    let serving = notifications::serve_until(args.framework, server, hub.clone(), end);
    let mut twice = interrupts;
    tokio::select! {
        _ = serving => Ok(()),
        () = twice.reach(2) => Err("ended at once".to_owned()),
    }
}

/// If nobody reads it there is nobody to tell.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Binds the address and says where the page is.
fn bind(address: SocketAddr, reap_after: Duration) -> Result<Server, String> {
    let listener = sse_net::listen_with(address, Tuning::for_reap_after(reap_after));
    let bound = listener.and_then(|listener| Ok((listener.local_addr()?, Server::new(listener))));
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
    Ok(server.reap_after(reap_after))
}
