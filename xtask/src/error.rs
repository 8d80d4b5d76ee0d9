//! Why a run ended early.

use std::{
    fmt, io,
    process::{ExitCode, ExitStatus},
};

use crate::cli::USAGE;

/// Why a run ended early.
#[derive(Debug)]
pub(crate) enum Error {
    /// The command line names no command.
    CommandMissing,
    /// The command line holds something that isn't understood.
    ArgumentUnknown {
        /// What it holds.
        argument: String,
    },
    /// `--seconds` says something that isn't a number of seconds.
    SecondsInvalid {
        /// What it says.
        value: String,
    },
    /// The program wasn't started through cargo, so it can't tell where the workspace is.
    NotStartedByCargo,
    /// The workspace root can't be entered.
    WorkspaceRoot {
        /// What the system says.
        source: io::Error,
    },
    /// Neither `XDG_CACHE_HOME` nor `HOME` names a directory.
    CacheDirUnknown,
    /// A step's program couldn't be started.
    StepNotStarted {
        /// The step's name.
        step: &'static str,
        /// The program.
        program: String,
        /// What the system says.
        source: io::Error,
    },
    /// A step's command failed.
    StepFailed {
        /// The step's name.
        step: &'static str,
        /// How the command ended.
        status: ExitStatus,
    },
    /// The last step, whose own report is the last thing to print, failed.
    TestsFailed {
        /// How the command ended.
        status: ExitStatus,
    },
    /// Fuzzing has found an input for which a target fails.
    InputFound {
        /// The target's name.
        target: &'static str,
        /// How the command ended.
        status: ExitStatus,
    },
    /// Debian packages are missing and can't be installed from here.
    PackagesMissing {
        /// Why not.
        obstacle: Obstacle,
        /// The command that installs them.
        command: String,
    },
    /// Parts of the Rust toolchain are missing and there is no rustup to add them.
    ComponentsMissing {
        /// Their names.
        components: Vec<&'static str>,
    },
    /// A folder's npm packages can't be looked after.
    NodePackages {
        /// The folder.
        folder: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A cargo tool isn't there in its pinned version.
    ToolMissing {
        /// Its name.
        name: &'static str,
        /// The pinned version.
        version: &'static str,
    },
    /// A tool was installed, and yet doesn't report its pinned version.
    ToolUnusable {
        /// Its name.
        name: &'static str,
        /// The pinned version.
        version: &'static str,
    },
}

/// Why packages can't be installed from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// There is no apt-get.
    NoAptGet,
    /// The user isn't root.
    NotRoot,
}

impl Error {
    /// What to tell the user; none where the failed command's own report must stay last.
    pub(crate) fn message(&self) -> Option<String> {
        match self {
            Self::TestsFailed { .. } => None,
            Self::CommandMissing | Self::ArgumentUnknown { .. } | Self::SecondsInvalid { .. } => {
                Some(format!("{self}\n\n{USAGE}"))
            }
            _ => Some(self.to_string()),
        }
    }

    /// 2 for a command line that isn't understood, the tests' own code for the tests, otherwise 1.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::CommandMissing | Self::ArgumentUnknown { .. } | Self::SecondsInvalid { .. } => {
                ExitCode::from(2)
            }
            Self::TestsFailed { status } => status
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .map_or(ExitCode::FAILURE, ExitCode::from),
            _ => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandMissing => f.write_str("no command given"),
            Self::ArgumentUnknown { argument } => write!(f, "unexpected argument `{argument}`"),
            Self::SecondsInvalid { value } => {
                write!(f, "`{value}` isn't a number of seconds, one at least")
            }
            Self::NotStartedByCargo => {
                f.write_str("CARGO_MANIFEST_DIR isn't set: start this as `cargo xtask <command>`")
            }
            Self::WorkspaceRoot { source } => {
                write!(f, "can't enter the workspace root: {source}")
            }
            Self::CacheDirUnknown => {
                f.write_str("neither XDG_CACHE_HOME nor HOME names a directory to keep tools in")
            }
            Self::StepNotStarted {
                step,
                program,
                source,
            } => write!(f, "step `{step}`: can't start `{program}`: {source}"),
            Self::StepFailed { step, status } => write!(f, "step `{step}` failed: {status}"),
            Self::TestsFailed { status } => write!(f, "the tests failed: {status}"),
            Self::InputFound { target, status } => write!(
                f,
                "the fuzz target `{target}` failed: {status}; its input is in fuzz/artifacts/{target}: move it to fuzz/regressions/{target}, where the tests find it"
            ),
            Self::PackagesMissing { obstacle, command } => {
                let why = match obstacle {
                    Obstacle::NoAptGet => "there is no apt-get here; what a Debian would run is",
                    Obstacle::NotRoot => "only root can install them; run",
                };
                write!(f, "packages are missing and {why}: {command}")
            }
            Self::ComponentsMissing { components } => write!(
                f,
                "the Rust toolchain lacks {} and there is no rustup to add it: install it, then run `cargo xtask setup` again",
                components.join(" and "),
            ),
            Self::NodePackages { folder, source } => {
                write!(f, "can't tell which npm packages {folder} has: {source}")
            }
            Self::ToolMissing { name, version } => write!(
                f,
                "{name} {version} isn't installed: run `cargo xtask setup`"
            ),
            Self::ToolUnusable { name, version } => {
                write!(
                    f,
                    "{name} was installed but doesn't report version {version}"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_packages_are_told_with_the_command_that_installs_them() {
        let error = Error::PackagesMissing {
            obstacle: Obstacle::NotRoot,
            command: "sudo apt-get install -y curl".to_owned(),
        };
        assert_eq!(
            error.message().unwrap(),
            "packages are missing and only root can install them; run: sudo apt-get install -y curl"
        );
    }

    #[test]
    fn a_wrong_command_line_is_answered_with_the_usage() {
        assert!(Error::CommandMissing.message().unwrap().ends_with(USAGE));
    }
}
