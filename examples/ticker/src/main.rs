//! The time, pushed: `cargo run -p ticker`.

#![forbid(unsafe_code)]

mod app;
mod chunks;
mod own;
mod shared;
mod tls;

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use clap::Parser;
use example_support::{End, Serving, bind, exit, init_log, say};
use futures_util::FutureExt;
use sse_core::{Hub, HubConfig};
use sse_net::Server;

/// The time every two seconds: a stream of its own a connection, and one stream for all; over HTTP/1.1
/// and, beside it, over HTTP/2 with TLS.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Where it listens, and how it ends.
    #[command(flatten)]
    serving: Serving,

    /// The port for HTTP/2 with TLS; 0 for any that is free.
    #[arg(long, env = "SSE_TLS_PORT", default_value_t = 8443)]
    tls_port: u16,

    /// How often the time is told.
    #[arg(long, env = "SSE_EVERY", default_value = "2s", value_parser = humantime::parse_duration)]
    every: Duration,
}

#[tokio::main]
async fn main() -> ExitCode {
    exit(run(&Args::parse()).await)
}

async fn run(args: &Args) -> Result<(), String> {
    if args.every.is_zero() {
        return Err("--every is zero".to_owned());
    }
    init_log("warn,ticker=info");
    // A time that has passed is of no use to anybody: nothing is kept.
    let mut config = HubConfig::default();
    config.history_events = 0;
    let reap_after = config.reap_after;
    let hub = Hub::builder().config(config).build();
    let hub = hub.map_err(|error| error.to_string())?;
    let plain = args.serving.bind(reap_after)?;
    let secure = SocketAddr::new(args.serving.listen, args.tls_port);
    let secure = bind(secure, "--tls-port", reap_after)?;
    let secure = secure.tls(tls::self_signed(args.serving.listen)?);
    let local = secure.local_addr().map_err(|error| error.to_string())?;
    say(format!(
        "Over HTTP/2 it is at https://{local}/ (self-signed: the browser warns)"
    ));
    tokio::spawn(shared::tell_time(hub.clone(), args.every));
    let serve = |end| serve(plain, secure, hub.clone(), args.every, end);
    args.serving.run(&hub, serve).await
}

async fn serve(plain: Server, secure: Server, hub: Hub, every: Duration, end: End) {
    let service = sse_axum::service(app::app(hub, every));
    let end = end.shared();
    tokio::join!(
        plain.serve_until(service.clone(), end.clone()),
        secure.serve_until(service, end),
    );
}
