use std::{collections::VecDeque, ops::Deref, sync::Arc};

use smallvec::SmallVec;

use super::{Offer, QueueLimits, WhenFull};
use crate::{ConflationKey, Frame, budget::Budget};

/// What was thrown away, to be freed outside of locks.
pub(crate) type Gone = SmallVec<[Held; 2]>;

/// On which terms frames are taken in.
#[derive(Debug)]
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

/// The entries that wait in a queue, oldest first.
///
/// An entry that comes into an empty queue is held inline; there is no buffer while it is empty.
#[derive(Debug, Default)]
pub(crate) enum Waiting {
    #[default]
    None,
    One(Entry),
    Many(Box<Many>),
}

/// Several, with the sums of the events among them.
#[derive(Debug, Default)]
pub(crate) struct Many {
    entries: VecDeque<Entry>,
    events: usize,
    bytes: usize,
}

/// For how many entries there is room at first, once several wait.
const FIRST_ROOM: usize = 8;

impl Many {
    fn push(&mut self, entry: Entry) {
        if let Some(frame) = entry.event() {
            self.events += 1;
            self.bytes += frame.len();
        }
        self.entries.push_back(entry);
    }

    /// Notes that `frame` isn't among them any more.
    fn forget(&mut self, frame: &Frame) {
        if !frame.is_notice() {
            self.events -= 1;
            self.bytes -= frame.len();
        }
    }
}

impl Waiting {
    /// One of the library's own frames, which counts towards nothing.
    pub(crate) fn of_notice(notice: &Frame) -> Self {
        Self::One(Entry::Frame(Held::new(notice.clone(), None)))
    }

    /// How many of the application's frames wait.
    pub(crate) fn events(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(entry) => usize::from(entry.event().is_some()),
            Self::Many(many) => many.events,
        }
    }

    /// Their size in bytes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(entry) => entry.event().map_or(0, |frame| frame.len()),
            Self::Many(many) => many.bytes,
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(_) => 1,
            Self::Many(many) => many.entries.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        let (one, many) = match self {
            Self::None => (None, None),
            Self::One(entry) => (Some(entry), None),
            Self::Many(many) => (None, Some(&many.entries)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// Whether a frame of `bytes` fits; one of any size does where no event waits.
    pub(crate) fn fits(&self, limits: &QueueLimits, bytes: usize) -> bool {
        let (events, sum) = (self.events(), self.bytes().checked_add(bytes));
        events == 0
            || (events < limits.events.get() && sum.is_some_and(|sum| sum <= limits.bytes.get()))
    }

    /// Takes a frame in; where it doesn't fit the limits, what `full` says happens.
    pub(crate) fn offer(
        &mut self,
        frame: &Frame,
        terms: &Terms,
        full: WhenFull,
        gone: &mut Gone,
    ) -> Offer {
        if self.is_empty() {
            // There is room, and nothing that it could repeat or take the place of.
            self.push_entry(Entry::Frame(Held::new(
                frame.clone(),
                terms.budget.as_ref(),
            )));
            return Offer::Queued {
                replaced: 0,
                dropped: 0,
            };
        }
        let limits = &terms.limits;
        let older = frame.conflation_key().and_then(|key| self.find(key));
        let fits = match older {
            // It takes that one's place, so only its size can be in the way.
            Some((_, len)) => {
                let others = self.bytes() - len;
                self.events() == 1 || others.saturating_add(frame.len()) <= limits.bytes.get()
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
        let mut newest = self.iter().rev();
        let last = match newest.next() {
            Some(Entry::Gap(_)) => newest.next(),
            last => last,
        };
        last.is_some_and(|last| last.repeats(notice))
    }

    fn last_mut(&mut self) -> Option<&mut Entry> {
        match self {
            Self::None => None,
            Self::One(entry) => Some(entry),
            Self::Many(many) => many.entries.back_mut(),
        }
    }

    fn push_entry(&mut self, entry: Entry) {
        match self {
            Self::None => *self = Self::One(entry),
            Self::Many(many) => many.push(entry),
            Self::One(_) => {
                let first = std::mem::take(self);
                let entries = VecDeque::with_capacity(FIRST_ROOM);
                let mut many = Many {
                    entries,
                    ..Many::default()
                };
                first.into_iter().for_each(|first| many.push(first));
                many.push(entry);
                *self = Self::Many(Box::new(many));
            }
        }
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
        let entry = match self {
            Self::Many(many) => many.entries.remove(at),
            Self::None | Self::One(_) => std::mem::take(self).into_iter().next(),
        };
        match entry {
            Some(Entry::Frame(frame)) => {
                self.tidy_without(&frame, at);
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
        match self {
            Self::One(Entry::Frame(held)) => held.release(),
            Self::None | Self::One(Entry::Gap(_)) => {}
            Self::Many(many) => {
                for entry in &mut many.entries {
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
        let place = match self {
            Self::None => return None,
            Self::One(entry) => entry,
            Self::Many(many) => &mut many.entries[at],
        };
        let Entry::Frame(frame) = std::mem::replace(place, Entry::Gap(1)) else {
            return None;
        };
        self.tidy_without(&frame, at);
        Some(frame)
    }

    /// Joins what stands side by side around `at` now that `frame` is gone from there: gaps add up,
    /// and of notices that say the same, with no event in between, the first stays.
    fn tidy_without(&mut self, frame: &Frame, at: usize) {
        let Self::Many(many) = self else {
            return;
        };
        many.forget(frame);
        let entries = &mut many.entries;
        let (mut at, end) = (at.saturating_sub(2), at + 2);
        while at < end {
            if add_up(entries, at) || strike_repeat(entries, at) {
                at = at.saturating_sub(2);
            } else {
                at += 1;
            }
        }
    }

    /// Takes out what stands first: as much as fits `bytes`, but at least one entry.
    pub(crate) fn take(&mut self, bytes: usize) -> Self {
        let Self::Many(many) = self else {
            return std::mem::take(self);
        };
        let mut room = bytes;
        let fits = many.entries.iter().take_while(|entry| {
            let fits = entry.len() <= room;
            room = room.saturating_sub(entry.len());
            fits
        });
        let count = fits.count().max(1);
        let is_all = count == many.entries.len();
        if is_all && count > 1 {
            return std::mem::take(self);
        }
        let mut taken = Self::default();
        for entry in many.entries.drain(..count) {
            taken.push_entry(entry);
        }
        many.events -= taken.events();
        many.bytes -= taken.bytes();
        if is_all {
            *self = Self::None;
        }
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
        let (one, many) = match self {
            Self::None => (None, VecDeque::new()),
            Self::One(entry) => (Some(entry), VecDeque::new()),
            Self::Many(many) => (None, many.entries),
        };
        one.into_iter().chain(many)
    }
}
