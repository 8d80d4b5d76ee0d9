use std::{fmt, pin::Pin};

/// A future of a case, which runs on a thread of its own.
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// A rule of a trait's contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    name: &'static str,
    text: &'static str,
}

impl Rule {
    pub(crate) const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, text }
    }

    /// Its number in the contract, as `R5`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it says.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        self.text
    }
}

/// On what a case runs; in real time, since an implementation may wait for sockets or threads of its
/// own, which a clock that stands still would not let it do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    OneThread,
    Threads,
}

/// A case of a suite: what is done to a fresh `S`, and the rule that it proves.
#[derive(Clone, Copy)]
pub struct Case<S: 'static> {
    name: &'static str,
    contract: &'static str,
    rule: Rule,
    pub(super) on: On,
    pub(super) run: fn(S) -> BoxFuture<()>,
}

impl<S> Case<S> {
    pub(crate) const fn new(
        name: &'static str,
        contract: &'static str,
        rule: Rule,
        on: On,
        run: fn(S) -> BoxFuture<()>,
    ) -> Self {
        Self {
            name,
            contract,
            rule,
            on,
            run,
        }
    }

    /// Its name, which is the stamped test's.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The rule that it proves.
    #[must_use]
    pub const fn rule(&self) -> Rule {
        self.rule
    }

    pub(super) const fn broken(&self, what: String) -> Violation {
        Violation {
            case: self.name,
            contract: self.contract,
            rule: self.rule,
            what,
        }
    }
}

impl<S> fmt::Debug for Case<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("name", &self.name)
            .field("rule", &self.rule)
            .finish_non_exhaustive()
    }
}

/// A rule that an implementation broke, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    case: &'static str,
    contract: &'static str,
    rule: Rule,
    what: String,
}

impl Violation {
    /// The name of the case that found it.
    #[must_use]
    pub const fn case(&self) -> &'static str {
        self.case
    }

    /// The rule.
    #[must_use]
    pub const fn rule(&self) -> Rule {
        self.rule
    }

    /// What happened.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            case,
            contract,
            rule,
            what,
        } = self;
        write!(
            f,
            "{contract} {}: {}\nis broken in `{case}`: {what}",
            rule.name, rule.text
        )
    }
}

impl std::error::Error for Violation {}
