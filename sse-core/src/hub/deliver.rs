use std::sync::Arc;

use super::{
    core::Core,
    outcome::{Delivery, OutcomeError},
    wakes::Wakes,
};
use crate::{CloseReason, Connection, Deliver, Frame, Lost, Offer, Position, Routed};

/// What a delivery came to. Readers are woken when it is dropped.
#[derive(Debug, Default)]
#[must_use = "dropping it wakes readers: do that after your own locks"]
pub struct Delivered {
    delivery: Delivery,
    wakes: Wakes,
}

impl Delivered {
    /// The counts of all its events together.
    #[must_use]
    pub const fn delivery(&self) -> Delivery {
        self.delivery
    }

    /// How many wake-ups are due.
    #[must_use]
    pub fn wakes(&self) -> usize {
        self.wakes.len()
    }
}

impl Deliver for Core {
    fn deliver(&self, routed: &[Routed]) -> Delivered {
        let mut delivered = Delivered::default();
        let now = self.now_ms();
        let mut section = self.section.lock();
        for routed in routed {
            let position = routed.frame.position();
            let outcome = if section.advance(position) {
                self.deliver_one(routed, now, &mut delivered.wakes)
            } else {
                tracing::error!(
                    ?position,
                    "the router went back in its order: not delivered"
                );
                Err(OutcomeError::Lost)
            };
            if let Ok(delivery) = outcome {
                delivered.delivery.add(delivery);
            }
            if let Some(ticket) = routed.ticket {
                self.counters.published(routed.target.mode());
                self.outcomes.record(ticket, outcome);
            }
        }
        drop(section);
        delivered
    }

    fn lost(&self, after: Option<Position>, cause: Lost) {
        tracing::error!(?after, ?cause, "the router lost events");
        let mut wakes = Wakes::default();
        let section = self.section.lock();
        self.tell_lost(&mut wakes);
        self.outcomes.lost();
        drop(section);
        drop(wakes);
    }
}

impl Core {
    /// Offers an event to whom it is for. Inside the ordered section.
    fn deliver_one(
        &self,
        routed: &Routed,
        now: u64,
        wakes: &mut Wakes,
    ) -> Result<Delivery, OutcomeError> {
        let mut delivery = Delivery::default();
        let whole = self.visit_live(&routed.target, &mut |connection| {
            self.offer_event(connection, &routed.frame, &mut delivery);
            connection.touch(now);
            wakes.push(connection);
        });
        self.counters.dropped.add(u64::from(delivery.dropped));
        if whole {
            return Ok(delivery);
        }
        self.tell_lost(wakes);
        Err(OutcomeError::Lost)
    }

    fn offer_event(&self, connection: &Arc<Connection>, frame: &Frame, delivery: &mut Delivery) {
        delivery.matched += 1;
        match self.offer(connection, frame) {
            Offer::Queued { replaced, dropped } => {
                delivery.queued += 1;
                delivery.replaced += replaced;
                delivery.dropped += dropped;
            }
            Offer::Dropped => delivery.dropped += 1,
            Offer::Full => {
                delivery.closed += 1;
                self.end(connection, CloseReason::Overflow);
            }
            Offer::Closed => {
                delivery.closed += 1;
                self.end(connection, CloseReason::SinkFailed);
            }
        }
    }

    /// Tells every live connection that something is missing. Inside the ordered section.
    fn tell_lost(&self, wakes: &mut Wakes) {
        self.counters.lost.add(1);
        let gap = self.sinks.notices().lost();
        for connection in self.roster.connections() {
            if connection.is_live() {
                self.offer(&connection, &gap);
                wakes.push(&connection);
            }
        }
    }
}
