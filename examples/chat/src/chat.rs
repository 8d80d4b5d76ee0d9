//! What the server does.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use sse_core::{BuildError, Event, Final, FreshState, Hub, HubConfig, Target};
use sse_warp::{Sse, SseResponse};

use crate::{
    Draft, Nickname, Store,
    members::{self, Member},
    presence::{self, Change},
    refusal::Refusal,
    room::{Room, Told},
};

/// How many characters a text has at the most.
const LONGEST_TEXT: usize = 2_000;

/// How large an event may be: as the history of one for whom 500 messages wait, besides 100 others, all of
/// 2,000 characters of which JSON makes six bytes each.
const MAX_EVENT_BYTES: usize = 8 * 1024 * 1024;

/// How much waits in a queue: a history behind a list of 10,000 names, and more.
const QUEUE_BYTES: usize = 2 * MAX_EVENT_BYTES;

/// How many streams one has: windows and devices. Each may have a queue full of history.
const STREAMS_OF_ONE: usize = 8;

/// How much waits in all queues together: without it all could be full, of everybody.
const ALL_QUEUES_BYTES: usize = 256 * 1024 * 1024;

/// How long the streams of somebody who has left are refused that were being opened meanwhile. Later ones have
/// no token.
const LEFT_FOR: Duration = Duration::from_secs(60);

/// How a room is set up.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// After how long without anything to read a stream gets a heartbeat; 30 s by default.
    pub heartbeat: Duration,
    /// For how long somebody may have no stream before he counts as gone; 5 s by default.
    pub grace: Duration,
    /// For how long a name is somebody's who has no stream, if another asks for it, or the room is full; 24 h by
    /// default.
    pub kept: Duration,
    /// How many events are kept for streams that come back; 10,000 by default, and at least one.
    pub history: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(30),
            grace: Duration::from_secs(5),
            kept: Duration::from_secs(24 * 60 * 60),
            history: HubConfig::default().history_events,
        }
    }
}

/// A chat room and its streams. Cheap to clone: all are the same room.
#[derive(Debug, Clone)]
pub struct Chat {
    hub: Hub,
    room: Arc<Room>,
    grace: Duration,
    kept: Duration,
}

/// What somebody wants to say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    text: String,
    to: Option<String>,
    /// The number of whom it is to: his name alone may be another's since it was looked at.
    member: Option<u64>,
}

/// A message that was said.
#[derive(Debug, Serialize)]
pub(crate) struct Sent {
    id: u64,
    time: String,
    /// In how many queues it is; none where that isn't known.
    queued: Option<u32>,
}

impl Chat {
    /// A room whose messages are in `store`.
    ///
    /// # Errors
    ///
    /// A setting makes no sense.
    pub fn new(store: impl Store, settings: &Settings) -> Result<Self, BuildError> {
        let mut config = HubConfig::default();
        config.heartbeat = Some(settings.heartbeat);
        config.history_events = settings.history;
        config.max_event_bytes = MAX_EVENT_BYTES;
        config.queue_bytes = QUEUE_BYTES;
        config.byte_budget = Some(ALL_QUEUES_BYTES);
        config.limits.per_client = Some(STREAMS_OF_ONE);
        // One for everybody who may be there: each costs memory, whether or not anything waits for it.
        config.limits.connections = Some(members::MOST);
        let room = Arc::new(Room::new(store, settings.history));
        let of_room = Arc::clone(&room);
        let fresh_state = move |fresh| fresh_state(Arc::clone(&of_room), fresh);
        let builder = Hub::builder().config(config).fresh_state(fresh_state);
        Ok(Self {
            hub: builder.build()?,
            room,
            grace: settings.grace,
            kept: settings.kept,
        })
    }

    /// The hub of its streams.
    #[must_use]
    pub const fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Begins to tell everybody who comes and goes, as long as the runtime lasts that it is called in.
    pub fn tell_who_is_there(&self) {
        // Before any stream: the task may begin late.
        let presence = self.hub.client_presence(self.grace);
        let (hub, room) = (self.hub.clone(), Arc::clone(&self.room));
        tokio::spawn(presence::tell(hub, room, presence));
    }

    /// Gives somebody a name; the token by which he is known from now on. Whoever had it, but has had no stream
    /// for as long as names are kept, leaves by that.
    pub(crate) async fn join(&self, nickname: Nickname) -> Result<String, Refusal> {
        let chat = self.clone();
        tokio::spawn(async move { chat.admit(nickname).await }).await?
    }

    async fn admit(&self, nickname: Nickname) -> Result<String, Refusal> {
        let mut told = self.room.told.lock().await;
        if let Some(gone) = self.room.members.in_the_way(&nickname, self.kept)
            // His stream may be too new to be known of.
            && !self.hub.has_connections(&Target::client(gone.client.clone()))
        {
            self.free(&mut told, gone).await?;
        }
        Ok(self.room.members.join(nickname)?)
    }

    /// Whose token it is.
    pub(crate) fn member(&self, token: Option<&str>) -> Result<Member, Refusal> {
        let member = token.and_then(|token| self.room.members.of_token(token));
        member.ok_or(Refusal::Unauthorized)
    }

    /// Opens a stream: a fresh one begins with how things stand, one that resumes goes on where it was.
    pub(crate) async fn open(&self, sse: Sse, token: &str) -> Result<SseResponse, Refusal> {
        let member = self.member(Some(token))?;
        let is_fresh = sse.last_event_id().is_none();
        let request = sse.client(member.client);
        let request = match is_fresh {
            true => request.begin_with_state(),
            false => request,
        };
        Ok(request.open(&self.hub).await)
    }

    /// Says something, to everybody or to one. A request that ends midway leaves no half of it.
    ///
    /// A message is accepted once it is stored and published, whatever is known of its queues. Should publishing
    /// it fail then, because the hub is closed, the answer is a refusal though the message is there: nobody is
    /// told any more, but with a store that lasts it is in the history of those who come after a restart, and
    /// would stand there twice if it were sent again.
    pub(crate) async fn send(&self, token: String, said: Said) -> Result<Sent, Refusal> {
        if !(1..=LONGEST_TEXT).contains(&said.text.chars().count()) {
            return Err(Refusal::Text(LONGEST_TEXT));
        }
        if said.member.is_some() && said.to.is_none() {
            // It would go to everybody, though it was for one.
            return Err(Refusal::NameMissing);
        }
        let chat = self.clone();
        tokio::spawn(async move { chat.tell(&token, said).await }).await?
    }

    async fn tell(&self, token: &str, said: Said) -> Result<Sent, Refusal> {
        let mut told = self.room.told.lock().await;
        let from = self.member(Some(token))?;
        let to = match said.to {
            Some(name) => Some(self.room.members.named(&name).ok_or(Refusal::Nobody)?),
            None => None,
        };
        if let (Some(to), Some(number)) = (&to, said.member)
            && to.who.number != number
        {
            return Err(Refusal::SomebodyElse);
        }
        let target = match &to {
            Some(to) => Target::clients([&from.client, &to.client]),
            None => Target::everybody(),
        };
        let draft = Draft {
            from: from.who.nickname,
            to: to.map(|member| member.who.nickname),
            text: said.text,
            time: now(),
        };
        let message = self.room.store.append(draft).await?;
        let event = Event::json(&message).event("chat");
        let receipt = self.hub.publish(target, event).await?;
        if let Some(position) = receipt.position() {
            told.note(&message, position);
        }
        // Nobody else has to wait for that.
        drop(told);
        // Not an error: whoever got one would send it again, though it is said.
        let delivery = receipt.outcome().await.ok();
        Ok(Sent {
            id: message.id,
            time: message.draft.time,
            queued: delivery.map(|delivery| delivery.queued),
        })
    }

    /// Notes that somebody has read his private messages up to an id; how many he hasn't. Under the lock: his
    /// name could be another's meanwhile.
    pub(crate) async fn read(&self, token: &str, id: u64) -> Result<usize, Refusal> {
        let _told = self.room.told.lock().await;
        let member = self.member(Some(token))?;
        Ok(self.room.store.read(&member.who.nickname, id).await?)
    }

    /// Frees somebody's name, ends his streams for good, and drops what waits for him.
    pub(crate) async fn leave(&self, token: String) -> Result<(), Refusal> {
        let chat = self.clone();
        tokio::spawn(async move { chat.forget(&token).await }).await?
    }

    async fn forget(&self, token: &str) -> Result<(), Refusal> {
        let mut told = self.room.told.lock().await;
        let member = self.member(Some(token))?;
        self.free(&mut told, member).await
    }

    /// Frees a name, and tells that he is gone who had it.
    async fn free(&self, told: &mut Told, member: Member) -> Result<(), Refusal> {
        // First: if it fails, he is still there.
        self.room.store.forget(&member.who.nickname).await?;
        self.room.members.leave(&member);
        let how = Final::lasting(LEFT_FOR).reason("left");
        let his = Target::client(member.client);
        self.hub.disconnect_for_good(&his, how);
        Ok(Change::Leave.tell(&self.hub, told, &member.who).await?)
    }
}

/// How things stand, for a stream that begins, or misses something.
async fn fresh_state(
    room: Arc<Room>,
    fresh: FreshState,
) -> Result<Vec<Event>, Box<dyn std::error::Error + Send + Sync>> {
    let state = {
        let told = room.told.lock().await;
        let member = room.members.of_client(fresh.connection.client());
        let member = member.ok_or("he has left")?;
        room.state(&member, &told, fresh.position).await?
    };
    Ok(state.events()?)
}

/// The time, as RFC 3339 has it.
pub(crate) fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}
