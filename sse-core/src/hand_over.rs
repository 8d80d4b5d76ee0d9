//! How a connection comes from replay to live, without tasks, time or I/O.

mod ahead;
#[cfg(all(test, shuttle))]
mod models;
mod own;
mod tally;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::tally::Counted;
pub(crate) use self::{
    ahead::Ahead,
    own::{FirstOwn, Own},
    tally::Tally,
};
use crate::{EventId, GapCause, GroupName, Latest, Position, Target, Viewer};

/// Where a connection stands that can't simply take what is delivered.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it is boxed as a whole, and hardly ever there"
)]
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
    /// It is told how things stand before it is sent anything, whether something is missing or not.
    wants_state: bool,
    /// All that was for it up to here is queued, or was told to be missing.
    cursor: Option<Position>,
    /// The delivered head when it began: what comes after it is for this connection in any case.
    began: Option<Position>,
    /// The newest kept event that was delivered for it meanwhile; at first the delivered head.
    passed: Option<Position>,
    /// What had passed when the last page was asked for.
    looked_for: Option<Position>,
    /// The position at which it first joined a group since the last page was asked for.
    joined: Option<Position>,
    /// Events were lost, of which it hasn't been told.
    lost: Option<GapCause>,
    /// It may have seen more than is known here: only the history can tell.
    must_look: bool,
    /// A page has been read since it began, or since events were lost.
    has_looked: bool,
    /// The last page had come to the end of the history.
    at_end: bool,
    replayed: u64,
    skipped: u64,
    pub(crate) own: Own,
    counted: Counted,
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
    /// Have the application tell it how things stand, at a position; and why, if something is missing.
    Fresh(Option<GapCause>, Option<Position>),
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
    /// With what has come since it began.
    Live,
    /// With what comes from now on.
    Head,
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
    /// What comes after this position has to be read, and isn't much: it has been read up to there.
    Near(Position),
    /// The history has to be asked.
    Far,
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
        tally: &Arc<Tally>,
    ) -> Self {
        let is_known = |cursor| head.is_some_and(|head| cursor <= head);
        Self {
            viewer,
            must_look: !cursor.is_none_or(is_known),
            next,
            wants_state: false,
            cursor,
            began: head,
            passed: head,
            looked_for: None,
            joined: None,
            lost: None,
            has_looked: false,
            at_end: false,
            replayed: 0,
            skipped: 0,
            own: Own::default(),
            counted: tally.begin(),
        }
    }

    /// The same, which is told how things stand at the beginning.
    pub(crate) fn with_state(mut self) -> Self {
        self.wants_state = true;
        if matches!(self.next, Next::Read) {
            self.read_from(self.cursor);
        }
        self
    }

    /// Its own number, which no other catch-up has, not even of the same connection.
    pub(crate) const fn number(&self) -> u64 {
        self.counted.number
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
        // Whatever else is to be done has to be done first: it says where it is.
        if matches!(self.next, Next::Read)
            && let Some(cause) = self.lost.take()
        {
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

    /// Goes on with the history, from `cursor` on; first with the state, where that is wanted yet.
    pub(crate) fn read_from(&mut self, cursor: Option<Position>) {
        self.cursor = cursor;
        self.next = match std::mem::take(&mut self.wants_state) {
            true => Next::Fresh(None, cursor),
            false => Next::Read,
        };
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
        self.has_looked = false;
        self.at_end = false;
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

    /// What is read from now on is for the viewer as it is now; after which position that is.
    pub(crate) fn ask(&mut self) -> Option<Position> {
        let after = self.cursor?;
        self.viewer.forget_before(after);
        self.joined = None;
        self.at_end = false;
        self.looked_for = self.passed;
        Some(after)
    }

    /// What becomes of an event of what was asked for.
    pub(crate) fn admit(&self, target: &Target, position: Position) -> Admit {
        if self.joined.is_some_and(|joined| position > joined) {
            Admit::ReadAgain
        } else if self.cursor.is_some_and(|cursor| position <= cursor) {
            Admit::Pass
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

    /// All that is for it up to `position` is queued, as what was asked for after `after` says;
    /// `false` if that is no further.
    pub(crate) fn looked_to(&mut self, after: Position, position: Position) -> bool {
        // What stands after a join is another page's.
        let capped = self.joined.filter(|joined| position > *joined);
        let position = capped.unwrap_or(position);
        if self.cursor.is_none_or(|cursor| !position.is_up_to(cursor)) {
            self.cursor = Some(position);
        }
        let further = self.cursor != Some(after);
        if self.lost.is_none() {
            self.at_end = !further && capped.is_none();
            self.has_looked = true;
            self.must_look = false;
        }
        further
    }

    /// It was told of `gap`, with the delivered `head`; whether a fresh state is to follow. Inside
    /// the section.
    pub(crate) fn gap_told(&mut self, gap: Gap, head: Option<Position>, fresh: bool) {
        // What was claimed was wrong, or is asked of the history again.
        self.must_look = false;
        // Whoever goes on from here on doesn't ask it again until more is lost.
        self.at_end = gap.then == Then::Head;
        self.cursor = match gap.then {
            Then::Floor(Some(floor)) if !fresh || is_of_another_epoch(floor, head) => self
                .cursor
                .filter(|cursor| floor <= *cursor)
                .or(Some(floor)),
            Then::Cursor if !fresh && self.cursor.is_some() => self.cursor,
            // A fresh state has all that was delivered by now.
            Then::Head => self.seen_or(head, gap.cause),
            _ if fresh => self.seen_or(head, gap.cause),
            _ => self.seen_or(self.began, gap.cause),
        };
        self.next = if fresh {
            self.wants_state = false;
            Next::Fresh(Some(gap.cause), self.cursor)
        } else {
            Next::Read
        };
    }

    /// The `head` of now or then; or what the connection has seen beyond it, as its client says or
    /// the history has shown.
    fn seen_or(&self, head: Option<Position>, cause: GapCause) -> Option<Position> {
        match cause {
            GapCause::Unknown | GapCause::Epoch | GapCause::Ahead => head,
            _ => match self.cursor.zip(head) {
                Some((cursor, head)) if cursor > head => Some(cursor),
                Some((cursor, head)) if cursor <= head => Some(head),
                Some((cursor, _)) if self.has_looked => Some(cursor),
                _ => head,
            },
        }
    }

    /// How far it has come; `hole` says whether events were lost after which nothing has been
    /// delivered yet. Inside the section.
    pub(crate) fn standing(&self, hole: bool) -> Standing {
        if self.lost.is_some() || !matches!(self.next, Next::Read) {
            return Standing::Busy;
        }
        let (Some(cursor), Some(passed)) = (self.cursor, self.passed) else {
            return match self.passed {
                Some(_) => Standing::Busy,
                None => Standing::Done,
            };
        };
        let reached = match cursor.partial_cmp(&passed) {
            Some(order) => order.is_ge(),
            // The history has begun a new epoch, in which nothing has been delivered yet.
            None => self.has_looked && self.looked_for == self.passed,
        };
        let has_begun = self.began.is_some_and(|began| began <= cursor);
        if reached && !self.must_look && (!hole || self.at_end) {
            Standing::Done
        } else if self.has_looked || has_begun && !self.must_look {
            Standing::Near(cursor)
        } else {
            Standing::Far
        }
    }
}

fn is_of_another_epoch(floor: Position, head: Option<Position>) -> bool {
    head.is_some_and(|head| floor.epoch() != head.epoch())
}
