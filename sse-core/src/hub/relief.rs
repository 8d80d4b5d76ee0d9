//! What gives way when more waits in the queues of a hub than its byte budget allows.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    sync::{Arc, Weak},
};

use super::{core::Core, section::Section, wakes::Wakes};
use crate::{Connection, Frame, QueueSink, WhenFull, budget::Budget, connection::Stage};

/// Connections in whose queues events wait, the one that holds the oldest first.
///
/// It is filled when it is needed and empty. Until it is empty again it says who is first, without
/// being told of anything: what began to wait after it was filled is younger than all that counts
/// here. A holder whose oldest event is as young as that has to wait for the next filling.
#[derive(Debug, Default)]
pub(super) struct Holders {
    heap: BinaryHeap<Reverse<Holder>>,
    /// The event that began to wait last before it was filled.
    filled: u64,
}

#[derive(Debug)]
struct Holder {
    /// Since when its oldest event waits, and its newest.
    since: u64,
    newest: u64,
    connection: Weak<Connection>,
}

impl Holders {
    fn fill(&mut self, connections: &[Arc<Connection>], budget: &Budget) {
        self.filled = budget.turn();
        for connection in connections {
            self.put(Holder::of(connection));
        }
    }

    /// Takes out the connection that holds the oldest event.
    fn next(&mut self) -> Option<Arc<Connection>> {
        while let Some(Reverse(holder)) = self.heap.pop() {
            let Some(connection) = holder.connection.upgrade() else {
                continue;
            };
            match Holder::of(&connection) {
                Some(now) if now == holder => return Some(connection),
                // Something has been read, or came.
                now => self.put(now),
            }
        }
        None
    }

    fn put(&mut self, holder: Option<Holder>) {
        let holder = holder.filter(|holder| holder.since <= self.filled);
        self.heap.extend(holder.map(Reverse));
    }

    /// Whoever is in it is kept no longer.
    fn clear(&mut self) {
        if !self.heap.is_empty() {
            self.heap = BinaryHeap::new();
        }
    }
}

impl Holder {
    /// None where nothing waits that could give way.
    fn of(connection: &Arc<Connection>) -> Option<Self> {
        let queue = connection.queue().and_then(QueueSink::ages);
        let own = connection.catching_up(|it| it.own.ages()).flatten();
        let ages = queue.into_iter().chain(own);
        let (since, newest) = ages.reduce(|one, two| (one.0.min(two.0), one.1.max(two.1)))?;
        Some(Self {
            since,
            newest,
            connection: Arc::downgrade(connection),
        })
    }
}

impl PartialEq for Holder {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Holder {}

impl PartialOrd for Holder {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Holder {
    fn cmp(&self, other: &Self) -> Ordering {
        // Of those who hold the same, whoever also holds the newest: where that is what is dropped,
        // all lose it before anybody loses more.
        let newest = || self.newest.cmp(&other.newest).reverse();
        self.since.cmp(&other.since).then_with(newest)
    }
}

impl Core {
    /// What waits of the event from now on counts towards the budget, if there is one.
    pub(super) fn charge(&self, frame: &Frame) {
        if let Some(budget) = self.budget() {
            frame.charge_to(budget);
        }
    }

    /// As [`relieve_in`](Self::relieve_in), outside of the ordered section.
    pub(super) fn relieve(&self, wakes: &mut Wakes) {
        if self.is_over_budget() {
            self.relieve_in(&mut self.section.lock(), wakes);
        }
    }

    /// Has the connection that holds the oldest waiting event overflow, and so on, until what waits
    /// is within the budget. Inside the ordered section.
    pub(super) fn relieve_in(&self, section: &mut Section, wakes: &mut Wakes) {
        let Some(budget) = self.budget() else {
            return;
        };
        // Where the newest is dropped, who holds it counts, and that is another event each time.
        if budget.is_at_ease() || self.when_full == WhenFull::DropThis {
            section.holders.clear();
        }
        let mut looked = false;
        while budget.is_over() {
            if let Some(connection) = section.holders.next() {
                if self.give_way(&connection, wakes) {
                    section.holders.put(Holder::of(&connection));
                }
            } else if looked {
                // What is left is about to be taken, or to be thrown away.
                return;
            } else {
                looked = true;
                section.holders.fill(&self.roster.all(), budget);
            }
        }
    }

    /// Whether more than half of the budget would wait if `frame` did.
    pub(super) fn is_beyond_half(&self, frame: &Frame) -> bool {
        let charge = frame.charge();
        charge.is_some_and(|charge| charge.is_beyond_half(frame.len()))
    }

    fn is_over_budget(&self) -> bool {
        self.budget().is_some_and(|budget| budget.is_over())
    }

    /// A connection overflows by the policy; `false` if nothing was left to give way.
    fn give_way(&self, connection: &Arc<Connection>, wakes: &mut Wakes) -> bool {
        let gave = match self.when_full {
            WhenFull::Refuse if connection.stage() == Stage::Ended => {
                self.give_up(connection, wakes);
                true
            }
            WhenFull::Refuse => {
                self.cut(connection, wakes);
                true
            }
            full => {
                let queue = connection.queue();
                let dropped = queue
                    .and_then(|queue| queue.give_way(full))
                    .or_else(|| connection.catching_up(|it| it.own.give_way(full)).flatten());
                self.counters.dropped.add(u64::from(dropped.is_some()));
                wakes.wake(connection);
                dropped.is_some()
            }
        };
        self.counters.gave_way.add(u64::from(gave));
        gave
    }
}
