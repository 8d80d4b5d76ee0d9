use serde::Serialize;

use crate::{
    CloseReason, SendMode,
    sync::atomic::{AtomicU64, Ordering},
};

/// What a hub counts on its way.
#[derive(Debug, Default)]
pub(super) struct Counters {
    unicast: AtomicU64,
    group: AtomicU64,
    broadcast: AtomicU64,
    pub(super) dropped: Counter,
    pub(super) gave_way: Counter,
    ended: [Counter; CloseReason::ALL.len()],
    pub(super) heartbeats: Counter,
    pub(super) lost: Counter,
    pub(super) resumes: Counter,
    pub(super) replayed: Counter,
    pub(super) gaps: Counter,
    pub(super) duplicates: Counter,
    pub(super) cut_again: Counter,
    pub(super) refused: Counter,
}

/// A number that only goes up.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, more: u64) {
        if more > 0 {
            self.0.fetch_add(more, Ordering::Relaxed);
        }
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(super) fn published(&self, mode: SendMode) {
        let counter = match mode {
            SendMode::Unicast => &self.unicast,
            SendMode::Group => &self.group,
            SendMode::Broadcast => &self.broadcast,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ended(&self, reason: CloseReason) {
        self.ended[reason as usize].add(1);
    }

    pub(super) fn ended_by_reason(&self) -> Ended {
        let count = |reason: CloseReason| self.ended[reason as usize].get();
        Ended {
            client_gone: count(CloseReason::ClientGone),
            disconnected: count(CloseReason::Disconnected),
            overflow: count(CloseReason::Overflow),
            stalled: count(CloseReason::Stalled),
            unread: count(CloseReason::Unread),
            sink_failed: count(CloseReason::SinkFailed),
            no_fresh_state: count(CloseReason::NoFreshState),
            replaced: count(CloseReason::Replaced),
            r#final: count(CloseReason::Final),
            expired: count(CloseReason::Expired),
            revoked: count(CloseReason::Revoked),
            draining: count(CloseReason::Draining),
            hub_closed: count(CloseReason::HubClosed),
        }
    }

    pub(super) fn published_by_mode(&self) -> Published {
        Published {
            unicast: self.unicast.load(Ordering::Relaxed),
            group: self.group.load(Ordering::Relaxed),
            broadcast: self.broadcast.load(Ordering::Relaxed),
        }
    }
}

/// How many publications were accepted in each send mode; duplicates don't count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Published {
    /// To a client, some clients, or a connection.
    pub unicast: u64,
    /// To a group.
    pub group: u64,
    /// To everybody, or everybody for whom a predicate holds.
    pub broadcast: u64,
}

/// How many connections have ended, by reason: see [`CloseReason`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Ended {
    /// The client went away.
    pub client_gone: u64,
    /// The application disconnected it.
    pub disconnected: u64,
    /// Its queue was full.
    pub overflow: u64,
    /// Its reader took nothing though something waited.
    pub stalled: u64,
    /// Its body wasn't polled after subscribing.
    pub unread: u64,
    /// Its sink was closed from the other side, or panicked.
    pub sink_failed: u64,
    /// It missed something, and the application couldn't tell how things stand.
    pub no_fresh_state: u64,
    /// A newer connection of its client took its place.
    pub replaced: u64,
    /// Its client was ended for good.
    pub r#final: u64,
    /// Its lifetime was over.
    pub expired: u64,
    /// What it was permitted by was taken back, or had run out.
    pub revoked: u64,
    /// The hub was shut down.
    pub draining: u64,
    /// The hub is gone.
    pub hub_closed: u64,
}

/// What a hub is doing, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Info {
    /// Open connections.
    pub connections: usize,
    /// Connections that have ended, and whose clients have something left to read.
    pub ending: usize,
    /// Clients that have a connection.
    pub clients: usize,
    /// Groups that have a member.
    pub groups: usize,
    /// Publications accepted, by send mode.
    pub published: Published,
    /// Events that transports took; neither what still waits nor the library's own events.
    pub delivered: u64,
    /// Events dropped because a queue was full, or the byte budget used up.
    pub dropped: u64,
    /// How often a connection overflowed because the byte budget was used up: each time it was closed,
    /// or dropped an event.
    pub gave_way: u64,
    /// Bytes of events that wait in queues right now, each event counted once; none where there is no
    /// [byte budget](crate::HubBuilder::byte_budget).
    pub waiting_bytes: Option<u64>,
    /// Events and notices that wait in queues right now.
    pub queued: u64,
    /// Connections closed because nobody read them: stalled or unread.
    pub reaped: u64,
    /// Connections that have ended, by reason.
    pub ended: Ended,
    /// Heartbeats sent.
    pub heartbeats: u64,
    /// Publications, or runs of them, that were lost on their way to this node's connections.
    pub lost: u64,
    /// Connections that catch up right now.
    pub catching_up: usize,
    /// Connections that came with a last event id.
    pub resumes: u64,
    /// Kept events that were queued for connections that caught up.
    pub replayed: u64,
    /// Gaps that clients were told of, those of full queues included.
    pub gaps: u64,
    /// Publications that were accepted before, by their idempotency key.
    pub duplicates: u64,
    /// Connections closed because their queues were full whose client had had one closed for that
    /// lately: within three times [`retry_after_cut_most`](crate::HubConfig::retry_after_cut_most).
    pub cut_again: u64,
    /// Connections that weren't taken: over a limit, or draining.
    pub refused: u64,
    /// Whole seconds since the hub was built.
    pub uptime_s: u64,
}
