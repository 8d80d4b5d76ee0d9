use std::{net::IpAddr, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};
use ipnet::IpNet;
use sse_core::{BuildError, Drain, Hub, HubConfig, OverClient, TrustedProxies};

/// How long the last of the streams may take to be read to its end.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A notification server with a page for the three send modes and resuming; everything in memory.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Args {
    /// The address to listen on.
    #[arg(long, env = "SSE_LISTEN", default_value = "127.0.0.1")]
    pub listen: IpAddr,

    /// The port to listen on; 0 for any that is free.
    #[arg(long, env = "SSE_PORT", default_value_t = 8080)]
    pub port: u16,

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

    /// Over how long streams are ended when the server is told to end (by SIGINT or SIGTERM), so
    /// that clients don't all come back at once.
    #[arg(long, env = "SSE_DRAIN", default_value = "5s", value_parser = humantime::parse_duration)]
    pub drain: Duration,

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Name the examples and how to run them.
    List,
}

impl Args {
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
        config.limits.over_client = match self.over_client {
            Over::Refuse => OverClient::Refuse,
            Over::Replace => OverClient::ReplaceOldest,
        };
        config.trusted_proxies = TrustedProxies::new(self.trusted_proxies.iter().copied());
        Hub::builder().config(config).build()
    }

    /// How the hub comes to its end.
    #[must_use]
    pub fn drain(&self) -> Drain {
        Drain {
            over: self.drain,
            deadline: self.drain.saturating_add(LAST_WORDS),
            ..Drain::default()
        }
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
