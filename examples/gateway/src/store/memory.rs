use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use parking_lot::Mutex;
use sse_core::ClientId;

use super::{Change, Changes, Mail, MailId, Store, StoreError};
use crate::{settings::ImportantSettings, tokens::TokenId};

/// How many revocations there are before those that are over are looked for: then twice as many as are
/// left.
const FIRST_SWEEP: usize = 1_000;

/// A store that lives as long as its process.
#[derive(Debug)]
pub(crate) struct MemoryStore {
    limits: ImportantSettings,
    changes: Changes,
    revoked: Mutex<Revoked>,
    mail: Mutex<HashMap<ClientId, BTreeMap<MailId, Mail>>>,
}

#[derive(Debug)]
struct Revoked {
    until: HashMap<TokenId, Instant>,
    next_sweep: usize,
}

impl MemoryStore {
    pub(crate) fn new(limits: ImportantSettings, changes: Changes) -> Self {
        Self {
            limits,
            changes,
            revoked: Mutex::new(Revoked {
                until: HashMap::new(),
                next_sweep: FIRST_SWEEP,
            }),
            mail: Mutex::default(),
        }
    }
}

impl Revoked {
    /// Forgets those that would have expired by now, now and then.
    fn sweep(&mut self, now: Instant) {
        if self.until.len() >= self.next_sweep {
            self.until.retain(|_, until| *until > now);
            self.next_sweep = FIRST_SWEEP.max(2 * self.until.len());
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn revoked(&self, tokens: &[TokenId]) -> Result<Vec<TokenId>, StoreError> {
        let (revoked, now) = (self.revoked.lock(), Instant::now());
        let is_revoked = |token: &&TokenId| revoked.until.get(token).is_some_and(|it| *it > now);
        Ok(tokens.iter().filter(is_revoked).cloned().collect())
    }

    async fn revoke(&self, token: &TokenId, left: Duration) -> Result<(), StoreError> {
        let now = Instant::now();
        {
            let mut revoked = self.revoked.lock();
            revoked.sweep(now);
            revoked.until.insert(token.clone(), now + left);
        }
        // Nobody listens once the gateway ends.
        let _ = self.changes.send(Change::Token(token.clone()));
        Ok(())
    }

    async fn keep(&self, users: &[ClientId], mail: &Mail) -> Result<(), StoreError> {
        let mut all = self.mail.lock();
        let is_full = |user: &&ClientId| {
            all.get_mut(*user).is_some_and(|kept| {
                kept.retain(|_, mail| !mail.is_older_than(self.limits.age));
                kept.len() >= self.limits.most
            })
        };
        let full: Vec<_> = users.iter().filter(is_full).cloned().collect();
        if !full.is_empty() {
            return Err(StoreError::Full(full));
        }
        for user in users {
            let kept = all.entry(user.clone()).or_default();
            kept.insert(mail.id, mail.clone());
        }
        Ok(())
    }

    async fn place(&self, users: &[ClientId], mail: &Mail) -> Result<(), StoreError> {
        let mut all = self.mail.lock();
        for user in users {
            if let Some(kept) = all.get_mut(user).and_then(|kept| kept.get_mut(&mail.id)) {
                kept.position = mail.position;
            }
        }
        Ok(())
    }

    async fn mail(&self, user: &ClientId) -> Result<Vec<Mail>, StoreError> {
        let all = self.mail.lock();
        let kept = all.get(user).into_iter().flat_map(BTreeMap::values);
        let is_young = |mail: &&Mail| !mail.is_older_than(self.limits.age);
        Ok(kept.filter(is_young).cloned().collect())
    }

    async fn discard(&self, users: &[ClientId], mail: &[MailId]) -> Result<(), StoreError> {
        let mut all = self.mail.lock();
        for user in users {
            if let Some(kept) = all.get_mut(user) {
                kept.retain(|id, _| !mail.contains(id));
                if kept.is_empty() {
                    all.remove(user);
                }
            }
        }
        Ok(())
    }
}
