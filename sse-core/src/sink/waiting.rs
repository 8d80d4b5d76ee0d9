use std::collections::VecDeque;

use crate::{ConflationKey, Frame};

/// One place in a queue: a frame, or where frames were dropped and how many.
#[derive(Debug)]
pub(super) enum Entry {
    Frame(Frame),
    Gap(u64),
}

impl Entry {
    /// The frame, if it is one of the application's.
    fn event(&self) -> Option<&Frame> {
        match self {
            Self::Frame(frame) if !frame.is_notice() => Some(frame),
            _ => None,
        }
    }
}

/// The entries that wait in a queue, oldest first, with their sums.
///
/// An entry that comes into an empty queue is held inline; there is no buffer while it is empty.
#[derive(Debug, Default)]
pub(super) struct Waiting {
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
    pub(super) const fn events(&self) -> usize {
        self.events
    }

    /// Their size in bytes.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        match &self.entries {
            Entries::None => 0,
            Entries::One(_) => 1,
            Entries::Many(entries) => entries.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        let (one, many) = match &self.entries {
            Entries::None => (None, None),
            Entries::One(entry) => (Some(entry), None),
            Entries::Many(entries) => (None, Some(entries)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    pub(super) fn push(&mut self, frame: Frame) {
        if !frame.is_notice() {
            self.events += 1;
            self.bytes += frame.len();
        }
        self.push_entry(Entry::Frame(frame));
    }

    /// Notes at the end that a frame was dropped there.
    pub(super) fn push_gap(&mut self) {
        let last = match &mut self.entries {
            Entries::None => None,
            Entries::One(entry) => Some(entry),
            Entries::Many(entries) => entries.back_mut(),
        };
        match last {
            Some(Entry::Gap(dropped)) => *dropped += 1,
            _ => self.push_entry(Entry::Gap(1)),
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
    pub(super) fn find(&self, key: &ConflationKey) -> Option<(usize, usize)> {
        self.iter().enumerate().find_map(|(at, entry)| {
            let frame = entry.event()?;
            (frame.conflation_key() == Some(key)).then(|| (at, frame.len()))
        })
    }

    /// Takes out the frame at `at`.
    pub(super) fn remove(&mut self, at: usize) -> Option<Frame> {
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
                self.merge_gap(at);
                Some(frame)
            }
            _ => None,
        }
    }

    /// Drops the oldest of the application's frames and leaves a gap in its place.
    pub(super) fn drop_oldest(&mut self) -> Option<Frame> {
        let at = self.iter().position(|entry| entry.event().is_some())?;
        let place = match &mut self.entries {
            Entries::None => return None,
            Entries::One(entry) => entry,
            Entries::Many(entries) => &mut entries[at],
        };
        let Entry::Frame(frame) = std::mem::replace(place, Entry::Gap(1)) else {
            return None;
        };
        self.forget(&frame);
        self.merge_gap(at);
        Some(frame)
    }

    /// Adds the gap at `at` to its neighbours, so that there never are two in a row.
    fn merge_gap(&mut self, at: usize) {
        let Entries::Many(entries) = &mut self.entries else {
            return;
        };
        for (into, from) in [(at, at + 1), (at.wrapping_sub(1), at)] {
            if let (Some(Entry::Gap(_)), Some(&Entry::Gap(more))) =
                (entries.get(into), entries.get(from))
            {
                if let Some(Entry::Gap(dropped)) = entries.get_mut(into) {
                    *dropped += more;
                }
                entries.remove(from);
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
    pub(super) fn take(&mut self, bytes: usize) -> Self {
        let Entries::Many(entries) = &mut self.entries else {
            return std::mem::take(self);
        };
        let mut room = bytes;
        let fits = entries.iter().take_while(|entry| {
            let len = match entry {
                Entry::Frame(frame) => frame.len(),
                Entry::Gap(_) => 0,
            };
            let fits = len <= room;
            room = room.saturating_sub(len);
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
