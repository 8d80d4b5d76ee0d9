use std::{
    collections::VecDeque,
    fmt,
    num::NonZeroUsize,
    time::{Duration, Instant, SystemTime},
};

use async_trait::async_trait;
use smallvec::SmallVec;

use super::{
    Bounds, History, HistoryError, Keep, Kept, Latest, Page, PageLimit, Viewer, index::Index,
};
use crate::{Clock, EventId, Position, Routed, TokioClock, sync::Mutex};

/// What an event takes in a history beside its bytes on the wire and its places in the index.
const OVERHEAD: usize = 256;

/// How many events that turn out not to be for a viewer are looked at for each that is wanted,
/// before a page ends.
const LOOKED_AT: usize = 4;

/// How much a [`MemoryHistory`] keeps. Over any of its limits the oldest event goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryLimits {
    /// How many events; 10,000 by default.
    pub events: NonZeroUsize,
    /// How many bytes, what it takes to find events again included; 64 MiB by default.
    pub bytes: NonZeroUsize,
    /// For how long; for ever by default.
    pub age: Option<Duration>,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        const EVENTS: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
        const BYTES: NonZeroUsize = NonZeroUsize::new(64 * 1024 * 1024).unwrap();
        Self {
            events: EVENTS,
            bytes: BYTES,
            age: None,
        }
    }
}

/// The default history: the latest events in memory, bounded by count, size and age.
///
/// It is indexed by whom events are for, so that a resume costs what is replayed, not what is kept.
/// Its futures never wait.
pub struct MemoryHistory {
    limits: HistoryLimits,
    clock: Box<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    epoch: u64,
    /// What comes after it is kept.
    floor: u64,
    newest: u64,
    /// Oldest first; sequences rise.
    entries: VecDeque<Entry>,
    index: Index,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    sequence: u64,
    kept: Kept,
    bytes: usize,
    since: Instant,
    time: SystemTime,
}

/// Hardly ever more than one at a time.
type Gone = SmallVec<[Entry; 1]>;

impl MemoryHistory {
    /// An empty history that keeps as much as `limits` say, by `clock`.
    pub fn new(limits: HistoryLimits, clock: impl Clock) -> Self {
        Self {
            limits,
            clock: Box::new(clock),
            state: Mutex::new(State {
                epoch: 0,
                floor: 0,
                newest: 0,
                entries: VecDeque::new(),
                index: Index::default(),
                bytes: 0,
            }),
        }
    }

    /// Keeps the last `events` events, at least one, and at most 64 MiB; by tokio's clock.
    #[must_use]
    pub fn last(events: usize) -> Self {
        let events = NonZeroUsize::new(events).unwrap_or(NonZeroUsize::MIN);
        let limits = HistoryLimits {
            events,
            ..HistoryLimits::default()
        };
        Self::new(limits, TokioClock)
    }

    /// Calls `read` once what is too old is gone.
    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        // Outlives the lock: what goes is freed outside.
        let mut gone = Gone::new();
        let mut state = self.state.lock();
        state.expire(&self.limits, self.clock.now(), &mut gone);
        let read = read(&state);
        drop(state);
        read
    }
}

impl Default for MemoryHistory {
    fn default() -> Self {
        Self::new(HistoryLimits::default(), TokioClock)
    }
}

impl State {
    const fn at(&self, sequence: u64) -> Position {
        Position::new(self.epoch, sequence)
    }

    fn place(&self, sequence: u64) -> usize {
        self.entries
            .partition_point(|entry| entry.sequence < sequence)
    }

    fn sees(&self, viewer: &Viewer, sequence: u64) -> Option<&Kept> {
        let kept = &self.entries.get(self.place(sequence))?.kept;
        viewer.sees(&kept.target, self.at(sequence)).then_some(kept)
    }

    fn evict(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        let Kept { target, frame } = &entry.kept;
        self.index.pop(entry.sequence, target, frame.event_id());
        self.bytes -= entry.bytes;
        self.floor = entry.sequence;
        Some(entry)
    }

    fn expire(&mut self, limits: &HistoryLimits, now: Instant, gone: &mut Gone) {
        let Some(age) = limits.age else { return };
        while let Some(oldest) = self.entries.front()
            && now.saturating_duration_since(oldest.since) >= age
        {
            gone.extend(self.evict());
        }
    }

    /// Whether what comes after `after` is known.
    fn check(&self, after: Position) -> Result<(), HistoryError> {
        let floor = self.at(self.floor);
        if after.epoch() != self.epoch {
            Err(HistoryError::Epoch { floor })
        } else if after.sequence() < self.floor {
            Err(HistoryError::Evicted { floor })
        } else if after.sequence() > self.newest {
            Err(HistoryError::Ahead)
        } else {
            Ok(())
        }
    }

    fn page(&self, after: Position, viewer: &Viewer, limit: PageLimit) -> Page {
        let mut page = Page {
            events: Vec::new(),
            looked_to: after,
        };
        let most = limit.events.max(1);
        let (mut looked_at, mut bytes) = (0, 0);
        for sequence in self.index.after(after.sequence(), viewer) {
            if page.events.len() >= most || looked_at >= most.saturating_mul(LOOKED_AT) {
                return page;
            }
            if let Some(kept) = self.sees(viewer, sequence) {
                bytes += kept.frame.len();
                if bytes > limit.bytes && !page.events.is_empty() {
                    return page;
                }
                page.events.push(kept.clone());
            }
            looked_at += 1;
            page.looked_to = self.at(sequence);
        }
        page.looked_to = self.at(self.newest);
        page
    }

    fn latest(&self, wanted: Latest, viewer: &Viewer) -> u64 {
        match wanted {
            Latest::Events(0) => self.newest,
            Latest::Events(count) => {
                let newest = self.index.newest(viewer);
                let mut seen = newest.filter(|sequence| self.sees(viewer, *sequence).is_some());
                let first = seen.nth(count - 1);
                first.map_or(self.floor, |first| self.before(first))
            }
            Latest::Since(time) => {
                let first = self.entries.partition_point(|entry| entry.time < time);
                let first = self.entries.get(first);
                first.map_or(self.newest, |first| self.before(first.sequence))
            }
        }
    }

    /// The place right before an event that is kept.
    fn before(&self, sequence: u64) -> u64 {
        match self.place(sequence).checked_sub(1) {
            Some(at) => self.entries[at].sequence,
            None => self.floor,
        }
    }
}

#[async_trait]
impl History for MemoryHistory {
    async fn bounds(&self) -> Result<Bounds, HistoryError> {
        Ok(self.read(|state| Bounds {
            floor: state.at(state.floor),
            newest: state.at(state.newest),
            events: state.entries.len() as u64,
            bytes: state.bytes as u64,
        }))
    }

    async fn locate(
        &self,
        id: &EventId,
        viewer: &Viewer,
    ) -> Result<Option<Position>, HistoryError> {
        Ok(self.read(|state| {
            let mut newest = state.index.of_id(id);
            let seen = newest.find(|sequence| state.sees(viewer, *sequence).is_some());
            seen.map(|sequence| state.at(sequence))
        }))
    }

    async fn latest(&self, wanted: Latest, viewer: &Viewer) -> Result<Position, HistoryError> {
        Ok(self.read(|state| state.at(state.latest(wanted, viewer))))
    }

    async fn page(
        &self,
        after: Position,
        viewer: &Viewer,
        limit: PageLimit,
    ) -> Result<Page, HistoryError> {
        self.read(|state| {
            state.check(after)?;
            Ok(state.page(after, viewer, limit))
        })
    }
}

impl Keep for MemoryHistory {
    fn begin(&self, head: Position) {
        let before = {
            let mut state = self.state.lock();
            let empty = State {
                epoch: head.epoch(),
                floor: head.sequence(),
                newest: head.sequence(),
                entries: VecDeque::new(),
                index: Index::default(),
                bytes: 0,
            };
            std::mem::replace(&mut *state, empty)
        };
        drop(before);
    }

    fn append(&self, routed: &Routed) {
        let Some(position) = routed.frame.position() else {
            return;
        };
        let (sequence, kept) = (position.sequence(), Kept::from(routed));
        let bytes = kept.frame.len() + Index::cost(&kept.target) + OVERHEAD;
        let (since, time) = (self.clock.now(), self.clock.system_time());
        // Outlives the lock: what goes is freed outside.
        let mut gone = Gone::new();
        let mut state = self.state.lock();
        // A calendar that is set back doesn't put later events before earlier ones.
        let time = state
            .entries
            .back()
            .map_or(time, |last| time.max(last.time));
        state
            .index
            .push(sequence, &kept.target, kept.frame.event_id());
        state.entries.push_back(Entry {
            sequence,
            kept,
            bytes,
            since,
            time,
        });
        state.newest = sequence;
        state.bytes += bytes;
        while state.entries.len() > self.limits.events.get()
            || state.bytes > self.limits.bytes.get()
        {
            gone.extend(state.evict());
        }
        state.expire(&self.limits, since, &mut gone);
        drop(state);
    }
}

impl fmt::Debug for MemoryHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (newest, events) = {
            let state = self.state.lock();
            (state.at(state.newest), state.entries.len())
        };
        f.debug_struct("MemoryHistory")
            .field("limits", &self.limits)
            .field("newest", &newest)
            .field("events", &events)
            .finish_non_exhaustive()
    }
}
