//! Benchmarks over real sockets, beside what users write without this library: see `README.md`.

#![forbid(unsafe_code)]

mod compare;
mod load;
mod process;
mod serve;
mod streams;

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

/// Measures servers of event streams.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve `GET /events` and `POST /publish` until killed.
    Serve(serve::Args),
    /// Load such a server, and print what came of it as JSON.
    Load(load::Args),
    /// Hold many HTTP/2 streams of such a server, and print what came of it as JSON.
    Streams(streams::Args),
    /// Run every scenario on every server, and write tables and pictures.
    Compare(compare::Args),
}

fn main() -> ExitCode {
    match run(Args::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If nobody reads it there is nobody to tell.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Serve(args) => serve::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Streams(args) => {
            writeln!(io::stdout(), "{}", streams::run(&args)?)?;
            Ok(())
        }
        Command::Load(args) => {
            let report = load::run(&args)?;
            writeln!(io::stdout(), "{}", serde_json::to_string(&report)?)?;
            Ok(())
        }
    }
}
