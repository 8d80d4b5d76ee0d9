use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::SendMode;

/// What a hub counts on its way.
#[derive(Debug, Default)]
pub(super) struct Counters {
    unicast: AtomicU64,
    group: AtomicU64,
    broadcast: AtomicU64,
    pub(super) dropped: Counter,
    pub(super) overflowed: Counter,
    pub(super) reaped: Counter,
    pub(super) heartbeats: Counter,
    pub(super) lost: Counter,
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

/// What a hub is doing, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Info {
    /// Open connections.
    pub connections: usize,
    /// Clients that have a connection.
    pub clients: usize,
    /// Groups that have a member.
    pub groups: usize,
    /// Publications accepted, by send mode.
    pub published: Published,
    /// Events that transports took; neither what still waits nor the library's own events.
    pub delivered: u64,
    /// Events dropped because a queue was full.
    pub dropped: u64,
    /// Events and notices that wait in queues right now.
    pub queued: u64,
    /// Connections closed because their queue was full.
    pub overflowed: u64,
    /// Connections closed because nobody read them.
    pub reaped: u64,
    /// Heartbeats sent.
    pub heartbeats: u64,
    /// Publications, or runs of them, that were lost on their way to this node's connections.
    pub lost: u64,
    /// Whole seconds since the hub was built.
    pub uptime_s: u64,
}
