use std::collections::{BTreeSet, VecDeque};

use serde_json::json;
use sse_core::{Event, EventError, Position};
use tokio::sync::Mutex;

use crate::{
    Message, Store, StoreError,
    members::{Member, Members, Who},
    presence::Change,
};

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
#[derive(Debug)]
pub(crate) struct Told {
    online: BTreeSet<Who>,
    /// Of how many messages, and of how many who came or went, is remembered where that stands among the hub's
    /// events: of as many as the hub keeps. What matters is published while a state waits for its turn, and
    /// where that is more, the stream has a gap, and a state anew.
    remembered: usize,
    /// Who came and went last, and the last messages by id: where each stands. Positions and ids increase.
    changes: VecDeque<(Position, Change, Who)>,
    messages: VecDeque<(Position, u64)>,
}

impl Room {
    /// A room over a hub that keeps so many events.
    pub(crate) fn new(store: impl Store, history: usize) -> Self {
        Self {
            members: Members::default(),
            store: Box::new(store),
            told: Mutex::new(Told::new(history)),
        }
    }

    /// How things stand for somebody: who is online, and what was said. Not what stands after `position`: that
    /// comes as events.
    pub(crate) async fn state(
        &self,
        whose: &Member,
        told: &Told,
        position: Option<Position>,
    ) -> Result<State, StoreError> {
        let mut messages = self.store.recent(&whose.who.nickname).await?;
        if let Some(first) = position.and_then(|position| told.first_after(position)) {
            messages.retain(|message| message.id < first);
        }
        let online = told.online_at(position).into_iter().cloned().collect();
        Ok(State { online, messages })
    }
}

/// How things stand for somebody.
#[derive(Debug)]
pub(crate) struct State {
    online: Vec<Who>,
    messages: Vec<Message>,
}

impl State {
    /// What a stream is told. Not under the lock: it may be megabytes of JSON.
    pub(crate) fn events(&self) -> Result<Vec<Event>, EventError> {
        let online = json!({ "people": self.online });
        let history = json!({ "messages": self.messages });
        Ok(vec![
            Event::json(&online).event("online_list").build()?,
            Event::json(&history).event("history").build()?,
        ])
    }
}

impl Told {
    const fn new(remembered: usize) -> Self {
        Self {
            online: BTreeSet::new(),
            remembered,
            changes: VecDeque::new(),
            messages: VecDeque::new(),
        }
    }

    /// Notes that somebody has come or gone; `false` if that was so.
    pub(crate) fn change(&mut self, change: Change, who: &Who) -> bool {
        match change {
            Change::Join => self.online.insert(who.clone()),
            Change::Leave => self.online.remove(who),
        }
    }

    /// Remembers where it stands that somebody has come or gone.
    pub(crate) fn note_change(&mut self, change: Change, who: Who, position: Position) {
        remember(&mut self.changes, self.remembered, (position, change, who));
    }

    /// Remembers where a message stands.
    pub(crate) fn note(&mut self, message: &Message, position: Position) {
        remember(&mut self.messages, self.remembered, (position, message.id));
    }

    /// Who is online by what stands up to `position`: who came and went after it is undone.
    fn online_at(&self, position: Option<Position>) -> BTreeSet<&Who> {
        let mut online: BTreeSet<_> = self.online.iter().collect();
        let is_later = |its: &Position| position.is_some_and(|position| *its > position);
        let newest_first = self.changes.iter().rev();
        for (_, change, who) in newest_first.take_while(|(its, ..)| is_later(its)) {
            match change {
                Change::Join => online.remove(who),
                Change::Leave => online.insert(who),
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

fn remember<T>(last: &mut VecDeque<T>, most: usize, newest: T) {
    if last.len() >= most {
        last.pop_front();
    }
    last.push_back(newest);
}
