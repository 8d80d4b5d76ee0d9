//! How a suite is made of one list of cases, and how a case is run.

mod case;
mod run;

pub use self::case::{Case, Rule, Violation};
pub(crate) use self::{
    case::{BoxFuture, On},
    run::{Make, check_case, gets_on, violations_of},
};

/// Makes a suite of the one list of its cases: the table `CASES`, the runner `violations`, and a
/// macro that stamps one test a case into the module of whoever implements the trait.
///
/// The case functions are seen by the suite alone: one that isn't on the list is dead code, which
/// the kit denies.
macro_rules! suite {
    (
        of $contract:literal for $Subject:ty;
        $(#[$doc:meta])*
        macro $stamp:ident $matcher:tt => $module:ident::check $factory:tt;
        $( $on:ident { $( $case:ident: $rule:ident; )+ } )+
    ) => {
        /// Every case of the suite, with the rule that it proves.
        pub const CASES: &[$crate::Case<$Subject>] = &[
            $($(
                $crate::Case::new(
                    stringify!($case),
                    $contract,
                    rules::$rule,
                    $crate::suite::On::$on,
                    |subject| Box::pin(cases::$case(subject)),
                ),
            )+)+
        ];

        $(#[$doc])*
        #[macro_export]
        macro_rules! $stamp {
            $matcher => {
                $($(
                    #[::core::prelude::v1::test]
                    fn $case() {
                        $crate::$module::check(stringify!($case), $factory);
                    }
                )+)+
            };
        }
    };
}

/// Names the rules of a contract, in the words of its documentation.
macro_rules! rules {
    ($( $name:ident: $text:literal; )+) => {
        $( pub(super) const $name: $crate::Rule = $crate::Rule::new(stringify!($name), $text); )+

        /// Every rule of the contract.
        #[cfg(test)]
        pub(super) const ALL: &[$crate::Rule] = &[$($name),+];
    };
}

pub(crate) use {rules, suite};

/// Holds a contract's documentation and a suite against each other: the same rules in the same
/// words, and a case for each.
#[cfg(test)]
pub(crate) fn assert_covers<S>(docs: &str, rules: &[Rule], cases: &[Case<S>]) {
    let words = |text: &str| {
        let plain = text.replace(['[', ']', '`'], "");
        plain.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let contract = docs.split("# Contract").nth(1).expect("a contract");
    let documented = contract.split("- **R").skip(1).map(|item| {
        let (number, text) = item.split_once("** ").expect("a number, then the rule");
        let text = text.split("\n\n").next().unwrap_or(text);
        (format!("R{number}"), words(text))
    });
    let ours = rules
        .iter()
        .map(|rule| (rule.name().to_owned(), words(rule.text())));
    assert_eq!(documented.collect::<Vec<_>>(), ours.collect::<Vec<_>>());
    for rule in rules {
        let proven = cases.iter().any(|case| case.rule() == *rule);
        assert!(proven, "no case proves {}", rule.name());
    }
}
