//! A tool, its version and its place.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// Checks bans, licences and sources of the dependencies.
pub const CARGO_DENY: CargoTool = CargoTool {
    name: "cargo-deny",
    version: "0.20.2",
};

/// Builds and runs the fuzz targets.
pub const CARGO_FUZZ: CargoTool = CargoTool {
    name: "cargo-fuzz",
    version: "0.13.2",
};

/// Drives Firefox. Debian has none.
pub const GECKODRIVER: CargoTool = CargoTool {
    name: "geckodriver",
    version: "0.37.1",
};

/// A tool that `cargo install` builds.
#[derive(Debug, Clone, Copy)]
pub struct CargoTool {
    /// The name of the package, and of its program.
    pub name: &'static str,
    /// The pinned version.
    pub version: &'static str,
}

impl CargoTool {
    /// The directory that it is installed in, whether it is there yet or not. None where neither
    /// `XDG_CACHE_HOME` nor `HOME` names a directory.
    ///
    /// Each version has a directory of its own, so that clones which pin different ones don't
    /// fight over it.
    #[must_use]
    pub fn root(self) -> Option<PathBuf> {
        cache_dir(env::var_os("XDG_CACHE_HOME"), env::var_os("HOME")).map(|dir| self.root_in(&dir))
    }

    /// Its program, in the [root](Self::root).
    #[must_use]
    pub fn program(self) -> Option<PathBuf> {
        self.root().map(|root| self.program_in(&root))
    }

    fn root_in(self, cache: &Path) -> PathBuf {
        cache.join(format!("{}-{}", self.name, self.version))
    }

    fn program_in(self, root: &Path) -> PathBuf {
        root.join("bin").join(self.name)
    }
}

/// The XDG base directory specification has relative paths ignored.
fn cache_dir(xdg_cache_home: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let base = xdg_cache_home
        .and_then(absolute)
        .or_else(|| Some(home.and_then(absolute)?.join(".cache")))?;
    Some(base.join("sse-xtask"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(xdg_cache_home: Option<&str>, home: Option<&str>) -> Option<PathBuf> {
        cache_dir(xdg_cache_home.map(Into::into), home.map(Into::into))
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
    fn a_version_has_its_own_directory() {
        let tool = CargoTool {
            name: "cargo-example",
            version: "1.2.3",
        };
        assert_eq!(
            tool.program_in(&tool.root_in(Path::new("/c"))),
            Path::new("/c/cargo-example-1.2.3/bin/cargo-example")
        );
    }
}
