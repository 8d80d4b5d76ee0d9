use std::collections::{BTreeSet, VecDeque};

use serde_json::json;
use sse_core::{Event, EventBuilder, Position};
use tokio::sync::Mutex;

use crate::{
    Message, Nickname, Store, StoreError,
    members::{Member, Members},
};

/// Of how many messages the room remembers where they stand among the hub's events. Only those matter that are
/// published while a fresh state waits for its turn.
const REMEMBERED: usize = 1_000;

/// Who has joined, what was said, and who is there.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) members: Members,
    pub(crate) store: Box<dyn Store>,
    /// What has been told. Whatever is told happens under this lock, as one step: a message is stored and
    /// published; somebody comes or goes, and that is published; a fresh stream opens and is told how things
    /// stand. So a stream opens either before a message, and gets it as `chat`, or after it, and finds it in
    /// `history`: never both, never neither. What says whose a name is, or what he has read, is done under it
    /// too: a name that is freed in between would be another's.
    ///
    /// Nothing else waits for it: a stream that resumes needs no state, and has its place in the hub's own
    /// order; a request is read and checked before. It is fair: however much is sent, whoever comes gets his
    /// turn.
    pub(crate) told: Mutex<Told>,
}

/// What those who are there know.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) online: BTreeSet<Nickname>,
    /// The last messages: where each stands among the hub's events, and its id. Both increase.
    messages: VecDeque<(Position, u64)>,
}

impl Room {
    pub(crate) fn new(store: impl Store) -> Self {
        Self {
            members: Members::default(),
            store: Box::new(store),
            told: Mutex::default(),
        }
    }

    /// How things stand for somebody: who is online, and what was said. Not what stands after `position`: that
    /// comes as events.
    pub(crate) async fn state(
        &self,
        whose: &Member,
        told: &Told,
        position: Option<Position>,
    ) -> Result<[EventBuilder; 2], StoreError> {
        let mut messages = self.store.recent(&whose.nickname).await?;
        if let Some(first) = position.and_then(|position| told.first_after(position)) {
            messages.retain(|message| message.id < first);
        }
        let online = json!({ "nicknames": told.online });
        let history = json!({ "messages": messages });
        Ok([
            Event::json(&online).event("online_list"),
            Event::json(&history).event("history"),
        ])
    }
}

impl Told {
    /// Remembers where a message stands.
    pub(crate) fn note(&mut self, message: &Message, position: Position) {
        if self.messages.len() == REMEMBERED {
            self.messages.pop_front();
        }
        self.messages.push_back((position, message.id));
    }

    /// The first message that stands after `position`.
    fn first_after(&self, position: Position) -> Option<u64> {
        let newest_first = self.messages.iter().rev();
        let later = newest_first.take_while(|(its, _)| *its > position);
        later.last().map(|(_, id)| *id)
    }
}
