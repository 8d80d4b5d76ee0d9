//! By which tokens streams are open, and how they end with them.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use sse_core::{Connection, Hub, Predicate, Target};
use tokio::{sync::mpsc, time::sleep};

use crate::{
    store::{Change, Store},
    tokens::TokenId,
};

/// How many changes are looked at together.
const AT_ONCE: usize = 1_024;

/// How long to wait before a store that failed is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// What a page is told whose token was revoked.
const REVOKED: &str = "revoked";

/// The tokens by which streams are open, or are being opened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grants(Arc<Mutex<HashMap<TokenId, Weak<Grant>>>>);

/// That streams are open by a token: what they have as an attribute.
#[derive(Debug)]
pub(crate) struct Grant {
    token: TokenId,
    revoked: AtomicBool,
    of: Grants,
}

impl Grants {
    /// The grant of a token: to be had before it is asked whether the token was revoked, so that what
    /// happens meanwhile is noted.
    pub(crate) fn hold(&self, token: &TokenId) -> Arc<Grant> {
        let mut grants = self.0.lock();
        if let Some(grant) = grants.get(token).and_then(Weak::upgrade) {
            return grant;
        }
        let grant = Arc::new(Grant {
            token: token.clone(),
            revoked: AtomicBool::new(false),
            of: self.clone(),
        });
        grants.insert(token.clone(), Arc::downgrade(&grant));
        grant
    }

    fn find(&self, token: &TokenId) -> Option<Arc<Grant>> {
        self.0.lock().get(token).and_then(Weak::upgrade)
    }

    fn tokens(&self) -> Vec<TokenId> {
        self.0.lock().keys().cloned().collect()
    }

    /// Those of these changes that are about a stream of ours.
    fn concerned(&self, changes: &[Change]) -> Vec<TokenId> {
        let mut tokens = HashSet::new();
        for change in changes {
            match change {
                Change::Any => return self.tokens(),
                Change::Token(token) => drop(tokens.insert(token)),
            }
        }
        let grants = self.0.lock();
        let is_ours = |token: &&TokenId| grants.contains_key(token);
        tokens.into_iter().filter(is_ours).cloned().collect()
    }

    /// Ends the streams of whatever token is revoked, as a store tells it.
    pub(crate) async fn enforce(
        self,
        hub: Hub,
        store: Arc<dyn Store>,
        mut changes: mpsc::UnboundedReceiver<Change>,
    ) {
        let mut told = Vec::new();
        while !told.is_empty() || changes.recv_many(&mut told, AT_ONCE).await > 0 {
            let tokens = self.concerned(&told);
            told.clear();
            for tokens in tokens.chunks(AT_ONCE) {
                match store.revoked(tokens).await {
                    Ok(revoked) => self.revoke(&hub, &revoked),
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "whether tokens are revoked isn't known");
                        told.extend(tokens.iter().cloned().map(Change::Token));
                    }
                }
            }
            if !told.is_empty() {
                sleep(RETRY).await;
            }
        }
    }

    fn revoke(&self, hub: &Hub, tokens: &[TokenId]) {
        // Held until they have ended.
        let grants: Vec<_> = tokens.iter().filter_map(|token| self.find(token)).collect();
        for grant in &grants {
            grant.revoked.store(true, Ordering::SeqCst);
        }
        if !grants.is_empty() {
            let ended = hub.revoke(&Target::matching(Predicate::new(is_revoked)), REVOKED);
            tracing::info!(tokens = grants.len(), connections = ended, "revoked");
        }
    }
}

fn is_revoked(connection: &Connection) -> bool {
    let grant = connection.attributes().get::<Arc<Grant>>();
    grant.is_some_and(|grant| grant.is_revoked())
}

impl Grant {
    /// Whether its token was revoked since it is held.
    pub(crate) fn is_revoked(&self) -> bool {
        self.revoked.load(Ordering::SeqCst)
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        let mut grants = self.of.0.lock();
        // Another may have taken its place.
        if grants
            .get(&self.token)
            .is_some_and(|grant| grant.strong_count() == 0)
        {
            grants.remove(&self.token);
        }
    }
}
