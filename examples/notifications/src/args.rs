use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};
use example_support::{Asset, Serving};
use ipnet::IpNet;
use sse_core::{BuildError, Hub, HubConfig, OverClient, TrustedProxies};

use crate::{auth::Secret, page};

/// A notification server with a page for the three send modes and resuming; everything in memory.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Args {
    /// Where it listens, and how it ends.
    #[command(flatten)]
    pub serving: Serving,

    /// The web framework that the server is built on.
    #[arg(long, env = "SSE_FRAMEWORK", value_enum, default_value_t = Framework::Poem)]
    pub framework: Framework,

    /// After how long without anything to read a stream gets a heartbeat.
    #[arg(long, env = "SSE_HEARTBEAT", default_value = "30s", value_parser = humantime::parse_duration)]
    pub heartbeat: Duration,

    /// After how long a stream that nobody reads is closed.
    #[arg(long, env = "SSE_REAP_AFTER", default_value = "90s", value_parser = humantime::parse_duration)]
    pub reap_after: Duration,

    /// How many events are kept for clients that come back; 0 for none.
    #[arg(
        long,
        env = "SSE_HISTORY",
        default_value_t = 10_000,
        value_name = "EVENTS"
    )]
    pub history: usize,

    /// How many streams there may be; no limit unless told.
    #[arg(long, env = "SSE_MAX_STREAMS", value_name = "STREAMS")]
    pub max_streams: Option<usize>,

    /// How many streams one client may have; no limit unless told.
    #[arg(long, env = "SSE_MAX_STREAMS_PER_CLIENT", value_name = "STREAMS")]
    pub max_streams_per_client: Option<usize>,

    /// How many streams there may be from one address; no limit unless told.
    #[arg(long, env = "SSE_MAX_STREAMS_PER_ADDRESS", value_name = "STREAMS")]
    pub max_streams_per_address: Option<usize>,

    /// What happens where a client opens one too many.
    #[arg(long, env = "SSE_OVER_CLIENT", value_enum, default_value_t = Over::Refuse)]
    pub over_client: Over,

    /// The networks of proxies in front, whose `X-Forwarded-For` is taken; none unless told.
    #[arg(
        long,
        env = "SSE_TRUSTED_PROXIES",
        value_delimiter = ',',
        value_name = "NETWORK"
    )]
    pub trusted_proxies: Vec<IpNet>,

    /// What tokens are signed with (HS256); without it streams want none. With it a stream wants
    /// `?token=`, a JWT whose subject is the client.
    #[arg(
        long,
        env = "SSE_AUTH_SECRET",
        value_name = "SECRET",
        hide_env_values = true
    )]
    pub auth_secret: Option<Secret>,

    /// For how long somebody may have no stream before his friends are told that he is offline.
    #[arg(long, env = "SSE_GRACE", default_value = "5s", value_parser = humantime::parse_duration)]
    pub grace: Duration,

    /// A folder of other pages to serve below `/web`, such as `examples/web/dist`.
    #[arg(long, env = "SSE_PAGES", value_name = "FOLDER")]
    pub pages: Option<PathBuf>,

    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// A web framework; what the server answers is the same on each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Framework {
    /// poem, by `sse-poem`.
    Poem,
    /// warp, by `sse-warp`.
    Warp,
    /// axum, by `sse-axum`.
    Axum,
}

/// What happens where a client opens a stream too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Over {
    /// It is refused; its page comes back later.
    Refuse,
    /// The oldest of the others is ended, and told so.
    Replace,
}

/// What to do instead of serving.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Name the examples and how to run them.
    List,
    /// Print a token for the streams of a client, signed with `--auth-secret`.
    Token {
        /// Whose.
        client: String,
        /// How long it lasts.
        #[arg(long, default_value = "12h", value_parser = humantime::parse_duration)]
        lasts: Duration,
    },
}

impl Args {
    /// The files of the page, and of those that `pages` has.
    ///
    /// # Errors
    ///
    /// They can't be read.
    pub fn files(&self) -> Result<Vec<Asset>, String> {
        let mut files = page::files();
        if let Some(folder) = &self.pages {
            let others = Asset::folder(folder, "/web");
            let others = others.map_err(|error| format!("{}: {error}", folder.display()))?;
            files.extend(others);
        }
        Ok(files)
    }

    /// The hub with these settings.
    ///
    /// # Errors
    ///
    /// A setting makes no sense.
    pub fn hub(&self) -> Result<Hub, BuildError> {
        let mut config = HubConfig::default();
        config.heartbeat = Some(self.heartbeat);
        config.reap_after = self.reap_after;
        config.history_events = self.history;
        config.limits.connections = self.max_streams;
        config.limits.per_client = self.max_streams_per_client;
        config.limits.per_address = self.max_streams_per_address;
        config.limits.over_client = match self.over_client {
            Over::Refuse => OverClient::Refuse,
            Over::Replace => OverClient::ReplaceOldest,
        };
        config.trusted_proxies = TrustedProxies::new(self.trusted_proxies.iter().copied());
        Hub::builder().config(config).build()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }
}
