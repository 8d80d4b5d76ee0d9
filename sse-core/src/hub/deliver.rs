use std::sync::Arc;

use super::{
    core::Core,
    outcome::{Answers, Delivery, OutcomeError},
    section::Section,
    switch::Pushed,
    wakes::Wakes,
};
use crate::{
    Connection, Deliver, Frame, GapCause, Lost, Offer, Position, Routed, Scope, Viewer,
    connection::Stage,
    hand_over::{HandOver, Next, Place},
};

/// What a delivery came to. Readers are woken when it is dropped.
#[derive(Debug, Default)]
#[must_use = "dropping it wakes readers: do that after your own locks"]
pub struct Delivered {
    delivery: Delivery,
    wakes: Option<Wakes>,
    answers: Answers,
}

impl Delivered {
    /// The counts of all its events together.
    #[must_use]
    pub const fn delivery(&self) -> Delivery {
        self.delivery
    }

    /// How many wake-ups are due: none for a reader that was woken before and hasn't read since.
    #[must_use]
    pub fn wakes(&self) -> usize {
        self.wakes.as_ref().map_or(0, Wakes::len)
    }
}

/// The hub's side of its router.
#[derive(Debug)]
pub(super) struct Deliverer(pub(super) Arc<Core>);

impl Deliver for Deliverer {
    fn deliver(&self, routed: &[Routed]) -> Delivered {
        let core = &self.0;
        let mut delivered = Delivered::default();
        let wakes = delivered.wakes.insert(Wakes::new(core));
        let now = core.now_ms();
        let mut section = core.section.lock();
        if core.catch_ups.is_empty() {
            section.tail.end();
        }
        let mut arrivals = false;
        for routed in routed {
            core.charge(&routed.frame);
            let position = routed.frame.position();
            let outcome = if section.advance(position) {
                section.tail.push(routed);
                if let Some(position) = position
                    && section.close_hole()
                {
                    core.pass_hole(&mut section, position);
                }
                core.deliver_one(routed, now, wakes).map_err(|Missed| {
                    arrivals |= core.tell_missed(&mut section, position, wakes);
                    OutcomeError::Lost
                })
            } else {
                tracing::error!(
                    ?position,
                    "the router went back in its order: not delivered"
                );
                Err(OutcomeError::Lost)
            };
            core.relieve_in(&mut section, wakes);
            tracing::trace!(target = ?routed.target, ?outcome, "event delivered");
            if let Ok(delivery) = outcome {
                delivered.delivery.add(delivery);
            }
            if let Some(ticket) = routed.ticket {
                core.counters.published(routed.target.mode());
                core.outcomes
                    .record(ticket, outcome, &mut delivered.answers);
            }
        }
        drop(section);
        if arrivals {
            core.catch_ups.notify();
        }
        if routed.len() > 1 {
            wakes.dedup();
        }
        delivered
    }

    fn lost(&self, after: Option<Position>, cause: Lost) {
        tracing::error!(?after, ?cause, "the router lost events");
        let core = &self.0;
        let cause = match cause {
            Lost::Evicted => GapCause::Evicted,
            Lost::Epoch => GapCause::Epoch,
            Lost::Backend => GapCause::Backend,
        };
        let mut wakes = Wakes::new(core);
        let mut section = core.section.lock();
        core.counters.lost.add(1);
        if core.history.is_some() {
            section.lose();
            core.all_catch_up(&mut section, cause);
        } else {
            core.tell_lost(cause, &mut wakes);
        }
        drop(section);
        core.catch_ups.notify();
        drop(wakes);
        core.outcomes.lost();
    }
}

impl Core {
    /// Offers an event to whom it is for. Inside the ordered section.
    fn deliver_one(
        &self,
        routed: &Routed,
        now: u64,
        wakes: &mut Wakes,
    ) -> Result<Delivery, Missed> {
        let mut delivery = Delivery::default();
        let position = routed.frame.position();
        // A frame without a position leaves a client where it was: a heartbeat has to take it on.
        let touches = position.is_some() || self.history.is_none();
        let whole = self.visit_active(&routed.target, &mut |connection, stage| {
            if stage == Stage::CatchingUp {
                self.deliver_behind(connection, routed, &mut delivery, wakes);
                return;
            }
            if stage == Stage::Ahead && has_seen(connection, position) {
                return;
            }
            if touches {
                connection.touch(now);
            }
            delivery.matched += 1;
            delivery.count(self.offer(connection, &routed.frame, wakes));
        });
        self.counters.dropped.add(u64::from(delivery.dropped));
        if whole { Ok(delivery) } else { Err(Missed) }
    }

    /// An event for a connection that catches up: what is kept it will read; what is for it alone
    /// is queued, or waits for room; anything else passes it by.
    fn deliver_behind(
        &self,
        connection: &Arc<Connection>,
        routed: &Routed,
        delivery: &mut Delivery,
        wakes: &mut Wakes,
    ) {
        delivery.matched += 1;
        let Routed { target, frame, .. } = routed;
        if let Some(position) = frame.position() {
            connection.catching_up(|it| it.pass(position));
            delivery.passed += 1;
        } else if !matches!(target.scope(), Scope::Connection(_)) {
            connection.catching_up(|it| it.skip());
            delivery.skipped += 1;
        } else {
            self.deliver_alone(connection, frame, delivery, wakes);
        }
    }

    /// An event for this one connection, which catches up.
    fn deliver_alone(
        &self,
        connection: &Arc<Connection>,
        frame: &Frame,
        delivery: &mut Delivery,
        wakes: &mut Wakes,
    ) {
        let pushed = match self.push_own_in(connection, 0, wakes) {
            Pushed::Queued => self.offer_room(connection, frame, wakes),
            pushed => pushed,
        };
        match pushed {
            Pushed::Queued => delivery.queued += 1,
            Pushed::Ended => delivery.closed += 1,
            Pushed::NoRoom(_) => {
                let (terms, full) = (&self.queues.terms, self.when_full);
                let put_by = connection.catching_up(|it| it.own.put_by(frame, terms, full));
                let put_by = put_by.unwrap_or(Offer::Closed);
                if put_by == Offer::Full {
                    self.cut(connection, wakes);
                }
                delivery.count(put_by);
            }
        }
    }

    /// Tells every live connection that something is missing. Inside the ordered section.
    fn tell_lost(&self, cause: GapCause, wakes: &mut Wakes) {
        let gap = self.sinks.notices().gap(cause, None);
        for connection in self.roster.connections() {
            if connection.is_live() {
                self.counters.gaps.add(1);
                self.notify(&connection, &gap, wakes);
            }
        }
    }

    /// The event at `position` didn't reach everybody, and nobody knows whom. Inside the ordered
    /// section; `true` if somebody has begun to catch up.
    ///
    /// Who catches up will read it. Who is live is told that something is missing: some have it.
    fn tell_missed(
        &self,
        section: &mut Section,
        position: Option<Position>,
        wakes: &mut Wakes,
    ) -> bool {
        self.counters.lost.add(1);
        let Some(position) = position.filter(|_| self.fresh_state.is_some()) else {
            if let Some(position) = position {
                self.all_pass(position);
            }
            self.tell_lost(GapCause::Backend, wakes);
            return false;
        };
        self.all_pass(position);
        self.all_live_catch_up(section, GapCause::Backend);
        true
    }

    /// What is delivered at `position` is the first after a loss: who catches up has to come as far.
    /// Inside the ordered section.
    fn pass_hole(&self, section: &mut Section, position: Position) {
        self.all_pass(position);
        if !self.catch_ups.is_empty() {
            section.tail.begin(Some(position));
        }
    }

    fn all_pass(&self, position: Position) {
        for connection in self.roster.connections() {
            connection.catching_up(|it| it.pass(position));
        }
    }

    /// Has every connection catch up from where it is, since events were lost. Inside the ordered
    /// section.
    fn all_catch_up(&self, section: &mut Section, cause: GapCause) {
        for connection in self.roster.connections() {
            connection.catching_up(|it| it.lose(cause));
        }
        self.all_live_catch_up(section, cause);
    }

    fn all_live_catch_up(&self, section: &mut Section, cause: GapCause) {
        section.begin_tail();
        let head = section.head();
        for connection in self.roster.connections() {
            let stage = connection.stage();
            if !matches!(stage, Stage::Live | Stage::Ahead) {
                continue;
            }
            let cursor = self.position_of(section, &connection);
            let (viewer, tally) = (self.viewer(&connection), self.catch_ups.tally());
            let mut hand_over = HandOver::new(viewer, Next::Read, cursor, head, tally);
            hand_over.lose(cause);
            if connection.enter(stage, Some(Box::new(Place::CatchingUp(hand_over)))) {
                self.catch_ups.put(connection);
            }
        }
    }

    /// For whom the history is read.
    pub(super) fn viewer(&self, connection: &Connection) -> Viewer {
        let rule = self.group_rule.clone();
        let client = connection.client().clone();
        Viewer::new(connection.id(), client, connection.groups(), rule)
    }
}

/// An event didn't reach everybody.
struct Missed;

/// Whether a connection that is ahead has seen the event at `position`; from the first that it
/// hasn't, it isn't ahead any more.
fn has_seen(connection: &Connection, position: Option<Position>) -> bool {
    let Some(position) = position else {
        return false;
    };
    let seen = connection.at_place(|place| match place {
        Place::Ahead(ahead) => ahead.has_seen(position),
        Place::CatchingUp(_) => false,
    });
    let seen = seen.unwrap_or(false);
    if !seen {
        connection.enter(Stage::Ahead, None);
    }
    seen
}
