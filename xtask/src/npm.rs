//! The npm packages that the tests need.

use std::{fs, io, path::PathBuf};

use crate::{error::Error, step::Step};

/// Folders with a `package.json` and its `package-lock.json`.
const FOLDERS: &[&str] = &["tests/node"];

/// Installs what is missing, or isn't what the lock files say.
///
/// # Errors
///
/// [`Error::NodePackages`], and what [`Step::run`] returns.
pub(crate) fn install() -> Result<(), Error> {
    FOLDERS.iter().try_for_each(|folder| install_in(folder))
}

fn install_in(folder: &'static str) -> Result<(), Error> {
    let failed = |source| Error::NodePackages { folder, source };
    let lock = fs::read(lock(folder)).map_err(failed)?;
    if is_installed(fs::read(installed(folder)), &lock) {
        eprintln!("[npm] nothing to do");
        return Ok(());
    }
    install_step(folder).run()?;
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
    fn no_lock_file_names_a_registry() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for folder in FOLDERS {
            let lock = fs::read_to_string(root.join(lock(folder))).unwrap();
            assert!(!lock.contains("\"resolved\""), "{folder}");
        }
    }
}
