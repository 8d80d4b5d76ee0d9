use std::sync::Arc;

use super::{
    core::Core,
    outcome::{Answers, Delivery, OutcomeError},
    wakes::Wakes,
};
use crate::{Deliver, Lost, Offer, Position, Routed};

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

    /// How many wake-ups are due.
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
        for routed in routed {
            let position = routed.frame.position();
            let outcome = if section.advance(position) {
                core.deliver_one(routed, now, wakes)
            } else {
                tracing::error!(
                    ?position,
                    "the router went back in its order: not delivered"
                );
                Err(OutcomeError::Lost)
            };
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
        if routed.len() > 1 {
            wakes.dedup();
        }
        delivered
    }

    fn lost(&self, after: Option<Position>, cause: Lost) {
        tracing::error!(?after, ?cause, "the router lost events");
        let mut wakes = Wakes::new(&self.0);
        let section = self.0.section.lock();
        self.0.tell_lost(&mut wakes);
        drop(section);
        drop(wakes);
        self.0.outcomes.lost();
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
            connection.touch(now);
            delivery.matched += 1;
            match self.offer(connection, &routed.frame, wakes) {
                Offer::Queued { replaced, dropped } => {
                    delivery.queued += 1;
                    delivery.replaced += replaced;
                    delivery.dropped += dropped;
                }
                Offer::Dropped => delivery.dropped += 1,
                Offer::Full | Offer::Closed => delivery.closed += 1,
            }
        });
        self.counters.dropped.add(u64::from(delivery.dropped));
        if whole {
            return Ok(delivery);
        }
        self.tell_lost(wakes);
        Err(OutcomeError::Lost)
    }

    /// Tells every live connection that something is missing. Inside the ordered section.
    fn tell_lost(&self, wakes: &mut Wakes) {
        self.counters.lost.add(1);
        let gap = self.sinks.notices().lost();
        for connection in self.roster.connections() {
            if connection.is_live() {
                self.notify(&connection, &gap, wakes);
            }
        }
    }
}
