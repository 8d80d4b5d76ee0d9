use std::{collections::VecDeque, mem, task::Waker};

use sse_core::{Frame, QueueLimits, WhenFull};

use super::Fault::{self, *};

#[derive(Debug, Clone)]
pub(super) enum Item {
    Frame(Frame),
    Gap(u64),
    /// The rest of a frame that was torn apart.
    Rest(Vec<u8>),
}

impl Item {
    pub(super) fn event(&self) -> Option<&Frame> {
        match self {
            Self::Frame(frame) if !frame.is_notice() => Some(frame),
            _ => None,
        }
    }

    pub(super) fn notice(&self) -> Option<&Frame> {
        match self {
            Self::Frame(frame) if frame.is_notice() => Some(frame),
            _ => None,
        }
    }
}

/// What a queue holds, and what its faults need to know.
#[derive(Debug)]
pub(super) struct State {
    pub(super) fault: Option<Fault>,
    pub(super) limits: QueueLimits,
    pub(super) items: VecDeque<Item>,
    pub(super) taken: u64,
    pub(super) closed: bool,
    pub(super) reader: Option<Waker>,
    pub(super) room: Option<(Waker, usize)>,
    /// How often something was offered since the reader looked, and ever.
    pub(super) unread: usize,
    pub(super) offered: usize,
    pub(super) woken: usize,
    pub(super) closes: usize,
    pub(super) ended: bool,
    /// The last frame came into an empty queue.
    pub(super) out_of_empty: bool,
    /// The next look finds nothing.
    pub(super) blind: bool,
}

impl State {
    pub(super) fn new(fault: Option<Fault>, limits: QueueLimits) -> Self {
        Self {
            fault,
            limits,
            items: VecDeque::new(),
            taken: 0,
            closed: false,
            reader: None,
            room: None,
            unread: 0,
            offered: 0,
            woken: 0,
            closes: 0,
            ended: false,
            out_of_empty: false,
            blind: false,
        }
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// The same in a small sink. What would be found by chance in a race of threads, which have
    /// large ones, is found without them.
    pub(super) fn has_small(&self, fault: Fault) -> bool {
        self.has(fault) && self.limits.bytes.get() < 1 << 20
    }

    /// The same in a sink of this very limit: each race is one case's.
    pub(super) fn has_race(&self, fault: Fault, events: usize) -> bool {
        self.has(fault) && !self.has_small(fault) && self.limits.events.get() == events
    }

    pub(super) fn events(&self) -> impl Iterator<Item = &Frame> {
        self.items.iter().filter_map(Item::event)
    }

    fn notices(&self) -> impl Iterator<Item = &Frame> {
        self.items.iter().filter_map(Item::notice)
    }

    pub(super) fn bytes(&self) -> usize {
        self.events().map(Frame::len).sum()
    }

    /// Whether `next` more bytes fit, of a frame that takes the place of `older`.
    pub(super) fn fits(&self, next: usize, older: Option<&Frame>) -> bool {
        if self.has(GrowsWithoutBound) && self.offered > 1_000 {
            return true;
        }
        let mut events = self.events().count() - usize::from(older.is_some());
        if self.has(CountsNoticesAgainstTheLimit) && self.notices().count() > 20 {
            events += 1;
        }
        if self.has_small(GivesNoRoomBack) && self.taken >= 9 {
            events += 1;
        }
        let bytes = self.bytes() - older.map_or(0, Frame::len);
        let mut limit = self.limits.events.get();
        if self.has(TakesOneEventTooMany) && self.limits.bytes.get() == 999 {
            limit += 1;
        }
        let sum = if self.has(PanicsAtHugeRoom) {
            bytes.checked_add(next).unwrap()
        } else {
            bytes.saturating_add(next)
        };
        events == 0 && !(self.has(RefusesWhatIsLarge) && next > 1 << 20)
            || events < limit && sum <= self.limits.bytes.get()
    }

    /// Where a frame of the same key waits.
    pub(super) fn older(&self, frame: &Frame) -> Option<usize> {
        let key = frame.conflation_key()?.as_str();
        let same = |other: &str| match self.fault {
            Some(ConflatesByInitial) => other[..1] == key[..1],
            _ => other == key,
        };
        self.items.iter().position(|item| {
            let other = item.event().and_then(Frame::conflation_key);
            other.is_some_and(|other| same(other.as_str()))
        })
    }

    pub(super) fn push(&mut self, frame: &Frame, at: Option<usize>) {
        self.out_of_empty = self.items.is_empty();
        let events = self.events().count();
        let usual = self.limits.events == QueueLimits::default().events;
        let wraps = usual && events + 1 == 50;
        let item = Item::Frame(frame.clone());
        match self.fault {
            Some(SkipsOne) if wraps => {}
            Some(DeliversTwice) if wraps => self.items.extend([item.clone(), item]),
            Some(Reorders) if wraps => self.items.insert(self.items.len() - 1, item),
            Some(KeepsItsOldPlace) if at.is_some() => self.items.insert(at.unwrap(), item),
            Some(LetsNoticesPass) if frame.is_notice() && events >= 5 => {
                self.items.push_front(item);
            }
            Some(LeavesOutANotice) if frame.is_notice() => {
                let last = self.notices().last().map(Frame::bytes);
                if last != Some(frame.bytes()) {
                    self.items.push_back(item);
                }
            }
            _ => self.items.push_back(item),
        }
    }

    /// Drops an event for a newer one; `false` if there is none.
    pub(super) fn drop_one(&mut self) -> bool {
        let is_event = |item: &Item| item.event().is_some();
        let at = match self.fault {
            Some(DropsTheNewest) => self.items.iter().rposition(is_event),
            Some(DropsANotice) => self.items.iter().position(|item| match item {
                Item::Frame(_) => true,
                Item::Gap(_) | Item::Rest(_) => false,
            }),
            _ => self.items.iter().position(is_event),
        };
        let Some(at) = at else {
            return false;
        };
        match self.fault {
            Some(ForgetsTheGap) => drop(self.items.remove(at)),
            Some(PutsTheGapAtTheEnd) => {
                self.items.remove(at);
                self.items.push_back(Item::Gap(1));
            }
            _ => self.items[at] = Item::Gap(1),
        }
        self.tidy();
        true
    }

    /// Notes that a frame was dropped that would stand at the end.
    pub(super) fn push_gap(&mut self) {
        match self.fault {
            Some(ForgetsTheGap) => {}
            Some(PutsTheGapFirst) => self.items.push_front(Item::Gap(1)),
            _ => self.items.push_back(Item::Gap(1)),
        }
        self.tidy();
    }

    /// Takes out the frame at `at` for a newer one.
    pub(super) fn replace(&mut self, at: usize) {
        if self.has(CountsAReplacementAsADrop) {
            self.items[at] = Item::Gap(1);
        } else {
            self.items.remove(at);
        }
        let met = matches!(
            (self.items.get(at.wrapping_sub(1)), self.items.get(at)),
            (Some(Item::Gap(_)), Some(Item::Gap(_)))
        );
        if met && self.has(LosesAGapThatMeetsAnother) {
            self.items.remove(at);
        }
        self.tidy();
    }

    /// Makes one gap of those side by side.
    fn tidy(&mut self) {
        if self.has(KeepsEachGap) {
            return;
        }
        for item in mem::take(&mut self.items) {
            match (self.items.back_mut(), item) {
                (Some(Item::Gap(_)), Item::Gap(_)) if self.fault == Some(SaysOneForMany) => {}
                (Some(Item::Gap(before)), Item::Gap(more)) => *before += more,
                (_, item) => self.items.push_back(item),
            }
        }
    }

    /// Whether `full` is treated as `DropOldest`.
    pub(super) fn drops_oldest(&self, full: WhenFull) -> bool {
        full == WhenFull::DropOldest
            || full == WhenFull::DropThis && self.has(DropsTheOldestForThis)
    }
}
