//! What the command line can say.

use crate::{error::Error, soak::DEFAULT_SECONDS};

/// The help text.
pub(crate) const USAGE: &str = "\
Usage: cargo xtask <command>

Commands:
  setup                install the tools that the other commands need; does nothing if they are there
  check                format, lints, docs, licences; changes nothing
  fix                  apply what clippy and rustfmt can repair
  models               try what happens at the same time in thousands of interleavings
  test [-- <args>...]  setup, check, models, instructions, all tests; the arguments go to `cargo test`
  soak [--seconds <n>] fuzz each target for a minute, or for n seconds; serve for 20 times that
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
    /// The models of what happens at the same time.
    Models,
    /// Everything that CI does.
    Test {
        /// Arguments for `cargo test`.
        extra: Vec<String>,
    },
    /// Fuzz each target for a while.
    Soak {
        /// How long, in seconds.
        seconds: u32,
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
            "models" => Self::Models,
            "test" => return Self::parse_test(arguments),
            "soak" => Self::Soak {
                seconds: seconds(&mut arguments)?,
            },
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

/// What `--seconds` says; zero, which libFuzzer takes for no limit, is no answer.
fn seconds(arguments: &mut impl Iterator<Item = String>) -> Result<u32, Error> {
    match arguments.next() {
        None => Ok(DEFAULT_SECONDS),
        Some(option) if option == "--seconds" => {
            let value = arguments.next().unwrap_or_default();
            let seconds = value.parse().ok().filter(|seconds| *seconds > 0);
            seconds.ok_or(Error::SecondsInvalid { value })
        }
        Some(argument) => Err(Error::ArgumentUnknown { argument }),
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
        assert_eq!(parse("models").unwrap(), Command::Models);
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
    fn a_soak_is_as_long_as_told() {
        let soak = |seconds| Command::Soak { seconds };
        assert_eq!(parse("soak").unwrap(), soak(60));
        assert_eq!(parse("soak --seconds 5").unwrap(), soak(5));
        for (line, wrong) in [
            ("soak --seconds", ""),
            ("soak --seconds 0", "0"),
            ("soak --seconds 1m", "1m"),
        ] {
            assert!(matches!(
                parse(line),
                Err(Error::SecondsInvalid { value }) if value == wrong
            ));
        }
    }

    #[test]
    fn an_argument_in_the_wrong_place_is_an_error_that_names_it() {
        for (line, wrong) in [
            ("tset", "tset"),
            ("check --fast", "--fast"),
            ("test -p", "-p"),
            ("soak 5", "5"),
            ("soak --seconds 5 6", "6"),
        ] {
            assert!(matches!(
                parse(line),
                Err(Error::ArgumentUnknown { argument }) if argument == wrong
            ));
        }
        assert!(matches!(parse(""), Err(Error::CommandMissing)));
    }
}
