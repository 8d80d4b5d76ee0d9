//! Compares servers: interleaved rounds of the same load on each, medians, ratios within one run.
//!
//! What is done is left in a file as it goes, a line a round, so that a run that was stopped goes on
//! where it was; the table and the pictures are made of that file.

mod picture;
mod rounds;
mod scenario;
mod table;

use std::{error::Error, fs, path::PathBuf};

use self::{
    rounds::Rounds,
    scenario::{SCENARIOS, Scenario},
};

/// What is compared, and where the results go.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Fewer connections and rounds: under 10 minutes.
    #[arg(long)]
    quick: bool,
    /// Only these scenarios; all without it.
    #[arg(long)]
    scenario: Vec<String>,
    /// How many rounds; 5, or 3 where it is to be quick.
    #[arg(long)]
    rounds: Option<usize>,
    /// The folder for the results.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
    /// Measures everything anew.
    #[arg(long)]
    anew: bool,
}

/// Runs the scenarios, and writes `results.jsonl`, `table.md` and a picture of each scenario.
pub(crate) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let chosen = |scenario: &&Scenario| {
        args.scenario.is_empty() || args.scenario.iter().any(|name| name == scenario.name)
    };
    let scenarios: Vec<&Scenario> = SCENARIOS.iter().filter(chosen).collect();
    if let Some(unknown) = args
        .scenario
        .iter()
        .find(|name| SCENARIOS.iter().all(|scenario| scenario.name != **name))
    {
        return Err(format!("no scenario is called {unknown}").into());
    }
    fs::create_dir_all(&args.out)?;
    let path = args.out.join("results.jsonl");
    let mut rounds = if args.anew {
        Rounds::new(&path)?
    } else {
        Rounds::resume(&path)?
    };
    let count = args.rounds.unwrap_or(if args.quick { 3 } else { 5 });
    for scenario in &scenarios {
        rounds.measure(scenario, count, args.quick)?;
    }
    fs::write(args.out.join("table.md"), table::of(&scenarios, &rounds))?;
    for scenario in &scenarios {
        let path = args.out.join(format!("{}.svg", scenario.name));
        fs::write(path, picture::of(scenario, &rounds))?;
    }
    Ok(())
}
