use std::{
    collections::BTreeSet,
    fmt::Write as _,
    io::{self, Write as _},
    thread,
};

use sse_conformance::Violation;

/// A broken implementation, and how it is to be found out.
pub(crate) struct Mutant {
    pub(crate) name: &'static str,
    /// The rule that it breaks.
    pub(crate) rule: &'static str,
    /// The case that proves that rule.
    pub(crate) primary: &'static str,
    /// The cases that can't but fail too.
    pub(crate) companions: &'static [&'static str],
    pub(crate) violations: Box<dyn Fn() -> Vec<Violation> + Send + Sync>,
}

impl Mutant {
    /// What a suite said of it that it should not have, or didn't say and should have.
    fn complaint(&self, found: &[Violation]) -> Option<String> {
        let failed: BTreeSet<_> = found.iter().map(Violation::case).collect();
        let expected = self
            .companions
            .iter()
            .copied()
            .chain([self.primary])
            .collect();
        let rule = found
            .iter()
            .find(|violation| violation.case() == self.primary);
        let rule = rule.map(|violation| violation.rule().name());
        (failed != expected || rule != Some(self.rule)).then(|| {
            let all: String = found
                .iter()
                .map(|violation| format!("\n  {violation}"))
                .collect();
            format!(
                "{}: {} is to be broken in {expected:?}, but was found broken: {failed:?}{all}",
                self.name, self.rule
            )
        })
    }
}

/// Holds a suite against its mutants and prints the table of what found each of them.
pub(crate) fn assert_caught(contract: &str, rules: &[&str], mutants: &[Mutant]) {
    let found: Vec<_> = thread::scope(|scope| {
        let run = |mutant: &Mutant| (mutant.violations)();
        let threads = mutants
            .iter()
            .map(|mutant| scope.spawn(move || run(mutant)));
        let threads: Vec<_> = threads.collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let mut table = format!("\n{contract}: what found each mutant\n");
    let mut complaints = Vec::new();
    for (mutant, found) in mutants.iter().zip(&found) {
        let complaint = mutant.complaint(found);
        let verdict = if complaint.is_none() {
            "caught"
        } else {
            "WRONG"
        };
        let others = found.len().saturating_sub(1);
        writeln!(
            table,
            "  {verdict} {:<4}{:<42} by {} (+{others})",
            mutant.rule, mutant.name, mutant.primary
        )
        .unwrap();
        complaints.extend(complaint);
    }
    // Past the capture of the test runner: the table is to be seen.
    io::stdout().write_all(table.as_bytes()).unwrap();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    for rule in rules {
        let broken = mutants.iter().any(|mutant| mutant.rule == *rule);
        assert!(broken, "no mutant breaks {rule}");
    }
}
