use std::collections::VecDeque;

use super::relief::Holders;
use crate::{Kept, Position, Routed};

/// How many of the kept events that were delivered last the tail holds, and how many bytes of them.
/// It holds none while nobody catches up.
const TAIL_EVENTS: usize = 16 * 1024;
const TAIL_BYTES: usize = 4 * 1024 * 1024;

/// What the ordered section guards.
#[derive(Debug, Default)]
pub(super) struct Section {
    /// The last position that was delivered.
    head: Option<Position>,
    /// Events after the head were lost, and nothing has been delivered since.
    hole: bool,
    pub(super) tail: Tail,
    pub(super) holders: Holders,
}

impl Section {
    /// Where the order stood when the router started; it may have moved on since.
    pub(super) fn start(&mut self, head: Position) {
        if self.head.is_none() {
            self.head = Some(head);
        }
    }

    /// The last position that was delivered, or that the router started at.
    pub(super) const fn head(&self) -> Option<Position> {
        self.head
    }

    /// Whether events after the head were lost, and nothing has been delivered since.
    pub(super) const fn has_hole(&self) -> bool {
        self.hole
    }

    /// Notes that events after the head were lost.
    pub(super) fn lose(&mut self) {
        self.hole = true;
        self.tail.end();
    }

    /// Notes that what is delivered now comes after all that was lost; `false` if nothing was.
    pub(super) const fn close_hole(&mut self) -> bool {
        std::mem::replace(&mut self.hole, false)
    }

    /// Somebody begins to catch up: what is delivered from now on is held.
    pub(super) fn begin_tail(&mut self) {
        if !self.hole {
            self.tail.begin(self.head);
        }
    }

    /// Moves on to `position`; `false` if the order has been there.
    pub(super) fn advance(&mut self, position: Option<Position>) -> bool {
        let Some(position) = position else {
            return true;
        };
        let passed = self.head.is_some_and(|head| position <= head);
        if !passed {
            self.head = Some(position);
        }
        !passed
    }
}

/// The kept events that were delivered last, for the last stretch of those who catch up: a busy
/// target can't outrun it, as it could a history that takes time to answer.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// The position right before the first of them; none while nobody catches up.
    since: Option<Position>,
    events: VecDeque<Kept>,
    bytes: usize,
}

impl Tail {
    /// Begins at `head`, unless it has begun.
    pub(super) fn begin(&mut self, head: Option<Position>) {
        self.since = self.since.or(head);
    }

    /// Adds an event that is being delivered, if it is kept.
    pub(super) fn push(&mut self, routed: &Routed) {
        if self.since.is_none() || routed.frame.position().is_none() {
            return;
        }
        self.bytes += routed.frame.len();
        self.events.push_back(Kept::from(routed));
        while self.events.len() > TAIL_EVENTS || self.bytes > TAIL_BYTES {
            if let Some(oldest) = self.events.pop_front() {
                self.bytes -= oldest.frame.len();
                self.since = oldest.frame.position();
            }
        }
    }

    /// Holds nothing more.
    pub(super) fn end(&mut self) {
        if self.since.is_some() {
            *self = Self::default();
        }
    }

    /// What was delivered after `cursor`; none if the tail doesn't reach back that far.
    pub(super) fn after(&self, cursor: Position) -> Option<impl Iterator<Item = &Kept>> {
        self.since.filter(|since| *since <= cursor)?;
        let stands_before = |kept: &Kept| kept.frame.position().is_some_and(|own| own <= cursor);
        let start = self.events.partition_point(stands_before);
        Some(self.events.range(start..))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, Frame, Target};

    fn routed(sequence: u64, len: usize) -> Routed {
        let event = Event::text("x".repeat(len)).build().unwrap();
        Routed {
            target: Target::everybody(),
            frame: Frame::new(&event, Some(Position::new(1, sequence))),
            ticket: None,
        }
    }

    fn after(tail: &Tail, cursor: u64) -> Option<Vec<u64>> {
        let positions = |kept: &Kept| kept.frame.position().map(Position::sequence);
        let events = tail.after(Position::new(1, cursor))?;
        Some(events.filter_map(positions).collect())
    }

    #[test]
    fn the_tail_holds_what_came_last() {
        let mut tail = Tail::default();
        tail.push(&routed(1, 1));
        assert_eq!(after(&tail, 1), None, "nobody catches up");
        tail.begin(Some(Position::new(1, 1)));
        for sequence in 2..5 {
            tail.push(&routed(sequence, 1));
        }
        tail.begin(Some(Position::new(1, 4)));
        assert_eq!(after(&tail, 0), None);
        assert_eq!(after(&tail, 1).unwrap(), [2, 3, 4]);
        assert_eq!(after(&tail, 3).unwrap(), [4]);
        assert_eq!(after(&tail, 4).unwrap(), [0; 0]);
        tail.end();
        assert_eq!(after(&tail, 4), None);
    }

    #[test]
    fn what_is_not_kept_is_not_held() {
        let mut tail = Tail::default();
        tail.begin(Some(Position::new(1, 0)));
        let event = Event::text("gone").build().unwrap();
        let transient = Routed {
            target: Target::everybody(),
            frame: Frame::new(&event, None),
            ticket: None,
        };
        for sequence in 1..4 {
            tail.push(&routed(sequence, 1));
            tail.push(&transient);
            tail.push(&transient);
        }
        assert_eq!(after(&tail, 2).unwrap(), [3]);
        assert_eq!(tail.events.len(), 3);
    }

    #[test]
    fn the_tail_does_not_reach_over_a_hole() {
        let mut section = Section::default();
        section.start(Position::new(1, 0));
        section.begin_tail();
        section.tail.push(&routed(1, 1));
        section.advance(Some(Position::new(1, 1)));
        section.lose();
        section.begin_tail();
        assert_eq!(after(&section.tail, 1), None);
        assert!(section.close_hole());
        assert!(!section.close_hole());
    }

    #[test]
    fn the_tail_is_bounded() {
        let mut tail = Tail::default();
        tail.begin(Some(Position::new(1, 0)));
        for sequence in 1..=2 * TAIL_EVENTS as u64 {
            tail.push(&routed(sequence, 1));
        }
        assert_eq!(tail.events.len(), TAIL_EVENTS);
        assert_eq!(after(&tail, TAIL_EVENTS as u64 - 1), None);
        assert_eq!(after(&tail, TAIL_EVENTS as u64).unwrap().len(), TAIL_EVENTS);
        tail.push(&routed(9_999, TAIL_BYTES));
        assert!(tail.bytes <= TAIL_BYTES);
        assert_eq!(after(&tail, 9_999).unwrap(), [0; 0], "too large to be held");
    }
}
