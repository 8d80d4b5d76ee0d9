//! Push for other services: `cargo run -p gateway -- init`, then `cargo run -p gateway`.

#![forbid(unsafe_code)]

mod args;
mod init;
mod push;

use std::{
    io::{self, Read},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use args::{Args, Command, PushArgs};
use clap::Parser;
use example_support::{Origins, Serving, exit, init_log, say};
use gateway::{Gateway, Grpc, Settings, Tokens};
use sse_core::{ClientId, GroupName};
use tokio::sync::oneshot;

/// How long calls may take that are under way when the gateway is told to end.
const LAST_CALLS: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    exit(match &args.command {
        None => serve(&args).await,
        Some(Command::Init { folder }) => init::init(folder),
        Some(Command::Token {
            user,
            groups,
            lasts,
        }) => token(&args, user, groups, *lasts),
        Some(Command::HashPassword) => hash_password(),
        Some(Command::Push(push)) => self::push(&args, push).await,
    })
}

fn settings(args: &Args) -> Result<Settings, String> {
    let settings = Settings::read(&args.config, args.redis.as_deref());
    settings.map_err(|error| format!("{error}\n(`gateway init` writes settings to begin with)"))
}

fn token(
    args: &Args,
    user: &str,
    groups: &[String],
    lasts: Option<Duration>,
) -> Result<(), String> {
    let settings = settings(args)?;
    let user = ClientId::new(user).map_err(|error| format!("user: {error}"))?;
    let groups: Result<Vec<_>, _> = groups.iter().map(GroupName::new).collect();
    let groups = groups.map_err(|error| format!("group: {error}"))?;
    let lasts = lasts.unwrap_or(settings.tokens.lasts);
    let token = Tokens::new(&settings.tokens).issue(&user, &groups, lasts);
    say(token.map_err(|error| error.to_string())?);
    Ok(())
}

fn hash_password() -> Result<(), String> {
    let mut password = String::new();
    let read = io::stdin().read_to_string(&mut password);
    read.map_err(|error| format!("the password is read from standard input: {error}"))?;
    match password.trim_end_matches(['\r', '\n']) {
        "" => Err("the password is empty".to_owned()),
        password => {
            say(gateway::hash(password).map_err(|error| error.to_string())?);
            Ok(())
        }
    }
}

async fn push(args: &Args, push: &PushArgs) -> Result<(), String> {
    push::push(&settings(args)?.grpc, push).await
}

async fn serve(args: &Args) -> Result<(), String> {
    init_log("warn");
    let settings = settings(args)?;
    let origins = Origins::new(&settings.http.allow_origins, false);
    let origins = origins.map_err(|error| format!("http.allow_origins: {error}"))?;
    let gateway = Gateway::start(&settings)
        .await
        .map_err(|error| error.to_string())?;
    let serving = Serving {
        listen: settings.http.listen.ip(),
        port: settings.http.listen.port(),
        drain: settings.drain,
    };
    let server = serving.bind(settings.streams.reap_after)?;
    let grpc = Grpc::bind(&settings.grpc, Arc::clone(&gateway)).await?;
    say(format!("Services push by gRPC at {}", grpc.local_addr()));
    say(match settings.redis {
        Some(_) => "Revoked tokens and important events are kept in Redis",
        None => "Without Redis: revoked tokens and important events are forgotten at the end",
    });
    let hub = gateway.hub.clone();
    tokio::spawn(gateway::monitor(hub.clone(), settings.monitor));
    let (begin, begun) = oneshot::channel::<()>();
    let (stop, stopped) = oneshot::channel::<()>();
    let mut calls = tokio::spawn(async move {
        drop(begun.await);
        if let Err(error) = grpc.serve_until(async { drop(stopped.await) }).await {
            tracing::error!(error, "services can't push any more");
        }
    });
    // What is taken once streams end is missed by those who have gone. A call that isn't done by then is refused.
    let first = async move {
        drop(stop);
        if tokio::time::timeout(LAST_CALLS, &mut calls).await.is_err() {
            calls.abort();
        }
    };
    let app = gateway::app(gateway);
    let service = origins.before(sse_poem::service(app));
    let serve = |end| {
        // Not before signals are listened to: what was taken is to be seen to its end.
        drop(begin);
        server.serve_until(service, end)
    };
    serving.run_after(&hub, first, serve).await
}
