use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use parking_lot::Mutex;
use sse_core::ClientId;

use super::{Change, Changes, Mail, MailId, Store, StoreError, first_young};
use crate::{
    settings::{AGES, ImportantSettings},
    tokens::TokenId,
};

/// How many revocations, or users with mail, there are before those that are over are looked for: then twice as
/// many as are left.
const FIRST_SWEEP: usize = 1_000;

/// A store that lives as long as its process.
#[derive(Debug)]
pub(crate) struct MemoryStore {
    limits: ImportantSettings,
    changes: Changes,
    revoked: Mutex<Revoked>,
    mail: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    of: HashMap<ClientId, BTreeMap<MailId, Mail>>,
    next_sweep: usize,
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
            mail: Mutex::new(Kept {
                of: HashMap::new(),
                next_sweep: FIRST_SWEEP,
            }),
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

impl Kept {
    /// Forgets what is too old of users who never come, now and then.
    fn sweep(&mut self, first_young: MailId) {
        if self.of.len() >= self.next_sweep {
            self.of.retain(|_, mail| {
                *mail = mail.split_off(&first_young);
                !mail.is_empty()
            });
            self.next_sweep = FIRST_SWEEP.max(2 * self.of.len());
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
            revoked.until.insert(token.clone(), now + left.min(AGES));
        }
        // Nobody listens once the gateway ends.
        let _ = self.changes.send(Change::Token(token.clone()));
        Ok(())
    }

    async fn keep(&self, users: &[ClientId], mail: &Mail) -> Result<(), StoreError> {
        let first_young = first_young(self.limits.age);
        let mut kept = self.mail.lock();
        kept.sweep(first_young);
        let is_full = |user: &&ClientId| {
            kept.of.get_mut(*user).is_some_and(|its| {
                *its = its.split_off(&first_young);
                its.len() >= self.limits.most
            })
        };
        let full: Vec<_> = users.iter().filter(is_full).cloned().collect();
        if !full.is_empty() {
            return Err(StoreError::Full(full));
        }
        for user in users {
            let its = kept.of.entry(user.clone()).or_default();
            its.insert(mail.id, mail.clone());
        }
        Ok(())
    }

    async fn place(&self, users: &[ClientId], mail: &Mail) -> Result<(), StoreError> {
        let mut kept = self.mail.lock();
        for user in users {
            if let Some(its) = kept.of.get_mut(user).and_then(|its| its.get_mut(&mail.id)) {
                its.position = mail.position;
            }
        }
        Ok(())
    }

    async fn mail(&self, user: &ClientId) -> Result<Vec<Mail>, StoreError> {
        let first_young = first_young(self.limits.age);
        let kept = self.mail.lock();
        let its = kept.of.get(user).into_iter();
        let young = its.flat_map(|its| its.range(first_young..));
        Ok(young.map(|(_, mail)| mail.clone()).collect())
    }

    async fn discard(&self, users: &[ClientId], mail: &[MailId]) -> Result<(), StoreError> {
        let mut kept = self.mail.lock();
        for user in users {
            if let Some(its) = kept.of.get_mut(user) {
                its.retain(|id, _| !mail.contains(id));
                if its.is_empty() {
                    kept.of.remove(user);
                }
            }
        }
        Ok(())
    }
}
