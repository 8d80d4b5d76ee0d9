//! What gives way when more waits in the queues of a hub than its byte budget allows.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    sync::{Arc, Weak},
};

use super::{
    core::{Core, guarded},
    section::Section,
    wakes::Wakes,
};
use crate::{Connection, Frame, WhenFull, budget::Charge, connection::Stage};

/// Connections for which events wait, the one that holds the oldest first.
///
/// It is filled when it is needed and empty, and stays right meanwhile: what comes to wait later is
/// younger than all that is in it.
#[derive(Debug, Default)]
pub(super) struct Holders(BinaryHeap<Reverse<Holder>>);

#[derive(Debug)]
struct Holder {
    /// Since when its oldest event waits.
    since: u64,
    connection: Weak<Connection>,
}

impl Holders {
    fn fill(&mut self, connections: &[Arc<Connection>]) {
        self.0 = connections
            .iter()
            .filter_map(|connection| Holder::of(connection).map(Reverse))
            .collect();
    }

    /// Takes out the connection that holds the oldest event.
    fn next(&mut self) -> Option<Arc<Connection>> {
        while let Some(Reverse(holder)) = self.0.pop() {
            let connection = holder.connection.upgrade();
            match connection.as_ref().and_then(Holder::of) {
                // Its oldest has been read.
                Some(now) if now.since > holder.since => self.0.push(Reverse(now)),
                Some(_) => return connection,
                None => {}
            }
        }
        None
    }

    fn put(&mut self, connection: &Arc<Connection>) {
        self.0.extend(Holder::of(connection).map(Reverse));
    }
}

impl Holder {
    /// None where nothing waits that could give way.
    fn of(connection: &Arc<Connection>) -> Option<Self> {
        let queue = guarded(connection, || connection.sink().queue()?.oldest()).flatten();
        let own = connection.catching_up(|it| it.own.oldest()).flatten();
        let since = queue.into_iter().chain(own).min()?;
        Some(Self {
            since,
            connection: Arc::downgrade(connection),
        })
    }
}

impl PartialEq for Holder {
    fn eq(&self, other: &Self) -> bool {
        self.since == other.since
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
        self.since.cmp(&other.since)
    }
}

impl Core {
    /// What waits of the event from now on counts towards the budget, if there is one.
    pub(super) fn charge(&self, frame: &Frame) {
        if let Some(budget) = &self.budget {
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
        let mut looked = false;
        while self.is_over_budget() {
            if let Some(connection) = section.holders.next() {
                self.give_way(&connection, wakes);
                section.holders.put(&connection);
            } else if looked {
                // What is left is about to be taken, or to be thrown away.
                return;
            } else {
                looked = true;
                section.holders.fill(&self.roster.all());
            }
        }
    }

    /// Whether more than the budget would wait if `frame` did.
    pub(super) fn is_beyond_budget(&self, frame: &Frame) -> bool {
        let charge = frame.charge();
        charge.is_some_and(Charge::is_beyond_budget)
    }

    fn is_over_budget(&self) -> bool {
        self.budget.as_ref().is_some_and(|budget| budget.is_over())
    }

    /// A connection overflows by the policy.
    fn give_way(&self, connection: &Arc<Connection>, wakes: &mut Wakes) {
        self.counters.gave_way.add(1);
        match self.when_full {
            WhenFull::Refuse if connection.stage() == Stage::Ended => self.give_up(connection),
            WhenFull::Refuse => self.cut(connection, wakes),
            full => {
                let queue = || connection.sink().queue()?.give_way(full);
                let dropped = guarded(connection, queue).flatten();
                let dropped =
                    dropped.or_else(|| connection.catching_up(|it| it.own.give_way(full))?);
                self.counters.dropped.add(u64::from(dropped.is_some()));
                wakes.wake(connection);
            }
        }
    }
}
