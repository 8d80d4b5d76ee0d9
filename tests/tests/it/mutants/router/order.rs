use std::collections::HashMap;

use sse_core::{
    Accepted, Batch, Event, IdempotencyKey, Position, Publication, Routed, Scope, Target,
};

use super::{Fault, Fault::*};

/// The number of the call, of one event, with which something goes wrong.
const UNLUCKY: usize = 90;

/// Gives positions, and remembers keys.
#[derive(Debug, Default)]
pub(super) struct Order {
    fault: Option<Fault>,
    pub(super) sequence: u64,
    keys: HashMap<(IdempotencyKey, Target), Option<Position>>,
    calls: usize,
    /// Of what size the last batches were, the last one first.
    sizes: [usize; 2],
    held_back: Vec<Publication>,
    last: Option<(Target, String)>,
}

/// A batch in its place.
pub(super) struct Ordered {
    pub(super) accepted: Vec<Accepted>,
    pub(super) routed: Vec<Routed>,
}

impl Order {
    pub(super) fn new(fault: Option<Fault>) -> Self {
        Self {
            fault,
            ..Self::default()
        }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    pub(super) const fn at(sequence: u64) -> Position {
        Position::new(7, sequence)
    }

    pub(super) fn keyed(&self, publication: &Publication) -> Option<(IdempotencyKey, Target)> {
        let mut key = publication.event().idempotency_key()?.clone();
        let target = if self.is(ForgetsTheTargetOfAKey) {
            Target::everybody()
        } else {
            publication.target().clone()
        };
        if self.is(CountsTheDataIntoAKey) {
            let data = publication.event().data();
            key = IdempotencyKey::new(format!("{key} {data}")).unwrap();
        }
        Some((key, target))
    }

    pub(super) fn knows(&self, publication: &Publication) -> bool {
        let keyed = self.keyed(publication);
        keyed.is_some_and(|keyed| self.keys.contains_key(&keyed))
    }

    pub(super) fn remember(&mut self, publication: &Publication) {
        if let Some(keyed) = self.keyed(publication) {
            self.keys.insert(keyed, None);
        }
    }

    pub(super) fn forget(&mut self, publication: &Publication) {
        if let Some(keyed) = self.keyed(publication) {
            self.keys.remove(&keyed);
        }
    }

    /// The next position, if the event is kept.
    fn next(&mut self, event: &Event, number: usize) -> Option<Position> {
        if event.is_transient() && !self.is(KeepsTransientEvents) {
            self.sequence += u64::from(self.is(BurnsAPositionForATransientEvent));
            return None;
        }
        self.sequence += if self.is(LeavesHolesInABatch) && number > 0 {
            2
        } else {
            1
        };
        if self.is(GoesBack) && self.sequence == 35 {
            self.sequence = 30;
        }
        Some(Self::at(self.sequence))
    }

    pub(super) fn order(&mut self, batch: Batch) -> Ordered {
        let size = batch.len();
        let sizes = self.sizes;
        self.sizes = [size, sizes[0]];
        if self.is(HoldsOneBack) && size == 2 && sizes == [1, 1] {
            self.held_back.extend(batch);
            let accepted = vec![Accepted::default(); size];
            return Ordered {
                accepted,
                routed: Vec::new(),
            };
        }
        let mut ordered = self.order_now(batch);
        let held_back = std::mem::take(&mut self.held_back);
        if !held_back.is_empty() {
            let late = self.order_now(held_back.into_iter().collect());
            ordered.routed.extend(late.routed);
        }
        self.spoil(&mut ordered);
        ordered
    }

    fn order_now(&mut self, batch: Batch) -> Ordered {
        let single = batch.len() == 1;
        let (mut accepted, mut routed, mut later) = (Vec::new(), Vec::new(), Vec::new());
        for publication in batch {
            let keyed = self.keyed(&publication);
            let known = keyed.as_ref().and_then(|keyed| self.keys.get(keyed));
            if let Some(position) = known {
                let has_none = self.is(HasNoPositionForADuplicate);
                accepted.push(Accepted {
                    position: position.filter(|_| !has_none),
                    duplicate: true,
                });
                self.sequence += u64::from(self.is(BurnsAPositionForADuplicate));
                if self.is(DeliversADuplicate) {
                    routed.push(publication.route(None));
                }
                continue;
            }
            let last = (
                publication.target().clone(),
                publication.event().data().to_owned(),
            );
            let repeated = self.last.replace(last.clone()) == Some(last);
            let same = single && repeated && keyed.is_none();
            if self.is(TakesTheSameDataForADuplicate) && same {
                accepted.push(Accepted {
                    position: None,
                    duplicate: true,
                });
                continue;
            }
            let position = self.next(publication.event(), routed.len());
            accepted.push(Accepted {
                position,
                duplicate: false,
            });
            match keyed {
                Some(keyed) if self.is(KnowsNoKeyOfItsBatch) => later.push((keyed, position)),
                Some(keyed) => drop(self.keys.insert(keyed, position)),
                None => {}
            }
            routed.push(self.changed(publication).route(position));
        }
        self.keys.extend(later);
        Ordered { accepted, routed }
    }

    /// What is delivered instead.
    fn changed(&self, publication: Publication) -> Publication {
        let (mut target, mut event, ticket) = publication.into_parts();
        if self.is(LosesAnException) && matches!(target.scope(), Scope::Everybody) {
            target = Target::everybody();
        }
        let plain = || Event::text(event.data());
        event = match self.fault {
            Some(LosesAComment) if event.comment().is_some() => plain().build().unwrap(),
            Some(LosesAConflationKey) if event.conflation_key().is_some() => {
                plain().build().unwrap()
            }
            _ => event,
        };
        Publication::new(target, event, ticket)
    }

    /// Does to a whole batch what the fault is.
    fn spoil(&mut self, ordered: &mut Ordered) {
        let Ordered { accepted, routed } = ordered;
        self.calls += usize::from(routed.len() == 1);
        let unlucky = routed.len() == 1 && self.calls == UNLUCKY;
        match self.fault {
            Some(AnswersNotAll) => accepted.truncate(3),
            Some(AnswersTheNextPosition) => {
                for accepted in accepted {
                    let next = |position: Position| Self::at(position.sequence() + 1);
                    accepted.position = accepted.position.map(next);
                }
            }
            Some(DeliversOneTwice) if unlucky => routed.push(routed[0].clone()),
            Some(SkipsOne) if unlucky => routed.clear(),
            Some(ReversesABatch) if routed.len() == 5 => routed.reverse(),
            Some(LosesATicket) if routed.len() > 1 => {
                for routed in routed {
                    routed.ticket = None;
                }
            }
            _ => {}
        }
    }
}
