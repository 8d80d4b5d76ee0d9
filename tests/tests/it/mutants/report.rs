use std::{
    collections::BTreeSet,
    fmt::Debug,
    io::{self, Write as _},
    sync::Mutex,
    thread,
};

use sse_conformance::Violation;

/// How a fault is to be found out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<F> {
    pub(crate) fault: F,
    /// The rule that it breaks.
    pub(crate) rule: &'static str,
    /// The case that proves that rule.
    pub(crate) primary: &'static str,
    /// The cases that can't but fail too.
    pub(crate) companions: &'static [&'static str],
}

/// Makes the faults of a list, each with the rule that it breaks, the case that finds it, and the
/// companions of that case.
macro_rules! faults {
    (
        $(#[$doc:meta])*
        enum $Fault:ident;
        $( $fault:ident: $rule:ident $primary:ident $(+ $companion:ident)*; )+
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum $Fault {
            $($fault,)+
        }

        impl $Fault {
            const ALL: &[$crate::mutants::report::Expected<Self>] = &[
                $($crate::mutants::report::Expected {
                    fault: Self::$fault,
                    rule: stringify!($rule),
                    primary: stringify!($primary),
                    companions: &[$(stringify!($companion)),*],
                },)+
            ];
        }
    };
}

pub(crate) use faults;

impl<F: Debug> Expected<F> {
    /// What a suite said that it should not have, or should have and didn't.
    fn complaint(&self, found: &[Violation]) -> Option<String> {
        let failed: BTreeSet<_> = found.iter().map(Violation::case).collect();
        let companions = self.companions.iter().copied();
        let expected: BTreeSet<_> = companions.chain([self.primary]).collect();
        let primary = found.iter().find(|found| found.case() == self.primary);
        let rule = primary.map(|found| found.rule().name());
        if failed == expected && rule == Some(self.rule) {
            return None;
        }
        let missed: Vec<_> = expected.difference(&failed).collect();
        let unexpected = found
            .iter()
            .filter(|found| !expected.contains(found.case()));
        let unexpected: String = unexpected.map(|found| format!("\n{found}")).collect();
        Some(format!(
            "{:?} breaks {}: not found by {missed:?}, but:{unexpected}",
            self.fault, self.rule
        ))
    }
}

/// What `run` returns for each of `items`, with at the most `at_once` of them under way.
fn each<T: Sync, R: Send>(items: &[T], at_once: usize, run: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let rest = Mutex::new(items.iter().enumerate());
    let next = || rest.lock().unwrap().next();
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..at_once.min(items.len()) {
            scope.spawn(|| {
                while let Some((at, item)) = next() {
                    let result = run(item);
                    done.lock().unwrap().push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Where nothing that is measured depends on how busy the machine is.
pub(crate) const ALL_AT_ONCE: usize = usize::MAX;

/// Holds a suite against its faults, with at the most `at_once` of them under way, and prints the
/// table of what found each of them.
pub(crate) fn assert_caught<F: Copy + Debug + Sync>(
    contract: &str,
    faults: &[Expected<F>],
    at_once: usize,
    violations: impl Fn(F) -> Vec<Violation> + Sync,
    rules: &[&str],
) {
    let found = each(faults, at_once, |expected| violations(expected.fault));
    let mut table = format!("\n{contract}: what found each mutant\n").into_bytes();
    let mut complaints = Vec::new();
    for (expected, found) in faults.iter().zip(&found) {
        let complaint = expected.complaint(found);
        let verdict = if complaint.is_none() {
            "caught"
        } else {
            "WRONG"
        };
        let Expected {
            fault,
            rule,
            primary,
            companions,
        } = expected;
        let (fault, others) = (format!("{fault:?}"), companions.len());
        writeln!(
            table,
            "  {verdict} {rule:<4}{fault:<34} by {primary} (+{others})"
        )
        .unwrap();
        complaints.extend(complaint);
    }
    // Past the test runner's capture: the table is to be seen.
    io::stdout().write_all(&table).unwrap();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    for rule in rules {
        let broken = faults.iter().any(|expected| expected.rule == *rule);
        assert!(broken, "no mutant breaks {rule}");
    }
}
