use std::{
    env,
    error::Error,
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde::{Deserialize, Serialize};

use super::scenario::{Contestant, Scenario};
use crate::load::Report;

/// What was measured so far, and the file of it.
#[derive(Debug)]
pub(super) struct Rounds {
    done: Vec<Round>,
    file: File,
}

/// One load of one server.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Round {
    scenario: String,
    contestant: String,
    round: usize,
    connections: usize,
    report: Report,
}

/// A server that ends with its round.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Rounds {
    pub(super) fn new(path: &Path) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            done: Vec::new(),
            file: File::create(path)?,
        })
    }

    /// With what is in the file already.
    pub(super) fn resume(path: &Path) -> Result<Self, Box<dyn Error>> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .open(path)?;
        let lines = BufReader::new(&file).lines();
        let rounds = lines.map(|line| Ok(serde_json::from_str(&line?)?));
        let done = rounds.collect::<Result<_, Box<dyn Error>>>()?;
        Ok(Self { done, file })
    }

    /// Measures what is missing: in each round every contestant once.
    pub(super) fn measure(
        &mut self,
        scenario: &Scenario,
        rounds: usize,
        quick: bool,
    ) -> Result<(), Box<dyn Error>> {
        let load = if quick {
            scenario.quick()
        } else {
            Scenario { ..*scenario }
        };
        for round in 0..rounds {
            for contestant in scenario.contestants {
                let is_done = |done: &Round| {
                    let same = (
                        &*done.scenario,
                        &*done.contestant,
                        done.round,
                        done.connections,
                    );
                    same == (scenario.name, contestant.name, round, load.connections)
                };
                if self.done.iter().any(is_done) {
                    continue;
                }
                let report = measure(&load, contestant)
                    .map_err(|error| format!("{}, {}: {error}", scenario.name, contestant.name))?;
                let round = Round {
                    scenario: scenario.name.to_owned(),
                    contestant: contestant.name.to_owned(),
                    round,
                    connections: load.connections,
                    report,
                };
                writeln!(self.file, "{}", serde_json::to_string(&round)?)?;
                self.done.push(round);
            }
        }
        Ok(())
    }

    /// The median of a figure over the rounds; none where it wasn't measured.
    pub(super) fn median(
        &self,
        scenario: &Scenario,
        contestant: &Contestant,
        figure: impl Fn(&Report) -> f64,
    ) -> Option<f64> {
        let rounds = self.of(scenario, contestant);
        median(rounds.map(|done| figure(&done.report)).collect())
    }

    /// The median of the ratios of a figure to that of another contestant, each in one round.
    pub(super) fn median_ratio(
        &self,
        scenario: &Scenario,
        contestant: &Contestant,
        other: &Contestant,
        figure: impl Fn(&Report) -> f64,
    ) -> Option<f64> {
        let ratio = |done: &Round| {
            let mut others = self.of(scenario, other);
            let other = others.find(|other| other.round == done.round)?;
            Some(figure(&done.report) / figure(&other.report))
        };
        median(self.of(scenario, contestant).filter_map(ratio).collect())
    }

    fn of(&self, scenario: &Scenario, contestant: &Contestant) -> impl Iterator<Item = &Round> {
        let (scenario, contestant) = (scenario.name, contestant.name);
        let rounds = self.done.iter();
        rounds.filter(move |done| done.scenario == scenario && done.contestant == contestant)
    }
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

/// Starts a server, loads it, and ends it. The load is a process of its own, so that nothing of one
/// round is left for the next.
fn measure(load: &Scenario, contestant: &Contestant) -> Result<Report, Box<dyn Error>> {
    let program = env::current_exe()?;
    let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let server = Command::new(&program)
        .arg("serve")
        .args(contestant.args)
        .args(["--port", &port.to_string()])
        .args(["--queue", &load.queue.to_string()])
        .stdin(Stdio::null())
        .spawn()?;
    let server = Server(server);
    let to = match load.to {
        crate::load::To::Everybody => "everybody",
        crate::load::To::Group => "group",
        crate::load::To::Client => "client",
    };
    let mut command = Command::new(&program);
    command.args(["load", "--to", to]);
    for (name, value) in [
        ("--port", usize::from(port)),
        ("--pid", server.0.id() as usize),
        ("--connections", load.connections),
        ("--events", load.events),
        ("--publishers", load.publishers),
        ("--ahead", load.ahead),
        ("--stalled-percent", load.stalled_percent),
        ("--opening", load.opening),
    ] {
        command.arg(name).arg(value.to_string());
    }
    if let Some(rate) = load.rate {
        command.args(["--rate", &rate.to_string()]);
    }
    if load.resume {
        command.arg("--resume");
    }
    let loaded = command.stdin(Stdio::null()).output()?;
    if !loaded.status.success() {
        return Err(String::from_utf8_lossy(&loaded.stderr).into());
    }
    Ok(serde_json::from_slice(&loaded.stdout)?)
}
