//! The notification server: `cargo run` at the root of the repository.

#![forbid(unsafe_code)]

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use example_support::{exit, init_log, say};
use notifications::{App, Args, Command};

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
        "notifications",
        "cargo run -- --framework axum",
        "the same on axum",
    ),
    (
        "ticker",
        "cargo run -p ticker",
        "the time, pushed: streams of their own and a shared one, over HTTP/1.1 and HTTP/2",
    ),
    (
        "manager",
        "cargo run -p manager",
        "one connection a user, who is known by his session; on poem or warp",
    ),
    (
        "gateway",
        "cargo run -p gateway -- init",
        "push for other services: JWT, Redis, gRPC, acknowledgements; then `cargo run -p gateway`",
    ),
    (
        "chat",
        "cargo run -p chat",
        "a chat room with a history and private messages, each told once; on warp",
    ),
    (
        "web",
        "cargo run -- --pages examples/web/dist",
        "pages on React and Vue over the TypeScript client (`cargo xtask setup` builds them)",
    ),
    (
        "hyper-adapter",
        "cargo test -p hyper-adapter",
        "an adapter of one's own, for hyper alone",
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
    exit(match &args.command {
        Some(Command::List) => list(),
        Some(Command::Token { client, lasts }) => token(&args, client, *lasts),
        None => serve(&args).await,
    })
}

fn token(args: &Args, client: &str, lasts: Duration) -> Result<(), String> {
    let secret = args.auth_secret.as_ref();
    let secret = secret.ok_or("a token is signed with --auth-secret")?;
    let token = secret.token(client, lasts);
    say(token.map_err(|error| error.to_string())?);
    Ok(())
}

fn list() -> Result<(), String> {
    let mut out = io::stdout().lock();
    for (name, command, what) in EXAMPLES {
        writeln!(out, "{name:<19}{command:<40}{what}").map_err(|error| error.to_string())?;
    }
    Ok(())
}

async fn serve(args: &Args) -> Result<(), String> {
    init_log("warn");
    let hub = args.hub().map_err(|error| error.to_string())?;
    let files = args.files()?;
    let server = args.serving.bind(args.reap_after)?;
    let app = App::new(hub.clone(), args.auth_secret.clone());
    app.tell_friends(args.grace);
    let serve = |end| notifications::serve_until(args.framework, server, app, files, end);
    args.serving.run(&hub, serve).await
}
