//! What the command line can say.

use crate::error::Error;

/// The help text.
pub(crate) const USAGE: &str = "\
Usage: cargo xtask <command>

Commands:
  setup                install the tools that the other commands need; does nothing if they are there
  check                format, lints, docs, licences; changes nothing
  fix                  apply what clippy and rustfmt can repair
  test [-- <args>...]  setup, check, then all tests; the arguments go to `cargo test`
  help                 print this";

/// A parsed command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Print [`USAGE`].
    Help,
    /// Install what is missing.
    Setup,
    /// The fast checks.
    Check,
    /// Repair what a tool can repair.
    Fix,
    /// Everything that CI does.
    Test {
        /// Arguments for `cargo test`.
        extra: Vec<String>,
    },
}

impl Command {
    /// Parses the arguments that follow the program's name.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, Error> {
        let mut arguments = arguments.into_iter();
        let name = arguments.next().ok_or(Error::CommandMissing)?;
        let command = match name.as_str() {
            "help" | "--help" | "-h" => return Ok(Self::Help),
            "setup" => Self::Setup,
            "check" => Self::Check,
            "fix" => Self::Fix,
            "test" => return Self::parse_test(arguments),
            _ => return Err(Error::ArgumentUnknown { argument: name }),
        };
        match arguments.next() {
            None => Ok(command),
            Some(argument) => Err(Error::ArgumentUnknown { argument }),
        }
    }

    fn parse_test(mut arguments: impl Iterator<Item = String>) -> Result<Self, Error> {
        match arguments.next() {
            None => Ok(Self::Test { extra: Vec::new() }),
            Some(separator) if separator == "--" => Ok(Self::Test {
                extra: arguments.collect(),
            }),
            Some(argument) => Err(Error::ArgumentUnknown { argument }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, Error> {
        Command::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn commands_are_known_by_name() {
        assert_eq!(parse("setup").unwrap(), Command::Setup);
        assert_eq!(parse("check").unwrap(), Command::Check);
        assert_eq!(parse("fix").unwrap(), Command::Fix);
        assert_eq!(parse("help").unwrap(), Command::Help);
        assert_eq!(parse("--help").unwrap(), Command::Help);
        assert_eq!(parse("test").unwrap(), Command::Test { extra: vec![] });
    }

    #[test]
    fn what_follows_the_first_separator_goes_to_the_tests() {
        let extra = ["-p", "sse-core", "--", "--nocapture"].map(str::to_owned);
        assert_eq!(
            parse("test -- -p sse-core -- --nocapture").unwrap(),
            Command::Test {
                extra: extra.to_vec()
            }
        );
    }

    #[test]
    fn an_argument_in_the_wrong_place_is_an_error_that_names_it() {
        for (line, wrong) in [
            ("tset", "tset"),
            ("check --fast", "--fast"),
            ("test -p", "-p"),
        ] {
            assert!(matches!(
                parse(line),
                Err(Error::ArgumentUnknown { argument }) if argument == wrong
            ));
        }
        assert!(matches!(parse(""), Err(Error::CommandMissing)));
    }
}
