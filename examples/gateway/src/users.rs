//! Who may log in.

use std::{
    collections::HashMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use argon2::{
    Argon2,
    password_hash::{self, PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use serde::Deserialize;
use sse_core::{ClientId, GroupName};
use tokio::{sync::Semaphore, time::timeout};

/// How many passwords are checked at once: each takes a core and 19 MiB for a while.
const AT_ONCE: usize = 2;

/// How long somebody waits for his turn.
const PATIENCE: Duration = Duration::from_secs(3);

/// Who may log in, by the file that says it:
///
/// ```toml
/// [ada]
/// password = "$argon2id$v=19$…"
/// groups = ["staff"]
/// ```
pub struct Users {
    users: HashMap<String, User>,
    /// Of no password: what a user is held against whom nobody knows, so that he waits as long.
    nobodys: String,
    turns: Arc<Semaphore>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    /// A hash by Argon2, in the PHC string format.
    password: String,
    #[serde(default)]
    groups: Vec<String>,
}

/// Who has logged in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: ClientId,
    pub(crate) groups: Vec<GroupName>,
}

/// Why the users aren't known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UsersError {
    /// The file can't be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It isn't what it should be. No line of it is quoted.
    #[error("{path}: {reason}")]
    Invalid {
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There are no random numbers for a salt.
    #[error("a password can't be hashed: {0}")]
    Hash(password_hash::Error),
}

/// Why somebody isn't logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LoginError {
    #[error("there is no such user with such a password")]
    Wrong,
    #[error("too many log in right now")]
    Busy,
}

impl Users {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// [`UsersError`].
    pub fn read(path: &Path) -> Result<Self, UsersError> {
        let text = fs::read_to_string(path).map_err(|source| UsersError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let invalid = |reason: String| UsersError::Invalid {
            path: path.to_owned(),
            reason,
        };
        let users: HashMap<String, User> =
            toml::from_str(&text).map_err(|error| invalid(error.message().to_owned()))?;
        for (name, user) in &users {
            let is_hash = is_argon2(&user.password);
            let has_names = user
                .groups
                .iter()
                .all(|group| GroupName::new(group).is_ok());
            if ClientId::new(name).is_err() || !is_hash || !has_names {
                let what = if is_hash { "a name" } else { "the password" };
                return Err(invalid(format!("{name}: {what} isn't valid")));
            }
        }
        Ok(Self {
            users,
            nobodys: hash("").map_err(UsersError::Hash)?,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        })
    }

    /// Checks a password; takes as long whether there is such a user or not, if the hashes of the file are made
    /// as [`hash`] makes them.
    pub(crate) async fn log_in(&self, name: &str, password: String) -> Result<Login, LoginError> {
        let user = self.users.get(name);
        let hash = user.map_or(&self.nobodys, |user| &user.password).clone();
        let turn = timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(LoginError::Busy);
        };
        let verified = tokio::task::spawn_blocking(move || {
            let is_right = verify(&password, &hash);
            // Not before: whoever hangs up has begun it all the same.
            drop(turn);
            is_right
        });
        let is_right = verified.await.unwrap_or(false);
        let user = user.filter(|_| is_right).ok_or(LoginError::Wrong)?;
        let groups: Result<_, _> = user.groups.iter().map(GroupName::new).collect();
        Ok(Login {
            user: ClientId::new(name).map_err(|_| LoginError::Wrong)?,
            groups: groups.map_err(|_| LoginError::Wrong)?,
        })
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users")
            .field("users", &self.users.len())
            .finish_non_exhaustive()
    }
}

fn is_argon2(hash: &str) -> bool {
    let hash = PasswordHash::new(hash);
    hash.is_ok_and(|hash| hash.algorithm.as_str().starts_with("argon2") && hash.hash.is_some())
}

/// What stands in the file for a password: argon2id, by the parameters that OWASP recommends.
///
/// # Errors
///
/// There are no random numbers for a salt.
pub fn hash(password: &str) -> Result<String, password_hash::Error> {
    let hash = Argon2::default().hash_password(password.as_bytes())?;
    Ok(hash.to_string())
}

fn verify(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        let verified = Argon2::default().verify_password(password.as_bytes(), &hash);
        verified.is_ok()
    })
}
