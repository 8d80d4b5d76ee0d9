//! Installing and running cargo tools.

use std::path::Path;

use xtask_tools::CargoTool;

use crate::{
    error::Error,
    step::{Step, ask},
};

/// Installs the tool unless its pinned version is there already.
///
/// # Errors
///
/// [`Error::CacheDirUnknown`], [`Error::ToolUnusable`], and what [`Step::run`] returns.
pub(crate) fn install(tool: CargoTool) -> Result<(), Error> {
    let program = program(tool)?;
    if is_pinned(tool, &program) {
        eprintln!("[{}] nothing to do", tool.name);
        return Ok(());
    }
    let root = tool.root().ok_or(Error::CacheDirUnknown)?;
    install_step(tool, &root).run()?;
    if is_pinned(tool, &program) {
        Ok(())
    } else {
        Err(Error::ToolUnusable {
            name: tool.name,
            version: tool.version,
        })
    }
}

/// A step that runs the installed tool.
///
/// # Errors
///
/// [`Error::CacheDirUnknown`], and [`Error::ToolMissing`] if the pinned version isn't there.
pub(crate) fn step(tool: CargoTool, step: &'static str) -> Result<Step, Error> {
    let program = program(tool)?;
    if is_pinned(tool, &program) {
        Ok(Step::new(step, program))
    } else {
        Err(Error::ToolMissing {
            name: tool.name,
            version: tool.version,
        })
    }
}

fn program(tool: CargoTool) -> Result<String, Error> {
    let program = tool.program().ok_or(Error::CacheDirUnknown)?;
    Ok(program.display().to_string())
}

fn is_pinned(tool: CargoTool, program: &str) -> bool {
    ask(program, &["--version"])
        .is_some_and(|answer| answer.success && is_reported(tool, &answer.stdout))
}

/// Some say more afterwards, of their licence.
fn is_reported(tool: CargoTool, stdout: &str) -> bool {
    let words = stdout.split_whitespace().take(2);
    words.eq([tool.name, tool.version])
}

/// Unoptimized: it builds in about half the time, and the tool takes a second either way.
/// Forced: cargo would take a broken program for an installed one.
fn install_step(tool: CargoTool, root: &Path) -> Step {
    Step::cargo(tool.name)
        .env_remove("CARGO_TARGET_DIR")
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_DEV_DEBUG_ASSERTIONS", "false")
        .env("CARGO_PROFILE_DEV_OVERFLOW_CHECKS", "false")
        .words("install --debug --locked --force")
        .arguments([tool.name, "--version", &format!("={}", tool.version)])
        .arguments(["--root", &root.display().to_string()])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOL: CargoTool = CargoTool {
        name: "cargo-example",
        version: "1.2.3",
    };

    #[test]
    fn only_the_pinned_version_will_do() {
        assert!(is_reported(TOOL, "cargo-example 1.2.3\n"));
        assert!(is_reported(TOOL, "cargo-example 1.2.3\n\nFree software.\n"));
        assert!(!is_reported(TOOL, "cargo-example 1.2.30\n"));
        assert!(!is_reported(TOOL, "cargo-other 1.2.3\n"));
        assert!(!is_reported(TOOL, ""));
    }

    #[test]
    fn a_tool_is_installed_in_its_root() {
        let root = Path::new("/c/cargo-example-1.2.3");
        assert!(install_step(TOOL, root).render().ends_with(
            "cargo install --debug --locked --force cargo-example --version =1.2.3 \
             --root /c/cargo-example-1.2.3"
        ));
    }
}
