//! The parts of the Rust toolchain that a minimal installation leaves out.

use crate::{
    error::Error,
    step::{Step, ask},
};

/// Each component with the cargo command that it brings.
const COMPONENTS: &[(&str, &str)] = &[("rustfmt", "fmt"), ("clippy", "clippy")];

/// Adds what is missing.
///
/// # Errors
///
/// [`Error::ComponentsMissing`] without rustup, and what [`Step::run`] returns.
pub(crate) fn install() -> Result<(), Error> {
    let missing = missing(|command| {
        ask("cargo", &[command, "--version"]).is_some_and(|answer| answer.success)
    });
    if missing.is_empty() {
        eprintln!("[components] nothing to do");
        return Ok(());
    }
    if ask("rustup", &["--version"]).is_none() {
        return Err(Error::ComponentsMissing {
            components: missing,
        });
    }
    Step::new("components", "rustup")
        .words("component add")
        .arguments(missing)
        .run()
}

fn missing(works: impl Fn(&str) -> bool) -> Vec<&'static str> {
    COMPONENTS
        .iter()
        .filter(|(_, command)| !works(command))
        .map(|(component, _)| *component)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_whose_command_does_not_work_is_missing() {
        assert_eq!(missing(|command| command == "clippy"), ["rustfmt"]);
        assert!(missing(|_| true).is_empty());
    }
}
