use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use sse_core::{ClientId, GroupName};

use crate::answer::Refusal;

/// How many items somebody may follow, and how many may follow some.
const MOST_ITEMS: usize = 50;
const MOST_USERS: usize = 10_000;

/// Which items each user follows: a page that is reloaded follows them still.
#[derive(Debug, Default)]
pub(crate) struct Follows(Mutex<HashMap<ClientId, BTreeSet<GroupName>>>);

impl Follows {
    pub(crate) fn add(&self, user: &ClientId, item: GroupName) -> Result<(), Refusal> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST_USERS && !all.contains_key(user) {
            return Err(Refusal::field("user", "too many follow something"));
        }
        let items = all.entry(user.clone()).or_default();
        if items.len() >= MOST_ITEMS && !items.contains(&item) {
            let most = format!("the user follows {MOST_ITEMS} already");
            return Err(Refusal::field("item", most));
        }
        items.insert(item);
        Ok(())
    }

    /// `false` if the user didn't follow it.
    pub(crate) fn remove(&self, user: &ClientId, item: &GroupName) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(items) = all.get_mut(user) else {
            return false;
        };
        let followed = items.remove(item);
        if items.is_empty() {
            all.remove(user);
        }
        followed
    }

    pub(crate) fn of(&self, user: &str) -> Vec<GroupName> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let items = ClientId::new(user).ok().and_then(|user| all.get(&user));
        items.into_iter().flatten().cloned().collect()
    }
}
