//! What each command does, step by step.

use xtask_tools::{CARGO_DENY, GECKODRIVER};

use crate::{
    cargo_tool, components, debian,
    error::Error,
    npm,
    step::{Step, ask},
};

/// Installs what the other commands need.
pub(crate) fn setup() -> Result<(), Error> {
    debian::install()?;
    components::install()?;
    npm::install()?;
    cargo_tool::install(CARGO_DENY)?;
    cargo_tool::install(GECKODRIVER)
}

/// Checks everything that needs no test run, and changes nothing.
pub(crate) fn check() -> Result<(), Error> {
    // Asked for first: a missing tool shows before the long steps.
    let deny = cargo_tool::step(CARGO_DENY, "dependencies")?;
    Step::cargo("format").words("fmt --all --check").run()?;
    Step::cargo("lints")
        .words("clippy --workspace --all-targets --all-features --locked -- -D warnings")
        .run()?;
    Step::cargo("docs")
        .env("RUSTDOCFLAGS", "-D warnings")
        .words("doc --workspace --no-deps --all-features --locked")
        .run()?;
    deny.words("--workspace --all-features --locked check bans licenses sources")
        .run()
}

/// Repairs what clippy and rustfmt can; formatting comes last because clippy's edits may need it.
pub(crate) fn fix() -> Result<(), Error> {
    Step::cargo("lints")
        .words("clippy --fix --allow-dirty --allow-staged")
        .words("--workspace --all-targets --all-features --locked")
        .run()?;
    Step::cargo("format").words("fmt --all").run()
}

/// Runs the models of what happens at the same time. They have a target directory of their own: the
/// flag is one for every package, and would have all else built anew each time.
pub(crate) fn models() -> Result<(), Error> {
    Step::cargo("models")
        .env("RUSTFLAGS", "--cfg shuttle -D warnings")
        .words("test --package sse-core --lib --locked --target-dir target/shuttle models::")
        .run()
}

/// Does what CI does. The tests come last and nothing is printed after their report.
pub(crate) fn test(extra: Vec<String>) -> Result<(), Error> {
    setup()?;
    check()?;
    models()?;
    npm::test()?;
    network()?;
    instructions()?;
    let status = test_step(extra).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::TestsFailed { status })
    }
}

/// Runs the tests that make a network of their own, where that is allowed: it takes root, and a
/// container may not let it.
fn network() -> Result<(), Error> {
    const PROBE: &str = "sse-probe";
    let ip = |what| ask("ip", &["netns", what, PROBE]).is_some_and(|answer| answer.success);
    if !ip("add") {
        eprintln!("\n[network] left out: no network namespace can be made here");
        return Ok(());
    }
    ip("del");
    test_step(
        ["--test", "sockets", "dead::", "--", "--ignored"]
            .map(str::to_owned)
            .to_vec(),
    )
    .run()
}

/// Counts what a delivery costs, in a release build: the tests' own isn't optimized.
fn instructions() -> Result<(), Error> {
    Step::cargo("instructions")
        .words("test --release --package sse-bench --test instructions --locked")
        .words("-- --ignored --nocapture")
        .run()
}

fn test_step(extra: Vec<String>) -> Step {
    Step::cargo("tests")
        .words("test --workspace --all-features --locked")
        .arguments(extra)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_arguments_end_the_test_command() {
        let extra = ["--test", "sockets", "--", "--nocapture"].map(str::to_owned);
        assert_eq!(
            test_step(extra.to_vec()).render(),
            "cargo test --workspace --all-features --locked --test sockets -- --nocapture"
        );
    }
}
