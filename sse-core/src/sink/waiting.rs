use std::{collections::VecDeque, ops::Deref, sync::Arc};

use smallvec::SmallVec;

use super::{Offer, QueueLimits, WhenFull};
use crate::{ConflationKey, Frame, budget::Budget};

/// What was thrown away, to be freed outside of locks.
pub(crate) type Gone = SmallVec<[Held; 2]>;

/// On which terms frames are taken in.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) limits: QueueLimits,
    /// What the frames that are charged to it count towards.
    pub(crate) budget: Option<Arc<Budget>>,
}

/// A frame that waits.
#[derive(Debug)]
pub(crate) struct Held {
    frame: Frame,
    /// Since when it counts towards the byte budget, in numbers of events that began to wait; 0 where
    /// it doesn't.
    since: u64,
}

impl Held {
    fn new(frame: Frame, budget: Option<&Arc<Budget>>) -> Self {
        let charge = frame.charge().zip(budget);
        let charge = charge.and_then(|(charge, budget)| charge.is_of(budget).then_some(charge));
        let since = charge.map_or(0, |charge| charge.begin(frame.len()));
        Self { frame, since }
    }

    /// It doesn't wait any more.
    fn release(&mut self) {
        if self.since > 0
            && let Some(charge) = self.frame.charge()
        {
            charge.end(self.frame.len());
        }
        self.since = 0;
    }
}

impl Deref for Held {
    type Target = Frame;

    fn deref(&self) -> &Frame {
        &self.frame
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release();
    }
}

/// One place in a queue: a frame, or where frames were dropped and how many.
#[derive(Debug)]
pub(crate) enum Entry {
    Frame(Held),
    Gap(u64),
}

impl Entry {
    /// The frame, if it is one of the application's.
    fn event(&self) -> Option<&Held> {
        match self {
            Self::Frame(frame) if !frame.is_notice() => Some(frame),
            _ => None,
        }
    }

    /// How many bytes are known to be in it.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Frame(frame) => frame.len(),
            Self::Gap(_) => 0,
        }
    }

    /// Whether it is a notice that says the same as `frame`. One is enough, so that notices which
    /// nobody reads stay bounded.
    fn repeats(&self, frame: &Frame) -> bool {
        match self {
            Self::Frame(own) => {
                own.is_notice() && frame.is_notice() && own.bytes() == frame.bytes()
            }
            Self::Gap(_) => false,
        }
    }
}

/// The entries that wait in a queue, oldest first, with their sums.
///
/// An entry that comes into an empty queue is held inline; there is no buffer while it is empty.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    entries: Entries,
    events: usize,
    bytes: usize,
}

#[derive(Debug, Default)]
enum Entries {
    #[default]
    None,
    One(Entry),
    Many(VecDeque<Entry>),
}

impl Waiting {
    /// How many of the application's frames wait.
    pub(crate) const fn events(&self) -> usize {
        self.events
    }

    /// Their size in bytes.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        match &self.entries {
            Entries::None => 0,
            Entries::One(_) => 1,
            Entries::Many(entries) => entries.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        let (one, many) = match &self.entries {
            Entries::None => (None, None),
            Entries::One(entry) => (Some(entry), None),
            Entries::Many(entries) => (None, Some(entries)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// Whether a frame of `bytes` fits; one of any size does where no event waits.
    pub(crate) fn fits(&self, limits: &QueueLimits, bytes: usize) -> bool {
        let sum = self.bytes.checked_add(bytes);
        self.events == 0
            || (self.events < limits.events.get()
                && sum.is_some_and(|sum| sum <= limits.bytes.get()))
    }

    /// Takes a frame in; where it doesn't fit the limits, what `full` says happens.
    pub(crate) fn offer(
        &mut self,
        frame: &Frame,
        terms: &Terms,
        full: WhenFull,
        gone: &mut Gone,
    ) -> Offer {
        let limits = &terms.limits;
        let older = frame.conflation_key().and_then(|key| self.find(key));
        let fits = match older {
            // It takes that one's place, so only its size can be in the way.
            Some((_, len)) => {
                let others = self.bytes - len;
                self.events == 1 || others.saturating_add(frame.len()) <= limits.bytes.get()
            }
            None => frame.is_notice() || self.fits(limits, frame.len()),
        };
        if !fits {
            match full {
                WhenFull::Refuse => return Offer::Full,
                WhenFull::DropThis => {
                    self.push_gap();
                    return Offer::Dropped;
                }
                WhenFull::DropOldest => {}
            }
        }
        let replaced = older.and_then(|(at, _)| self.remove(at));
        let mut dropped = 0;
        while !frame.is_notice() && !self.fits(limits, frame.len()) {
            let Some(oldest) = self.drop_oldest() else {
                break;
            };
            gone.push(oldest);
            dropped += 1;
        }
        self.push(frame.clone(), terms.budget.as_ref());
        let offer = Offer::Queued {
            replaced: u32::from(replaced.is_some()),
            dropped,
        };
        gone.extend(replaced);
        offer
    }

    /// The first entry, and how large the first frame is.
    pub(crate) fn first(&self) -> Option<(&Entry, usize)> {
        let mut frames = self.iter().filter_map(|entry| match entry {
            Entry::Frame(frame) => Some(frame.len()),
            Entry::Gap(_) => None,
        });
        let first = self.iter().next()?;
        Some((first, frames.next().unwrap_or_default()))
    }

    /// Takes out the first entry.
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        self.take(0).into_iter().next()
    }

    fn push(&mut self, frame: Frame, budget: Option<&Arc<Budget>>) {
        if frame.is_notice() && self.ends_with(&frame) {
            return;
        }
        if !frame.is_notice() {
            self.events += 1;
            self.bytes += frame.len();
        }
        self.push_entry(Entry::Frame(Held::new(frame, budget)));
    }

    /// Notes at the end that a frame was dropped there.
    pub(crate) fn push_gap(&mut self) {
        match self.last_mut() {
            Some(Entry::Gap(dropped)) => *dropped += 1,
            _ => self.push_entry(Entry::Gap(1)),
        }
    }

    /// Whether the last entry, but for a gap, is a notice that says the same.
    fn ends_with(&self, notice: &Frame) -> bool {
        let at = |back: usize| match &self.entries {
            Entries::None => None,
            Entries::One(entry) => Some(entry).filter(|_| back == 0),
            Entries::Many(entries) => entries.iter().nth_back(back),
        };
        let last = match at(0) {
            Some(Entry::Gap(_)) => at(1),
            last => last,
        };
        last.is_some_and(|last| last.repeats(notice))
    }

    fn last_mut(&mut self) -> Option<&mut Entry> {
        match &mut self.entries {
            Entries::None => None,
            Entries::One(entry) => Some(entry),
            Entries::Many(entries) => entries.back_mut(),
        }
    }

    fn push_entry(&mut self, entry: Entry) {
        self.entries = match std::mem::take(&mut self.entries) {
            Entries::None => Entries::One(entry),
            Entries::One(first) => Entries::Many(VecDeque::from([first, entry])),
            Entries::Many(mut entries) => {
                entries.push_back(entry);
                Entries::Many(entries)
            }
        };
    }

    /// Where the frame with this conflation key waits, and its size.
    pub(crate) fn find(&self, key: &ConflationKey) -> Option<(usize, usize)> {
        self.iter().enumerate().find_map(|(at, entry)| {
            let frame = entry.event()?;
            (frame.conflation_key() == Some(key)).then(|| (at, frame.len()))
        })
    }

    /// Takes out the frame at `at`.
    pub(crate) fn remove(&mut self, at: usize) -> Option<Held> {
        let entry = match &mut self.entries {
            Entries::Many(entries) => entries.remove(at),
            one => match std::mem::take(one) {
                Entries::One(entry) => Some(entry),
                _ => None,
            },
        };
        match entry {
            Some(Entry::Frame(frame)) => {
                self.forget(&frame);
                self.tidy(at);
                Some(frame)
            }
            _ => None,
        }
    }

    /// Since when the oldest and the newest frame wait that count towards the byte budget.
    pub(crate) fn ages(&self) -> Option<(u64, u64)> {
        let ages = || self.iter().filter_map(Entry::event).map(|held| held.since);
        let counts = |since: &u64| *since > 0;
        Some((ages().find(counts)?, ages().rfind(counts)?))
    }

    /// They count towards the byte budget no more.
    pub(crate) fn release(&mut self) {
        match &mut self.entries {
            Entries::One(Entry::Frame(held)) => held.release(),
            Entries::None | Entries::One(Entry::Gap(_)) => {}
            Entries::Many(entries) => {
                for entry in entries {
                    if let Entry::Frame(held) = entry {
                        held.release();
                    }
                }
            }
        }
    }

    /// Drops a frame though all fit: which one, `full` says.
    pub(crate) fn give_way(&mut self, full: WhenFull) -> Option<Held> {
        match full {
            WhenFull::Refuse => None,
            WhenFull::DropOldest => self.drop_oldest(),
            WhenFull::DropThis => {
                let behind = self
                    .iter()
                    .rev()
                    .position(|entry| entry.event().is_some())?;
                self.drop_at(self.len() - 1 - behind)
            }
        }
    }

    /// Drops the oldest of the application's frames and leaves a gap in its place.
    pub(crate) fn drop_oldest(&mut self) -> Option<Held> {
        let at = self.iter().position(|entry| entry.event().is_some())?;
        self.drop_at(at)
    }

    /// Drops the frame at `at` and leaves a gap in its place.
    fn drop_at(&mut self, at: usize) -> Option<Held> {
        let place = match &mut self.entries {
            Entries::None => return None,
            Entries::One(entry) => entry,
            Entries::Many(entries) => &mut entries[at],
        };
        let Entry::Frame(frame) = std::mem::replace(place, Entry::Gap(1)) else {
            return None;
        };
        self.forget(&frame);
        self.tidy(at);
        Some(frame)
    }

    /// Joins what stands side by side around `at` now that something there is gone: gaps add up,
    /// and of notices that say the same, with no event in between, the first stays.
    fn tidy(&mut self, at: usize) {
        let Entries::Many(entries) = &mut self.entries else {
            return;
        };
        let (mut at, end) = (at.saturating_sub(2), at + 2);
        while at < end {
            if add_up(entries, at) || strike_repeat(entries, at) {
                at = at.saturating_sub(2);
            } else {
                at += 1;
            }
        }
    }

    fn forget(&mut self, frame: &Frame) {
        if !frame.is_notice() {
            self.events -= 1;
            self.bytes -= frame.len();
        }
    }

    /// Takes out what stands first: as much as fits `bytes`, but at least one entry.
    pub(crate) fn take(&mut self, bytes: usize) -> Self {
        let Entries::Many(entries) = &mut self.entries else {
            return std::mem::take(self);
        };
        let mut room = bytes;
        let fits = entries.iter().take_while(|entry| {
            let fits = entry.len() <= room;
            room = room.saturating_sub(entry.len());
            fits
        });
        let count = fits.count().max(1);
        if count == entries.len() {
            return std::mem::take(self);
        }
        let mut taken = Self::default();
        for entry in entries.drain(..count) {
            if let Some(frame) = entry.event() {
                taken.events += 1;
                taken.bytes += frame.len();
            }
            taken.push_entry(entry);
        }
        self.events -= taken.events;
        self.bytes -= taken.bytes;
        taken
    }
}

/// Adds the gap behind `at` to the gap at `at`; `false` if they aren't both gaps.
fn add_up(entries: &mut VecDeque<Entry>, at: usize) -> bool {
    let Some(&Entry::Gap(more)) = entries.get(at + 1) else {
        return false;
    };
    let Some(Entry::Gap(dropped)) = entries.get_mut(at) else {
        return false;
    };
    *dropped += more;
    entries.remove(at + 1);
    true
}

/// Strikes the notice that repeats the one at `at`, behind it or behind a gap there.
fn strike_repeat(entries: &mut VecDeque<Entry>, at: usize) -> bool {
    let behind = match entries.get(at + 1) {
        Some(Entry::Gap(_)) => at + 2,
        _ => at + 1,
    };
    let (Some(first), Some(Entry::Frame(second))) = (entries.get(at), entries.get(behind)) else {
        return false;
    };
    let repeats = first.repeats(second);
    if repeats {
        entries.remove(behind);
    }
    repeats
}

impl IntoIterator for Waiting {
    type Item = Entry;
    type IntoIter = std::iter::Chain<
        std::option::IntoIter<Entry>,
        std::collections::vec_deque::IntoIter<Entry>,
    >;

    fn into_iter(self) -> Self::IntoIter {
        let (one, many) = match self.entries {
            Entries::None => (None, VecDeque::new()),
            Entries::One(entry) => (Some(entry), VecDeque::new()),
            Entries::Many(entries) => (None, entries),
        };
        one.into_iter().chain(many)
    }
}
