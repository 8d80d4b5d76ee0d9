//! The workspace's chores, run as `cargo xtask <command>`.
//!
//! Each step prints the command that it is about to run, ready to be pasted into a shell at the
//! workspace root, and the first step that fails ends the run.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program prints"
)]

mod cargo_tool;
mod cli;
mod components;
mod debian;
mod error;
mod npm;
mod soak;
mod step;
mod tasks;

use std::{env, process::ExitCode};

use cli::{Command, USAGE};
use error::Error;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(message) = error.message() {
                eprintln!("xtask: {message}");
            }
            error.exit_code()
        }
    }
}

fn run() -> Result<(), Error> {
    let command = Command::parse(env::args().skip(1))?;
    if command == Command::Help {
        println!("{USAGE}");
        return Ok(());
    }
    step::enter_workspace_root()?;
    match command {
        Command::Help => Ok(()),
        Command::Setup => tasks::setup(),
        Command::Check => tasks::check(),
        Command::Fix => tasks::fix(),
        Command::Models => tasks::models(),
        Command::Test { extra } => tasks::test(extra),
        Command::Soak { seconds } => soak::soak(seconds),
    }
}
