//! The synchronous steps of a catch-up: what is queued, and the switch to live.

use std::sync::Arc;

use super::{
    core::{Core, guarded},
    section::Section,
    wakes::Wakes,
};
use crate::{
    CloseReason, Connection, Frame, Kept, Offer, Position, QueueSink, WhenFull,
    connection::Stage,
    hand_over::{Admit, Ahead, FirstOwn, Gap, Place, Standing, Then},
};

/// For so large a frame there is room in a queue where no other waits, and only there.
const WHEN_EMPTY: usize = usize::MAX;

/// What became of a frame for a connection that catches up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    Queued,
    /// There is no room yet for a frame of so many bytes.
    NoRoom(usize),
    Ended,
}

/// What became of a connection that was to go live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Switched {
    Live,
    /// More has to be done first.
    Behind,
    /// All is at hand, but there is no room yet for a frame of so many bytes.
    NoRoom(usize),
    Ended,
}

impl From<Pushed> for Option<Switched> {
    /// None where it goes on.
    fn from(pushed: Pushed) -> Self {
        match pushed {
            Pushed::Queued => None,
            Pushed::NoRoom(bytes) => Some(Switched::NoRoom(bytes)),
            Pushed::Ended => Some(Switched::Ended),
        }
    }
}

impl Core {
    /// Queues an event of a page; none if the page has to be read again.
    ///
    /// Outside of the section: nothing else with a position is queued for this connection.
    pub(super) fn replay(
        &self,
        connection: &Arc<Connection>,
        kept: &Kept,
        wakes: &mut Wakes,
    ) -> Option<Pushed> {
        let Some(position) = kept.frame.position() else {
            return Some(Pushed::Queued);
        };
        match connection.catching_up(|it| it.admit(&kept.target, position)) {
            None => Some(Pushed::Ended),
            Some(Admit::ReadAgain) => None,
            Some(Admit::Pass) => Some(Pushed::Queued),
            Some(Admit::Send) => {
                let pushed = self.offer_room(connection, &kept.frame, wakes);
                if pushed == Pushed::Queued {
                    connection.catching_up(|it| it.sent(position));
                    connection.touch(self.now_ms());
                    self.counters.replayed.add(1);
                }
                Some(pushed)
            }
        }
    }

    /// Queues what was sent to this very connection and waits for room; `room` says how large a
    /// frame is known to fit.
    pub(super) fn push_own(
        &self,
        connection: &Arc<Connection>,
        room: usize,
        wakes: &mut Wakes,
    ) -> Pushed {
        if connection.catching_up(|it| it.own.is_empty()) == Some(true) {
            return Pushed::Queued;
        }
        // A delivery to it comes before or after.
        let _section = self.section.lock();
        self.push_own_in(connection, room, wakes)
    }

    /// As [`push_own`](Self::push_own), inside the ordered section.
    pub(super) fn push_own_in(
        &self,
        connection: &Arc<Connection>,
        room: usize,
        wakes: &mut Wakes,
    ) -> Pushed {
        while let Some(first) = connection.catching_up(|it| it.own.first()).flatten() {
            match first {
                FirstOwn::Dropped(dropped, behind) if behind <= room => {
                    self.notify(connection, &self.sinks.gap(dropped), wakes);
                }
                FirstOwn::Dropped(_, behind) => return Pushed::NoRoom(behind),
                FirstOwn::Frame(frame) => match self.offer_room(connection, &frame, wakes) {
                    Pushed::Queued => {}
                    pushed => return pushed,
                },
            }
            connection.catching_up(|it| it.own.pop());
        }
        Pushed::Queued
    }

    /// Offers a frame to a sink that may have no room; then nothing happens. Beyond half of
    /// the byte budget only an empty queue has: what is replayed leaves room for what is live, and is
    /// not what has to give way for it.
    pub(super) fn offer_room(
        &self,
        connection: &Arc<Connection>,
        frame: &Frame,
        wakes: &mut Wakes,
    ) -> Pushed {
        self.charge(frame);
        if connection.queue().is_some_and(QueueSink::has_events) && self.is_beyond_half(frame) {
            return Pushed::NoRoom(WHEN_EMPTY);
        }
        let offer = || connection.sink().try_send(frame, WhenFull::Refuse);
        match guarded(connection, offer).unwrap_or(Offer::Closed) {
            Offer::Queued { .. } => {
                wakes.wake(connection);
                Pushed::Queued
            }
            Offer::Full | Offer::Dropped => Pushed::NoRoom(frame.len()),
            Offer::Closed => {
                self.end(connection, CloseReason::SinkFailed, wakes);
                Pushed::Ended
            }
        }
    }

    /// Tells a connection of a gap, and where it goes on; live, if nothing more has to be done.
    pub(super) fn gap(
        &self,
        connection: &Arc<Connection>,
        gap: Gap,
        wakes: &mut Wakes,
    ) -> Switched {
        let section = self.section.lock();
        self.gap_in(&section, connection, gap, wakes)
    }

    /// As [`gap`](Self::gap), inside the ordered section.
    pub(super) fn gap_in(
        &self,
        section: &Section,
        connection: &Arc<Connection>,
        gap: Gap,
        wakes: &mut Wakes,
    ) -> Switched {
        let floor = match gap.then {
            Then::Floor(floor) => floor,
            Then::Cursor | Then::Live | Then::Head => None,
        };
        let frame = self.sinks.notices().gap(gap.cause, floor);
        self.counters.gaps.add(1);
        self.notify(connection, &frame, wakes);
        tracing::debug!(connection = %connection.id(), cause = ?gap.cause, "told of a gap");
        let (head, fresh) = (section.head(), self.fresh_state.is_some());
        connection.catching_up(|it| it.gap_told(gap, head, fresh));
        self.switch_in(section, connection, 0, wakes)
    }

    /// Makes a connection live that has read all that passed; what the tail has of it is queued
    /// here, as far as there is room. `room` says how large a frame is known to fit.
    pub(super) fn switch(
        &self,
        connection: &Arc<Connection>,
        room: usize,
        wakes: &mut Wakes,
    ) -> Switched {
        let section = self.section.lock();
        self.switch_in(&section, connection, room, wakes)
    }

    fn switch_in(
        &self,
        section: &Section,
        connection: &Arc<Connection>,
        room: usize,
        wakes: &mut Wakes,
    ) -> Switched {
        let standing = connection.catching_up(|it| it.standing(section.has_hole()));
        let not_yet = match standing {
            None => Some(Switched::Ended),
            Some(Standing::Done) => None,
            Some(Standing::Near(cursor)) => self.replay_tail(section, connection, cursor, wakes),
            Some(Standing::Far | Standing::Busy) => Some(Switched::Behind),
        };
        let not_yet = not_yet.or_else(|| self.push_own_in(connection, room, wakes).into());
        not_yet.unwrap_or_else(|| self.go_live(section, connection, wakes))
    }

    /// Queues what was delivered after `cursor`; none if that was all of it.
    fn replay_tail(
        &self,
        section: &Section,
        connection: &Arc<Connection>,
        cursor: Position,
        wakes: &mut Wakes,
    ) -> Option<Switched> {
        let Some(rest) = section.tail.after(cursor) else {
            return Some(Switched::Behind);
        };
        // All of it is for the viewer as it is now.
        connection.catching_up(|it| it.ask());
        for kept in rest {
            match self.replay(connection, kept, wakes) {
                Some(Pushed::Queued) => {}
                Some(pushed) => return pushed.into(),
                None => return Some(Switched::Behind),
            }
        }
        let head = section.head()?;
        connection.catching_up(|it| it.looked_to(cursor, head));
        None
    }

    /// The switch: from here on what is delivered is offered to it.
    fn go_live(
        &self,
        section: &Section,
        connection: &Arc<Connection>,
        wakes: &mut Wakes,
    ) -> Switched {
        let read = connection.catching_up(|it| (it.cursor(), it.replayed(), it.skipped()));
        let Some((cursor, replayed, skipped)) = read else {
            return Switched::Ended;
        };
        let ahead = Ahead::new(cursor, section.head());
        let position = ahead.map(Ahead::position).or(section.head());
        let caught_up = self.sinks.notices().caught_up(replayed, skipped);
        let caught_up = caught_up.into_frame(position.filter(|_| self.history.is_some()));
        self.notify(connection, &caught_up, wakes);
        connection.touch(self.now_ms());
        let place = ahead.map(|ahead| Box::new(Place::Ahead(ahead)));
        if !connection.enter(Stage::CatchingUp, place) {
            return Switched::Ended;
        }
        tracing::debug!(connection = %connection.id(), replayed, skipped, "caught up");
        Switched::Live
    }

    /// Where a connection stands, for the library's own events to carry; none where nothing is kept
    /// or it isn't live. Inside the ordered section.
    pub(super) fn position_of(
        &self,
        section: &Section,
        connection: &Connection,
    ) -> Option<Position> {
        self.history.as_ref()?;
        match connection.stage() {
            Stage::Live => section.head(),
            Stage::Ahead => {
                let own = connection.at_place(|place| match place {
                    Place::Ahead(ahead) => Some(ahead.position()),
                    Place::CatchingUp(_) => None,
                });
                let own = own.flatten();
                Ahead::new(own, section.head())
                    .map(Ahead::position)
                    .or(section.head())
            }
            Stage::Dormant | Stage::CatchingUp | Stage::Ended => None,
        }
    }
}
