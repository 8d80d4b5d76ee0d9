use std::collections::{BTreeSet, VecDeque};

use serde_json::json;
use sse_core::{Event, EventBuilder, Position};
use tokio::sync::Mutex;

use crate::{
    Message, Nickname, Store, StoreError,
    members::{Member, Members},
    presence::Change,
};

/// Of how many messages, and of how many who came or went, the room remembers where that stands among the hub's
/// events. Only those matter that are published while a state waits for its turn.
const REMEMBERED: usize = 1_000;

/// Who has joined, what was said, and who is there.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) members: Members,
    pub(crate) store: Box<dyn Store>,
    /// What has been told. Whatever is told happens under this lock, as one step: a message is stored and
    /// published; somebody comes or goes, and that is published; how things stand is read for a stream, up to
    /// where it has its place among the hub's events. So a stream finds a message in `history`, or gets it as
    /// `chat`: never both, never neither. What says whose a name is, or what he has read, is done under it
    /// too: a name that is freed in between would be another's.
    ///
    /// Nothing else waits for it: a stream opens without it, and one that resumes needs no state; a request is
    /// read and checked before. It is fair: however much is sent, whoever comes gets his turn.
    pub(crate) told: Mutex<Told>,
}

/// What those who are there know.
#[derive(Debug, Default)]
pub(crate) struct Told {
    online: BTreeSet<Nickname>,
    /// Who came and went last, and the last messages by id: where each stands. Positions and ids increase.
    changes: VecDeque<(Position, Change, Nickname)>,
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
        let online = json!({ "nicknames": told.online_at(position) });
        let history = json!({ "messages": messages });
        Ok([
            Event::json(&online).event("online_list"),
            Event::json(&history).event("history"),
        ])
    }
}

impl Told {
    /// Notes that somebody has come or gone; `false` if that was so.
    pub(crate) fn change(&mut self, change: Change, nickname: &Nickname) -> bool {
        match change {
            Change::Join => self.online.insert(nickname.clone()),
            Change::Leave => self.online.remove(nickname),
        }
    }

    /// Remembers where it stands that somebody has come or gone.
    pub(crate) fn note_change(&mut self, change: Change, nickname: Nickname, position: Position) {
        remember(&mut self.changes, (position, change, nickname));
    }

    /// Remembers where a message stands.
    pub(crate) fn note(&mut self, message: &Message, position: Position) {
        remember(&mut self.messages, (position, message.id));
    }

    /// Who is online by what stands up to `position`: who came and went after it is undone.
    fn online_at(&self, position: Option<Position>) -> BTreeSet<&Nickname> {
        let mut online: BTreeSet<_> = self.online.iter().collect();
        let is_later = |its: &Position| position.is_some_and(|position| *its > position);
        let newest_first = self.changes.iter().rev();
        for (_, change, nickname) in newest_first.take_while(|(its, ..)| is_later(its)) {
            match change {
                Change::Join => online.remove(nickname),
                Change::Leave => online.insert(nickname),
            };
        }
        online
    }

    /// The first message that stands after `position`.
    fn first_after(&self, position: Position) -> Option<u64> {
        let newest_first = self.messages.iter().rev();
        let later = newest_first.take_while(|(its, _)| *its > position);
        later.last().map(|(_, id)| *id)
    }
}

fn remember<T>(last: &mut VecDeque<T>, newest: T) {
    if last.len() == REMEMBERED {
        last.pop_front();
    }
    last.push_back(newest);
}
