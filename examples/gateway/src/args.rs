use std::{path::PathBuf, time::Duration};

use clap::{Args as ClapArgs, Parser, Subcommand};

/// Streams for whoever has a token, events from services by gRPC.
///
/// Every setting of the file but lists can be given by the environment, too: `GATEWAY__GRPC__LISTEN` is `listen`
/// of `[grpc]`.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    /// The settings.
    #[arg(
        long,
        env = "GATEWAY_CONFIG",
        default_value = "gateway.toml",
        global = true,
        value_name = "FILE"
    )]
    pub(crate) config: PathBuf,

    /// The Redis that knows which tokens are revoked, such as redis://127.0.0.1:6379; over what the settings
    /// say. Without one that is kept in memory. A URL with a password is better given by `GATEWAY__REDIS`, which
    /// no list of processes shows.
    #[arg(long, value_name = "URL")]
    pub(crate) redis: Option<String>,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write settings to begin with, with secrets of their own and a user.
    Init {
        /// Where to.
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// Print a token for the streams of a user.
    Token {
        /// Whose.
        user: String,
        /// A group that they are in; as many as you like.
        #[arg(long = "group")]
        groups: Vec<String>,
        /// How long it lasts; as the settings say by default.
        #[arg(long, value_parser = humantime::parse_duration)]
        lasts: Option<Duration>,
    },
    /// Print what stands for a password in the file of users; it is read from standard input.
    HashPassword,
    /// Push an event, as a service would.
    Push(PushArgs),
}

/// What to push, to whom.
#[derive(Debug, ClapArgs)]
pub(crate) struct PushArgs {
    /// A user that it is for; as many as you like. Without one, or a group, it is for everybody.
    #[arg(long = "user", conflicts_with = "group")]
    pub(crate) users: Vec<String>,
    /// The group that it is for.
    #[arg(long)]
    pub(crate) group: Option<String>,
    /// Keep it until it is acknowledged.
    #[arg(long, requires = "users")]
    pub(crate) important: bool,
    /// The name of the event.
    #[arg(long, default_value = "note")]
    pub(crate) event: String,
    /// Its data, in JSON.
    pub(crate) data: String,
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
