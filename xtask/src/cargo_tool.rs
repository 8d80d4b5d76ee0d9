//! Cargo tools at pinned versions, in a cache that all clones share.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::{
    error::Error,
    step::{Step, ask},
};

/// Checks bans, licences and sources of the dependencies.
pub(crate) const CARGO_DENY: CargoTool = CargoTool {
    name: "cargo-deny",
    version: "0.20.2",
};

/// Builds and runs the fuzz targets.
pub(crate) const CARGO_FUZZ: CargoTool = CargoTool {
    name: "cargo-fuzz",
    version: "0.13.2",
};

/// A tool that `cargo install` builds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CargoTool {
    name: &'static str,
    version: &'static str,
}

impl CargoTool {
    /// Installs the tool unless its pinned version is there already.
    ///
    /// # Errors
    ///
    /// [`Error::CacheDirUnknown`], [`Error::ToolUnusable`], and what [`Step::run`] returns.
    pub(crate) fn install(self) -> Result<(), Error> {
        let root = self.root(&cache_dir()?);
        if self.works_in(&root) {
            eprintln!("[{}] nothing to do", self.name);
            return Ok(());
        }
        self.install_step(&root).run()?;
        if self.works_in(&root) {
            Ok(())
        } else {
            Err(Error::ToolUnusable {
                name: self.name,
                version: self.version,
            })
        }
    }

    /// A step that runs the installed tool.
    ///
    /// # Errors
    ///
    /// [`Error::CacheDirUnknown`], and [`Error::ToolMissing`] if the pinned version isn't there.
    pub(crate) fn step(self, step: &'static str) -> Result<Step, Error> {
        let root = self.root(&cache_dir()?);
        if self.works_in(&root) {
            Ok(Step::new(step, self.program(&root)))
        } else {
            Err(Error::ToolMissing {
                name: self.name,
                version: self.version,
            })
        }
    }

    /// Each version has a directory of its own, so that clones which pin different ones don't
    /// fight over it.
    fn root(self, cache: &Path) -> PathBuf {
        cache.join(format!("{}-{}", self.name, self.version))
    }

    fn program(self, root: &Path) -> String {
        root.join("bin").join(self.name).display().to_string()
    }

    fn works_in(self, root: &Path) -> bool {
        ask(&self.program(root), &["--version"])
            .is_some_and(|answer| answer.success && self.is_reported_by(&answer.stdout))
    }

    fn is_reported_by(self, stdout: &str) -> bool {
        stdout.split_whitespace().eq([self.name, self.version])
    }

    /// Unoptimized: it builds in about half the time, and the tool takes a second either way.
    /// Forced: cargo would take a broken program for an installed one.
    fn install_step(self, root: &Path) -> Step {
        Step::cargo(self.name)
            .env_remove("CARGO_TARGET_DIR")
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("CARGO_PROFILE_DEV_DEBUG_ASSERTIONS", "false")
            .env("CARGO_PROFILE_DEV_OVERFLOW_CHECKS", "false")
            .words("install --debug --locked --force")
            .arguments([self.name, "--version", &format!("={}", self.version)])
            .arguments(["--root", &root.display().to_string()])
    }
}

fn cache_dir() -> Result<PathBuf, Error> {
    cache_dir_from(env::var_os("XDG_CACHE_HOME"), env::var_os("HOME")).ok_or(Error::CacheDirUnknown)
}

/// The XDG base directory specification has relative paths ignored.
fn cache_dir_from(xdg_cache_home: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let base = xdg_cache_home
        .and_then(absolute)
        .or_else(|| Some(home.and_then(absolute)?.join(".cache")))?;
    Some(base.join("sse-xtask"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOL: CargoTool = CargoTool {
        name: "cargo-example",
        version: "1.2.3",
    };

    fn cache(xdg_cache_home: Option<&str>, home: Option<&str>) -> Option<PathBuf> {
        cache_dir_from(xdg_cache_home.map(Into::into), home.map(Into::into))
    }

    #[test]
    fn the_cache_is_where_xdg_says_or_else_under_home() {
        let at = |path: &str| Some(PathBuf::from(path));
        assert_eq!(cache(Some("/c"), Some("/h")), at("/c/sse-xtask"));
        assert_eq!(cache(None, Some("/h")), at("/h/.cache/sse-xtask"));
        assert_eq!(cache(Some(""), Some("/h")), at("/h/.cache/sse-xtask"));
        assert_eq!(cache(Some("rel"), Some("/h")), at("/h/.cache/sse-xtask"));
        assert_eq!(cache(None, Some("")), None);
        assert_eq!(cache(None, None), None);
    }

    #[test]
    fn only_the_pinned_version_will_do() {
        assert!(TOOL.is_reported_by("cargo-example 1.2.3\n"));
        assert!(!TOOL.is_reported_by("cargo-example 1.2.30\n"));
        assert!(!TOOL.is_reported_by("cargo-other 1.2.3\n"));
        assert!(!TOOL.is_reported_by(""));
    }

    #[test]
    fn a_version_has_its_own_directory() {
        let root = TOOL.root(Path::new("/c"));
        assert_eq!(
            TOOL.program(&root),
            "/c/cargo-example-1.2.3/bin/cargo-example"
        );
        assert!(TOOL.install_step(&root).render().ends_with(
            "cargo install --debug --locked --force cargo-example --version =1.2.3 \
             --root /c/cargo-example-1.2.3"
        ));
    }
}
