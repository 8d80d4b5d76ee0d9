//! How a connection comes from replay to live, without tasks, time or I/O.

#[cfg(all(test, shuttle))]
mod models;

use std::{collections::VecDeque, sync::Arc};

use crate::{
    EventId, Frame, GapCause, GroupName, Latest, Position, Target, Viewer,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Where a connection stands that can't simply take what is delivered.
#[derive(Debug)]
pub(crate) enum Place {
    /// It is behind: the history is read for it.
    CatchingUp(HandOver),
    /// It is live, and has seen what this node hasn't delivered yet.
    Ahead(Ahead),
}

/// A connection that catches up.
///
/// While it does, nothing that is kept is queued for it as it is delivered; its position is noted as
/// passed. What the history has for it is queued page by page. Once all that passed has been read
/// it goes live, inside the ordered section, so that nothing can come in between.
///
/// The methods that touch what a delivery touches are called inside the ordered section; each says
/// so.
#[derive(Debug)]
pub(crate) struct HandOver {
    viewer: Viewer,
    next: Next,
    /// All that was for it up to here is queued, or was told to be missing.
    cursor: Option<Position>,
    /// The newest kept event that was delivered for it meanwhile; at first the delivered head.
    passed: Option<Position>,
    /// What had passed when the last page was asked for that could be read.
    looked_for: Option<Position>,
    /// The position at which it first joined a group since the last page was asked for.
    joined: Option<Position>,
    /// Events were lost, of which it hasn't been told.
    lost: Option<GapCause>,
    /// The history has to be asked before it goes live: it may have more than what passed, or less
    /// than what the client has seen.
    must_look: bool,
    replayed: u64,
    skipped: u64,
    /// What was sent to this very connection and found no room.
    own: VecDeque<Frame>,
    own_bytes: usize,
    /// Counts those that catch up.
    _count: Counted,
}

/// What to do next for a connection that catches up.
#[derive(Debug, Clone)]
pub(crate) enum Next {
    /// Find the event that it saw last.
    Locate(EventId),
    /// Find where the latest events begin that it wants.
    Latest(Latest),
    /// Tell it that something is missing.
    Gap(Gap),
    /// Have the application tell it how things stand, at a position.
    Fresh(Gap, Option<Position>),
    /// Read the history.
    Read,
}

/// Something is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) cause: GapCause,
    pub(crate) then: Then,
}

/// Where it goes on after a gap, where no fresh state is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// With what is still kept: after this position, if it is known.
    Floor(Option<Position>),
    /// Where it was.
    Cursor,
    /// With what comes.
    Live,
}

/// What becomes of an event of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admit {
    /// It is for the viewer.
    Send,
    /// It isn't, or not any more.
    Pass,
    /// The viewer has joined a group since the page was asked for, so that the page isn't all from
    /// here on.
    ReadAgain,
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// All that passed has been read.
    Done,
    /// What comes after this position has to be read.
    Reading(Position),
    /// Something else has to be done first.
    Busy,
}

impl Gap {
    /// What follows from a cause that is known without asking the history.
    pub(crate) const fn new(cause: GapCause) -> Self {
        let then = match cause {
            GapCause::Evicted | GapCause::Epoch => Then::Floor(None),
            _ => Then::Live,
        };
        Self { cause, then }
    }
}

impl HandOver {
    /// A connection that begins as `next` says, or with a page after `cursor`. Inside the section,
    /// with the delivered `head`.
    pub(crate) fn new(
        viewer: Viewer,
        next: Next,
        cursor: Option<Position>,
        head: Option<Position>,
        catching_up: &Arc<AtomicUsize>,
    ) -> Self {
        let is_known = |cursor| head.is_some_and(|head| cursor <= head);
        Self {
            viewer,
            must_look: !cursor.is_none_or(is_known),
            next,
            cursor,
            passed: head,
            looked_for: None,
            joined: None,
            lost: None,
            replayed: 0,
            skipped: 0,
            own: VecDeque::new(),
            own_bytes: 0,
            _count: Counted::new(catching_up),
        }
    }

    pub(crate) const fn viewer(&self) -> &Viewer {
        &self.viewer
    }

    pub(crate) const fn cursor(&self) -> Option<Position> {
        self.cursor
    }

    pub(crate) const fn replayed(&self) -> u64 {
        self.replayed
    }

    pub(crate) const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// What to do next.
    pub(crate) fn next(&mut self) -> Next {
        if let Some(cause) = self.lost.take() {
            let then = match Gap::new(cause).then {
                Then::Live => Then::Cursor,
                then => then,
            };
            self.next = Next::Gap(Gap { cause, then });
        }
        self.next.clone()
    }

    pub(crate) fn set_next(&mut self, next: Next) {
        self.next = next;
    }

    /// Goes on with the history, from `cursor` on.
    pub(crate) fn read_from(&mut self, cursor: Option<Position>) {
        self.cursor = cursor;
        self.next = Next::Read;
    }

    /// Notes a kept event for it that is delivered. Inside the section.
    pub(crate) fn pass(&mut self, position: Position) {
        self.passed = Some(position);
    }

    /// Notes an event for it that isn't kept and is delivered. Inside the section.
    pub(crate) fn skip(&mut self) {
        self.skipped += 1;
    }

    /// Notes that events may be missing that weren't delivered. Inside the section.
    pub(crate) fn lose(&mut self, cause: GapCause) {
        self.lost = Some(cause);
        self.must_look = true;
    }

    /// It is in `group` from the event after `head` on. Inside the section.
    pub(crate) fn join(&mut self, group: GroupName, head: Option<Position>) {
        self.viewer.join(group, head);
        self.joined = self.joined.or(head);
    }

    /// It is in `group` up to `head`. Inside the section.
    pub(crate) fn leave(&mut self, group: &GroupName, head: Option<Position>) {
        if let Some(head) = head {
            self.viewer.leave(group, head);
        }
    }

    /// A page is about to be asked for: after which position, and for whom.
    pub(crate) fn ask(&mut self) -> Option<(Position, Viewer)> {
        let after = self.cursor?;
        self.viewer.forget_before(after);
        self.joined = None;
        self.looked_for = self.passed;
        Some((after, self.viewer.clone()))
    }

    /// What becomes of an event of the page that was asked for.
    pub(crate) fn admit(&self, target: &Target, position: Position) -> Admit {
        if self.joined.is_some_and(|joined| position > joined) {
            Admit::ReadAgain
        } else if self.viewer.sees(target, position) {
            Admit::Send
        } else {
            Admit::Pass
        }
    }

    /// An event of the history's was queued.
    pub(crate) fn sent(&mut self, position: Position) {
        self.replayed += 1;
        self.cursor = Some(position);
    }

    /// All that is for it up to `position` is queued.
    pub(crate) fn looked_to(&mut self, position: Position) {
        // What stands after a join is another page's.
        let position = match self.joined {
            Some(joined) if position > joined => joined,
            _ => position,
        };
        self.must_look = false;
        if self.cursor.is_none_or(|cursor| !(position <= cursor)) {
            self.cursor = Some(position);
        }
    }

    /// It was told of `gap`, with the delivered `head`; whether a fresh state is to follow. Inside
    /// the section.
    pub(crate) fn gap_told(&mut self, gap: Gap, head: Option<Position>, fresh: bool) {
        self.next = Next::Read;
        if fresh {
            self.cursor = head;
            self.next = Next::Fresh(gap, head);
            return;
        }
        match gap.then {
            Then::Floor(Some(floor)) if self.cursor.is_none_or(|cursor| !(floor <= cursor)) => {
                self.cursor = Some(floor);
            }
            Then::Floor(Some(_)) => {}
            Then::Cursor if self.cursor.is_some() => {}
            Then::Floor(None) | Then::Cursor | Then::Live => {
                self.cursor = head;
                self.must_look = false;
            }
        }
    }

    /// How far it has come. Inside the section.
    pub(crate) fn standing(&self) -> Standing {
        if self.lost.is_some() || self.must_look || !matches!(self.next, Next::Read) {
            return Standing::Busy;
        }
        let (Some(cursor), Some(passed)) = (self.cursor, self.passed) else {
            return if self.passed.is_none() {
                Standing::Done
            } else {
                Standing::Busy
            };
        };
        let done = match cursor.partial_cmp(&passed) {
            Some(order) => order.is_ge(),
            // The history has begun a new epoch, in which nothing has been delivered yet.
            None => self.looked_for == self.passed,
        };
        if done {
            Standing::Done
        } else {
            Standing::Reading(cursor)
        }
    }

    /// Keeps a frame for this very connection until there is room; `false` where more wait
    /// than `events` or `bytes`. Inside the section.
    pub(crate) fn put_by(&mut self, frame: &Frame, events: usize, bytes: usize) -> bool {
        let fits = self.own.len() < events && self.own_bytes + frame.len() <= bytes;
        if fits {
            self.own_bytes += frame.len();
            self.own.push_back(frame.clone());
        }
        fits
    }

    /// The first frame for this very connection that waits for room.
    pub(crate) fn own(&self) -> Option<&Frame> {
        self.own.front()
    }

    /// The first of those was queued.
    pub(crate) fn own_sent(&mut self) {
        if let Some(frame) = self.own.pop_front() {
            self.own_bytes -= frame.len();
        }
    }
}

/// A live connection that has seen what this node hasn't delivered yet: from the history, or on
/// another node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ahead {
    position: Position,
    /// The epoch in which this node was then.
    behind: u64,
}

impl Ahead {
    /// A connection at `position`; none if `head` has come as far.
    pub(crate) fn new(position: Option<Position>, head: Option<Position>) -> Option<Self> {
        let (position, head) = (position?, head?);
        let ahead = !(position <= head);
        ahead.then_some(Self {
            position,
            behind: head.epoch(),
        })
    }

    pub(crate) const fn position(self) -> Position {
        self.position
    }

    /// Whether it has seen the kept event at `position`.
    pub(crate) fn has_seen(self, position: Position) -> bool {
        if position.epoch() == self.position.epoch() {
            position <= self.position
        } else {
            position.epoch() == self.behind
        }
    }
}

#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
