//! What takes long: fuzzing every target for a while, and a server in every use.
//!
//! Without a sanitizer, cargo-fuzz needs nothing but stable flags, and coverage guides it all the
//! same. An address sanitizer takes `RUSTC_BOOTSTRAP=1`, with which dependencies may build as they
//! do on nightly; it costs three quarters of the runs, and finds what only unsafe code does wrong,
//! which the workspace forbids itself.

use xtask_tools::CARGO_FUZZ;

use crate::{cargo_tool, error::Error, step::Step};

/// How long each target is fuzzed unless told, in seconds.
pub(crate) const DEFAULT_SECONDS: u32 = 60;

/// The programs in `fuzz/fuzz_targets/`.
const TARGETS: &[&str] = &[
    "demo_send",
    "demo_urls",
    "event",
    "event_stream",
    "names",
    "stream_request",
];

/// Fuzzes each target for that many seconds; then serves for twenty times as long while clients come
/// and go. What is new to a target goes to `target/fuzz`, where the next run finds it; the corpus of
/// the repository stays as it is.
pub(crate) fn soak(seconds: u32) -> Result<(), Error> {
    cargo_tool::install(CARGO_FUZZ)?;
    let fuzz = || cargo_tool::step(CARGO_FUZZ, "soak");
    fuzz()?.words("build --sanitizer none").run()?;
    for target in TARGETS {
        Step::new("soak", "mkdir")
            .words("-p")
            .arguments([scratch(target)])
            .run()?;
        let status = fuzz_step(fuzz()?, target, seconds).status()?;
        if !status.success() {
            return Err(Error::InputFound { target, status });
        }
    }
    churn_step(seconds).run()
}

fn churn_step(seconds: u32) -> Step {
    Step::cargo("soak")
        .words("test --release --package sse-conformance --locked --test sockets churn::")
        .words("-- --ignored --nocapture")
        .env("SSE_SOAK_SECONDS", seconds.saturating_mul(20).to_string())
}

fn scratch(target: &str) -> String {
    format!("target/fuzz/{target}")
}

/// libFuzzer adds to the first of the folders and reads the others. An input may take ten seconds.
fn fuzz_step(fuzz: Step, target: &str, seconds: u32) -> Step {
    fuzz.words("run --sanitizer none")
        .arguments([target, &scratch(target), &format!("fuzz/corpus/{target}")])
        .words("-- -timeout=10 -verbosity=0 -print_final_stats=1")
        .arguments([format!("-max_total_time={seconds}")])
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn every_program_is_a_target() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/fuzz_targets");
        let mut programs: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        programs.sort();
        assert_eq!(programs, TARGETS);
    }

    #[test]
    fn what_is_new_stays_out_of_the_corpus() {
        assert_eq!(
            fuzz_step(Step::new("soak", "cargo-fuzz"), "event", 60).render(),
            "cargo-fuzz run --sanitizer none event target/fuzz/event fuzz/corpus/event \
             -- -timeout=10 -verbosity=0 -print_final_stats=1 -max_total_time=60"
        );
    }
}
