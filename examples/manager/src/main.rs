//! One connection a user, who is known by his session: `cargo run -p manager`.

#![forbid(unsafe_code)]

mod cors;
mod manager;
mod page;
mod poem_app;
mod sessions;
mod warp_app;

use std::{process::ExitCode, sync::Arc};

use clap::{Parser, ValueEnum};
use cors::Origins;
use example_support::{End, Serving, exit, init_log};
use http::HeaderValue;
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
    let origins = args.origins()?;
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

impl Args {
    fn origins(&self) -> Result<Origins, String> {
        let credentials = self.allow_credentials;
        if self.allow_origin.iter().any(|origin| origin == "any") {
            if credentials {
                return Err("any page could act for whoever is logged in: \
                     --allow-credentials wants a list of origins"
                    .to_owned());
            }
            return Ok(Origins::Any);
        }
        let origins: Result<_, _> = self.allow_origin.iter().map(|text| origin(text)).collect();
        Ok(Origins::These {
            origins: origins?,
            credentials,
        })
    }
}

/// An origin as a browser tells it: a scheme and an authority (RFC 6454, 6.2).
fn origin(text: &str) -> Result<HeaderValue, String> {
    let uri = text.parse::<http::Uri>().ok();
    let normal = uri.and_then(|uri| {
        let (scheme, host) = (uri.scheme_str()?, uri.host()?.to_ascii_lowercase());
        let usual = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let port = uri.port_u16().filter(|port| *port != usual);
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        Some(format!("{scheme}://{host}{port}"))
    });
    match normal {
        Some(origin) if origin == text => HeaderValue::from_str(text).ok(),
        _ => None,
    }
    .ok_or_else(|| format!("{text:?} is no origin such as https://app.example"))
}
