use std::{collections::HashMap, fmt, sync::Arc};

use serde::Serialize;
use tokio::sync::oneshot;

use crate::{
    Accepted, Offer, Position, Ticket,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

/// Of how many publications the hub remembers what became of them.
const REMEMBERED: usize = 4096;

/// What became of a publication on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Delivery {
    /// How many connections it was for.
    pub matched: u32,
    /// How many sinks took it; not that a client has read it.
    pub queued: u32,
    /// How many older events of its conflation key it took the place of.
    pub replaced: u32,
    /// How many events were dropped for it: itself, or older ones in its favour.
    pub dropped: u32,
    /// How many connections were closed, or closed because of it.
    pub closed: u32,
    /// How many connections catch up, and will read it from the history.
    pub passed: u32,
    /// How many connections catch up and don't get it, because it isn't kept.
    pub skipped: u32,
}

impl Delivery {
    /// Counts what became of one connection's frame.
    pub(super) const fn count(&mut self, offer: Offer) {
        match offer {
            Offer::Queued { replaced, dropped } => {
                self.queued += 1;
                self.replaced += replaced;
                self.dropped += dropped;
            }
            Offer::Dropped => self.dropped += 1,
            Offer::Full | Offer::Closed => self.closed += 1,
        }
    }

    pub(super) const fn add(&mut self, other: Self) {
        self.matched += other.matched;
        self.queued += other.queued;
        self.replaced += other.replaced;
        self.dropped += other.dropped;
        self.closed += other.closed;
        self.passed += other.passed;
        self.skipped += other.skipped;
    }
}

/// Why the hub can't say what became of a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutcomeError {
    /// Too long ago: the hub keeps the last few thousand.
    #[error("the outcome is forgotten")]
    Forgotten,
    /// The publication was lost on its way to this node, or on its way to its connections.
    #[error("the publication was lost")]
    Lost,
    /// The hub is gone.
    #[error("the hub is closed")]
    Closed,
}

/// What publishing returns: the event was accepted.
#[derive(Debug, Clone)]
pub struct Receipt {
    accepted: Accepted,
    ticket: Ticket,
    outcomes: Arc<Outcomes>,
}

impl Receipt {
    /// The event's place in the order of kept events; none where it isn't kept. A duplicate has
    /// the first one's.
    #[must_use]
    pub const fn position(&self) -> Option<Position> {
        self.accepted.position
    }

    /// Whether the same was published before, so that it isn't delivered again.
    #[must_use]
    pub const fn is_duplicate(&self) -> bool {
        self.accepted.duplicate
    }

    /// What became of it on this node, once every sink has been offered it. A duplicate counts
    /// zero everywhere.
    ///
    /// # Errors
    ///
    /// [`OutcomeError`]: forgotten, lost, or the hub is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping it changes nothing; it can be asked again.
    pub async fn outcome(&self) -> Result<Delivery, OutcomeError> {
        if self.is_duplicate() {
            return Ok(Delivery::default());
        }
        match self.outcomes.ask(self.ticket) {
            Answer::Known(outcome) => outcome,
            Answer::Later(later) => later.await.unwrap_or(Err(OutcomeError::Closed)),
        }
    }
}

type Outcome = Result<Delivery, OutcomeError>;

/// The outcomes of this node's last publications.
#[derive(Default)]
pub(super) struct Outcomes {
    tickets: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The outcome of a ticket stands at its number modulo the length. Empty before the first.
    ring: Vec<Option<(Ticket, Outcome)>>,
    waiting: HashMap<Ticket, Vec<oneshot::Sender<Outcome>>>,
    /// What is older and unknown was lost.
    lost_before: u64,
    closed: bool,
}

/// Tells those who wait for an outcome when it is dropped, outside of all locks.
#[derive(Debug, Default)]
pub(super) struct Answers(Vec<(oneshot::Sender<Outcome>, Outcome)>);

impl Drop for Answers {
    fn drop(&mut self) {
        for (asker, outcome) in self.0.drain(..) {
            // Whoever asked may have gone away.
            let _ = asker.send(outcome);
        }
    }
}

enum Answer {
    Known(Outcome),
    Later(oneshot::Receiver<Outcome>),
}

impl Outcomes {
    pub(super) fn ticket(&self) -> Ticket {
        Ticket::new(self.tickets.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn receipt(self: &Arc<Self>, accepted: Accepted, ticket: Ticket) -> Receipt {
        Receipt {
            accepted,
            ticket,
            outcomes: Arc::clone(self),
        }
    }

    /// Remembers an outcome; whoever waits for it is told by `answers`.
    pub(super) fn record(&self, ticket: Ticket, outcome: Outcome, answers: &mut Answers) {
        let mut state = self.state.lock();
        if state.ring.is_empty() {
            state.ring = vec![None; REMEMBERED];
        }
        let slot = &mut state.ring[slot_of(ticket)];
        if slot.is_none_or(|(other, _)| other < ticket) {
            *slot = Some((ticket, outcome));
        }
        if !state.waiting.is_empty() {
            let waiting = state.waiting.remove(&ticket).unwrap_or_default();
            answers
                .0
                .extend(waiting.into_iter().map(|asker| (asker, outcome)));
        }
    }

    fn ask(&self, ticket: Ticket) -> Answer {
        let mut state = self.state.lock();
        match state.ring.get(slot_of(ticket)).copied().flatten() {
            Some((other, outcome)) if other == ticket => Answer::Known(outcome),
            Some((other, _)) if other > ticket => Answer::Known(Err(OutcomeError::Forgotten)),
            _ if ticket.number() < state.lost_before => Answer::Known(Err(OutcomeError::Lost)),
            _ if state.closed => Answer::Known(Err(OutcomeError::Closed)),
            _ => {
                state.waiting.retain(|_, senders| {
                    senders.retain(|sender| !sender.is_closed());
                    !senders.is_empty()
                });
                let (sender, later) = oneshot::channel();
                state.waiting.entry(ticket).or_default().push(sender);
                Answer::Later(later)
            }
        }
    }

    /// Says that what isn't known by now was lost; everyone who waits is told.
    pub(super) fn lost(&self) {
        let mut state = self.state.lock();
        state.lost_before = self.tickets.load(Ordering::Relaxed);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        for sender in waiting.into_values().flatten() {
            let _ = sender.send(Err(OutcomeError::Lost));
        }
    }

    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        drop(waiting);
    }
}

impl fmt::Debug for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tickets = self.tickets.load(Ordering::Relaxed);
        let mut debug = f.debug_struct("Outcomes");
        debug.field("tickets", &tickets).finish_non_exhaustive()
    }
}

const fn slot_of(ticket: Ticket) -> usize {
    ticket.number() as usize % REMEMBERED
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(outcomes: &Arc<Outcomes>) -> Receipt {
        outcomes.receipt(Accepted::default(), outcomes.ticket())
    }

    #[tokio::test]
    async fn an_outcome_is_told_early_late_and_not_for_ever() {
        let outcomes = Arc::new(Outcomes::default());
        let (first, second) = (receipt(&outcomes), receipt(&outcomes));
        let delivery = Delivery {
            matched: 1,
            queued: 1,
            ..Delivery::default()
        };
        let (early, ()) = tokio::join!(first.outcome(), async {
            tokio::task::yield_now().await;
            outcomes.record(first.ticket, Ok(delivery), &mut Answers::default());
        });
        assert_eq!(early, Ok(delivery));
        assert_eq!(first.outcome().await, Ok(delivery), "asked again");

        for _ in 0..REMEMBERED {
            let later = receipt(&outcomes);
            outcomes.record(later.ticket, Ok(delivery), &mut Answers::default());
        }
        assert_eq!(first.outcome().await, Err(OutcomeError::Forgotten));
        outcomes.close();
        assert_eq!(second.outcome().await, Err(OutcomeError::Forgotten));
        assert_eq!(
            receipt(&outcomes).outcome().await,
            Err(OutcomeError::Closed)
        );
    }

    #[tokio::test]
    async fn those_who_wait_learn_of_a_loss_and_of_the_end() {
        let outcomes = Arc::new(Outcomes::default());
        let lost = receipt(&outcomes);
        let (told, ()) = tokio::join!(lost.outcome(), async {
            tokio::task::yield_now().await;
            outcomes.lost();
        });
        assert_eq!(told, Err(OutcomeError::Lost));
        assert_eq!(lost.outcome().await, Err(OutcomeError::Lost), "asked late");
        let closed = receipt(&outcomes);
        let (told, ()) = tokio::join!(closed.outcome(), async {
            tokio::task::yield_now().await;
            outcomes.close();
        });
        assert_eq!(told, Err(OutcomeError::Closed));
    }

    #[tokio::test]
    async fn a_duplicate_counts_zero() {
        let outcomes = Arc::new(Outcomes::default());
        let accepted = Accepted {
            position: None,
            duplicate: true,
        };
        let receipt = outcomes.receipt(accepted, outcomes.ticket());
        assert_eq!(receipt.outcome().await, Ok(Delivery::default()));
    }
}
