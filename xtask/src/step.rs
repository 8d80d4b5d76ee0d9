//! One command of a run: how it is shown and how it is started.

use std::{
    borrow::Cow,
    env, io,
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
};

use crate::error::Error;

/// A named command.
///
/// The child inherits the standard streams and the environment, less what cargo said about this
/// package when it started it: build scripts that watch those variables would otherwise run again
/// each time `cargo` and `cargo xtask` take turns.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    name: &'static str,
    program: String,
    arguments: Vec<String>,
    set: Vec<(&'static str, String)>,
    unset: Vec<&'static str>,
}

impl Step {
    /// A step that runs `program`.
    pub(crate) fn new(name: &'static str, program: impl Into<String>) -> Self {
        Self {
            name,
            program: program.into(),
            arguments: Vec::new(),
            set: Vec::new(),
            unset: Vec::new(),
        }
    }

    /// A step that runs cargo.
    pub(crate) fn cargo(name: &'static str) -> Self {
        Self::new(name, "cargo")
    }

    /// Adds arguments, separated by blanks.
    pub(crate) fn words(self, line: &str) -> Self {
        self.arguments(line.split_whitespace())
    }

    /// Adds arguments as they are.
    pub(crate) fn arguments<I>(mut self, arguments: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable for the child.
    pub(crate) fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.set.push((name, value.into()));
        self
    }

    /// Hides a variable from the child.
    pub(crate) fn env_remove(mut self, name: &'static str) -> Self {
        self.unset.push(name);
        self
    }

    /// The command as a shell takes it.
    pub(crate) fn render(&self) -> String {
        let mut words = Vec::new();
        if !self.unset.is_empty() {
            words.push("env".to_owned());
            words.extend(self.unset.iter().map(|name| format!("-u {name}")));
        }
        words.extend(
            self.set
                .iter()
                .map(|(name, value)| format!("{name}={}", quote(value))),
        );
        words.push(quote(&self.program).into_owned());
        words.extend(self.arguments.iter().map(|word| quote(word).into_owned()));
        words.join(" ")
    }

    /// Prints the command and runs it.
    ///
    /// # Errors
    ///
    /// [`Error::StepNotStarted`], or [`Error::StepFailed`] for any status but success.
    pub(crate) fn run(&self) -> Result<(), Error> {
        let status = self.status()?;
        if status.success() {
            Ok(())
        } else {
            Err(Error::StepFailed {
                step: self.name,
                status,
            })
        }
    }

    /// Prints the command, runs it and returns how it ended.
    ///
    /// # Errors
    ///
    /// [`Error::StepNotStarted`].
    pub(crate) fn status(&self) -> Result<ExitStatus, Error> {
        eprintln!("\n[{}] $ {}", self.name, self.render());
        let mut command = command(&self.program);
        command.args(&self.arguments).envs(self.set.iter().cloned());
        for name in &self.unset {
            command.env_remove(name);
        }
        command.status().map_err(|source| Error::StepNotStarted {
            step: self.name,
            program: self.program.clone(),
            source,
        })
    }
}

/// What a quiet question to a program came to.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Whether the program reported success.
    pub(crate) success: bool,
    /// What it wrote to its standard output.
    pub(crate) stdout: String,
}

/// Runs a program without a header and keeps what it says; none if there is no such program.
pub(crate) fn ask(program: &str, arguments: &[&str]) -> Option<Answer> {
    let output = command(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    Some(Answer {
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
    })
}

/// Makes the workspace root the directory that every step runs in.
///
/// # Errors
///
/// [`Error::NotStartedByCargo`] and [`Error::WorkspaceRoot`].
pub(crate) fn enter_workspace_root() -> Result<(), Error> {
    let package = env::var_os("CARGO_MANIFEST_DIR").ok_or(Error::NotStartedByCargo)?;
    let mut root = PathBuf::from(package);
    if !root.pop() {
        return Err(Error::WorkspaceRoot {
            source: io::ErrorKind::NotFound.into(),
        });
    }
    env::set_current_dir(root).map_err(|source| Error::WorkspaceRoot { source })
}

fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(describes_this_package) {
            command.env_remove(name);
        }
    }
    command
}

fn describes_this_package(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}

fn quote(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_a_shell_takes_it() {
        let step = Step::cargo("docs")
            .env("RUSTDOCFLAGS", "-D warnings")
            .words("doc --no-deps")
            .arguments(["it's", "", "a=b"]);
        assert_eq!(
            step.render(),
            r"RUSTDOCFLAGS='-D warnings' cargo doc --no-deps 'it'\''s' '' a=b"
        );
    }

    #[test]
    fn hidden_variables_are_shown_before_set_ones() {
        let step = Step::cargo("install")
            .env("B", "1")
            .env_remove("A")
            .words("install");
        assert_eq!(step.render(), "env -u A B=1 cargo install");
    }

    #[test]
    fn a_failure_names_its_step() {
        let failed = Step::new("refuse", "false").run().unwrap_err();
        assert!(failed.to_string().starts_with("step `refuse` failed"));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let failed = Step::new("ghost", "no-such-program-here")
            .run()
            .unwrap_err();
        assert!(failed.to_string().contains("`no-such-program-here`"));
        assert!(ask("no-such-program-here", &[]).is_none());
    }

    #[test]
    fn only_what_describes_this_package_is_hidden() {
        assert!(describes_this_package("CARGO_PKG_NAME"));
        assert!(describes_this_package("CARGO_MANIFEST_DIR"));
        assert!(!describes_this_package("CARGO_TARGET_DIR"));
        assert!(!describes_this_package("CARGO_HOME"));
    }
}
