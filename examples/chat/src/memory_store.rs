use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::{
    Draft, Message, Nickname,
    store::{KEPT, Store, StoreError, UNREAD},
};

/// How many bytes of private messages there are at the most.
const MOST_PRIVATE_BYTES: usize = 64 * 1024 * 1024;

/// What a private message takes besides its text, about: or else short ones would hardly count.
const BESIDES_TEXT: usize = 256;

/// A store in memory. It ends with the process.
///
/// All private messages together are at most 64 MiB, by their texts and 256 bytes for each. Then it takes no more,
/// until some are read or somebody leaves.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    newest: u64,
    public: VecDeque<Message>,
    mailboxes: HashMap<Nickname, Mailbox>,
    private_bytes: Arc<AtomicUsize>,
}

/// A private message, which counts until neither side has it.
#[derive(Debug)]
struct Private {
    message: Message,
    bytes: usize,
    all: Arc<AtomicUsize>,
}

impl Private {
    fn new(message: Message, bytes: usize, all: &Arc<AtomicUsize>) -> Self {
        all.fetch_add(bytes, Ordering::Relaxed);
        let all = Arc::clone(all);
        Self {
            message,
            bytes,
            all,
        }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The private messages of one, by their ids; both sides share them.
#[derive(Debug, Default)]
struct Mailbox {
    unread: BTreeMap<u64, Arc<Private>>,
    /// Those that he has read or sent.
    known: BTreeMap<u64, Arc<Private>>,
}

impl State {
    fn post(&mut self, to: Nickname, private: &Arc<Private>) {
        let from = private.message.draft.from.clone();
        // To oneself: it waits like any other.
        if from != to {
            let sender = self.mailboxes.entry(from).or_default();
            sender.know(Arc::clone(private));
        }
        let reader = self.mailboxes.entry(to).or_default();
        reader
            .unread
            .insert(private.message.id, Arc::clone(private));
    }
}

impl Mailbox {
    fn know(&mut self, private: Arc<Private>) {
        self.known.insert(private.message.id, private);
        if self.known.len() > KEPT {
            self.known.pop_first();
        }
    }

    fn messages(&self) -> impl Iterator<Item = Message> {
        let all = self.unread.values().chain(self.known.values());
        all.map(|private| private.message.clone())
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
        let bytes = draft.text.len() + BESIDES_TEXT;
        let held = state.private_bytes.load(Ordering::Relaxed);
        if to.is_some() && held + bytes > MOST_PRIVATE_BYTES {
            return Err(StoreError::Full);
        }
        state.newest += 1;
        let id = state.newest;
        let message = Message { id, draft };
        if let Some(to) = to {
            let private = Private::new(message.clone(), bytes, &state.private_bytes);
            state.post(to, &Arc::new(private));
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
            let private = first.remove();
            mailbox.know(private);
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
    async fn all_private_messages_together_have_a_limit() {
        let store = MemoryStore::default();
        let write = async |from: &str, to: Option<&str>| {
            let draft = Draft {
                from: name(from),
                to: to.map(name),
                text: "x".repeat(1024 * 1024),
                time: String::new(),
            };
            store.append(draft).await.map(|message| message.id)
        };
        for _ in 0..63 {
            write("ada", Some("bob")).await.unwrap();
        }
        let full = write("eve", Some("eve")).await;
        assert!(matches!(full, Err(StoreError::Full)), "{full:?}");
        assert!(ids(&store, "eve").await.is_empty(), "without a trace");
        write("eve", None).await.expect("a public one");
        say(&store, "eve", Some("bob")).await.expect("a short one");
        // She has the last 50 still, and he would have had the others.
        store.forget(&name("bob")).await.unwrap();
        for _ in 0..13 {
            write("eve", Some("bob")).await.unwrap();
        }
        assert!(write("eve", Some("bob")).await.is_err());
        for whose in ["ada", "bob", "eve"] {
            store.forget(&name(whose)).await.unwrap();
        }
        assert_eq!(store.0.lock().private_bytes.load(Ordering::Relaxed), 0);
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
