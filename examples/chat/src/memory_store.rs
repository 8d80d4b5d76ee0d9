use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::{
    Draft, Message, Nickname,
    store::{KEPT, Store, StoreError, UNREAD},
};

/// A store in memory. It ends with the process.
///
/// It is bounded by how many people there are, and what they leave unread: a real one would bound that in bytes.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    newest: u64,
    public: VecDeque<Message>,
    mailboxes: HashMap<Nickname, Mailbox>,
}

/// The private messages of one, by their ids; both sides share them.
#[derive(Debug, Default)]
struct Mailbox {
    unread: BTreeMap<u64, Arc<Message>>,
    /// Those that he has read or sent.
    known: BTreeMap<u64, Arc<Message>>,
}

impl State {
    fn post(&mut self, to: Nickname, message: &Arc<Message>) {
        let from = message.draft.from.clone();
        // To oneself: it waits like any other.
        if from != to {
            let sender = self.mailboxes.entry(from).or_default();
            sender.know(Arc::clone(message));
        }
        let reader = self.mailboxes.entry(to).or_default();
        reader.unread.insert(message.id, Arc::clone(message));
    }
}

impl Mailbox {
    fn know(&mut self, message: Arc<Message>) {
        self.known.insert(message.id, message);
        if self.known.len() > KEPT {
            self.known.pop_first();
        }
    }

    fn messages(&self) -> impl Iterator<Item = Message> {
        let all = self.unread.values().chain(self.known.values());
        all.map(|message| Message::clone(message))
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn append(&self, draft: Draft) -> Result<Message, StoreError> {
        let mut state = self.0.lock();
        let to = draft.to.clone();
        let mailbox = to.as_ref().and_then(|to| state.mailboxes.get(to));
        if mailbox.is_some_and(|mailbox| mailbox.unread.len() >= UNREAD) {
            return Err(StoreError::MailboxFull);
        }
        state.newest += 1;
        let id = state.newest;
        let message = Message { id, draft };
        if let Some(to) = to {
            state.post(to, &Arc::new(message.clone()));
        } else {
            if state.public.len() == KEPT {
                state.public.pop_front();
            }
            state.public.push_back(message.clone());
        }
        Ok(message)
    }

    async fn recent(&self, whose: &Nickname) -> Result<Vec<Message>, StoreError> {
        let state = self.0.lock();
        let mut recent: Vec<Message> = state.public.iter().cloned().collect();
        if let Some(mailbox) = state.mailboxes.get(whose) {
            recent.extend(mailbox.messages());
        }
        recent.sort_unstable_by_key(|message| message.id);
        Ok(recent)
    }

    async fn read(&self, whose: &Nickname, up_to: u64) -> Result<usize, StoreError> {
        let mut state = self.0.lock();
        let Some(mailbox) = state.mailboxes.get_mut(whose) else {
            return Ok(0);
        };
        while let Some(first) = mailbox.unread.first_entry()
            && *first.key() <= up_to
        {
            let message = first.remove();
            mailbox.know(message);
        }
        Ok(mailbox.unread.len())
    }

    async fn forget(&self, whose: &Nickname) -> Result<(), StoreError> {
        self.0.lock().mailboxes.remove(whose);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Nickname {
        Nickname::new(name).unwrap()
    }

    async fn say(store: &MemoryStore, from: &str, to: Option<&str>) -> Result<u64, StoreError> {
        let draft = Draft {
            from: name(from),
            to: to.map(name),
            text: "x".to_owned(),
            time: String::new(),
        };
        Ok(store.append(draft).await?.id)
    }

    async fn ids(store: &MemoryStore, whose: &str) -> Vec<u64> {
        let recent = store.recent(&name(whose)).await.unwrap();
        recent.iter().map(|message| message.id).collect()
    }

    #[tokio::test]
    async fn the_latest_public_messages_are_kept() {
        let store = MemoryStore::default();
        for id in 1..=60 {
            assert_eq!(say(&store, "ada", None).await.unwrap(), id);
        }
        assert_eq!(ids(&store, "bob").await, (11..=60).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn private_messages_are_between_two() {
        let store = MemoryStore::default();
        let id = say(&store, "ada", Some("bob")).await.unwrap();
        assert_eq!(ids(&store, "ada").await, [id]);
        assert_eq!(ids(&store, "bob").await, [id]);
        assert!(ids(&store, "eve").await.is_empty());
        let own = say(&store, "eve", Some("eve")).await.unwrap();
        assert_eq!(ids(&store, "eve").await, [own], "once");
    }

    #[tokio::test]
    async fn what_is_unread_waits_and_what_is_read_makes_room() {
        let store = MemoryStore::default();
        for _ in 0..UNREAD {
            say(&store, "ada", Some("bob")).await.unwrap();
        }
        let full = say(&store, "eve", Some("bob")).await;
        assert!(matches!(full, Err(StoreError::MailboxFull)), "{full:?}");
        assert!(ids(&store, "eve").await.is_empty(), "without a trace");
        // Public ones push nothing out, and refused ones take no id.
        let next = say(&store, "eve", None).await.unwrap();
        assert_eq!(next, 501);
        assert_eq!(ids(&store, "bob").await, (1..=501).collect::<Vec<_>>());
        assert_eq!(ids(&store, "ada").await, (451..=501).collect::<Vec<_>>());

        let unread = store.read(&name("bob"), 100).await.unwrap();
        assert_eq!(unread, 400);
        assert_eq!(ids(&store, "bob").await, (51..=501).collect::<Vec<_>>());
        // What he sends counts with what he has read.
        say(&store, "bob", Some("ada")).await.unwrap();
        assert_eq!(ids(&store, "bob").await, (52..=502).collect::<Vec<_>>());
        let none = store.read(&name("bob"), u64::MAX).await.unwrap();
        assert_eq!(none, 0);
        let kept: Vec<_> = (452..=502).collect();
        assert_eq!(ids(&store, "bob").await, kept, "50, and the public one");
        assert_eq!(store.read(&name("nobody"), 7).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn who_leaves_takes_his_side_along() {
        let store = MemoryStore::default();
        let public = say(&store, "ada", None).await.unwrap();
        let sent = say(&store, "ada", Some("bob")).await.unwrap();
        say(&store, "bob", Some("ada")).await.unwrap();
        store.forget(&name("ada")).await.unwrap();
        assert_eq!(ids(&store, "ada").await, [public]);
        assert_eq!(ids(&store, "bob").await, [public, sent, sent + 1]);
    }
}
