//! Settings to begin with.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use example_support::say;

const SETTINGS: &str = include_str!("../gateway.toml");

/// Writes settings and users that nobody else has, where there are none.
pub(crate) fn init(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let (settings, users) = (folder.join("gateway.toml"), folder.join("users.toml"));
    let password = secret(8)?;
    let hash = gateway::hash(&password).map_err(|error| error.to_string())?;
    let text = SETTINGS
        .replace("<the secret of tokens>", &secret(32)?)
        .replace("<the key of services>", &secret(32)?);
    write(&settings, &text)?;
    write(
        &users,
        &format!("[ada]\npassword = \"{hash}\"\ngroups = [\"staff\"]\n"),
    )?;
    say(format!(
        "Wrote {} and {}. Log in as ada, with the password {password}",
        settings.display(),
        users.display()
    ));
    Ok(())
}

/// A file that its owner alone may read; none is overwritten.
fn write(path: &Path, text: &str) -> Result<(), String> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

/// So many random bytes, as text.
fn secret(bytes: usize) -> Result<String, String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(|error| error.to_string())?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
