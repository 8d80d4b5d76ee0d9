use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::json;
use sse_core::{ClientId, ClientNotice, Event, Hub};

use crate::answer::Refusal;

/// How many friends somebody may have, and how many may have some.
const MOST_FRIENDS: usize = 200;
const MOST_USERS: usize = 1_000;

/// Who is told when somebody comes and goes.
#[derive(Debug, Default)]
pub(crate) struct Friends(Mutex<HashMap<ClientId, Vec<ClientId>>>);

impl Friends {
    /// Says who the friends of a user are, from now on.
    pub(crate) fn set(&self, user: ClientId, friends: Vec<ClientId>) -> Result<(), Refusal> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if friends.is_empty() {
            all.remove(&user);
            return Ok(());
        }
        if friends.len() > MOST_FRIENDS {
            let most = format!("more than {MOST_FRIENDS}");
            return Err(Refusal::field("friends", most));
        }
        if all.len() >= MOST_USERS && !all.contains_key(&user) {
            return Err(Refusal::field("user", "too many have friends"));
        }
        all.insert(user, friends);
        Ok(())
    }

    fn of(&self, user: &ClientId) -> Vec<ClientId> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(user).cloned().unwrap_or_default()
    }
}

/// Tells friends who is online and offline, until the hub is closed. Whoever is back within `grace` wasn't
/// away.
pub(crate) async fn tell(hub: Hub, friends: Arc<Friends>, grace: Duration) {
    let mut presence = hub.client_presence(grace);
    while let Some(notice) = presence.next().await {
        let (user, online) = match notice {
            ClientNotice::Online(user) => (user, true),
            ClientNotice::Offline(user) => (user, false),
        };
        let friends = friends.of(&user);
        if friends.is_empty() {
            continue;
        }
        // What it was is of no use to who comes later, or reads slowly.
        let event = Event::json(&json!({ "user": user, "online": online }))
            .event("presence")
            .conflation_key(user.as_str())
            .transient();
        if let Err(error) = hub.send_to_each(friends, event).await {
            tracing::warn!(%error, "friends aren't told");
        }
    }
}
