//! How a connection begins.

use super::core::Core;
use crate::{
    GapCause, LastEventId, Position, Subscribe,
    hand_over::{Gap, Next},
};

/// How a connection wants to begin.
#[derive(Debug)]
pub(super) struct Start {
    at: Begin,
    /// Whether it is told how things stand first.
    pub(super) with_state: bool,
}

/// From where on a connection wants events.
#[derive(Debug)]
enum Begin {
    /// From now on.
    Fresh,
    /// From where the client was, or some of the latest.
    CatchUp(Next),
    /// From this position.
    After(Position),
}

impl Start {
    pub(super) fn of(subscribe: &Subscribe, core: &Core) -> Self {
        Self {
            at: Begin::of(subscribe, core.history.is_some()),
            with_state: subscribe.begins_with_state && core.fresh_state.is_some(),
        }
    }

    /// Whether its client comes back.
    pub(super) const fn resumes(&self) -> bool {
        !matches!(self.at, Begin::Fresh | Begin::CatchUp(Next::Latest(_)))
    }

    /// What to do first for who catches up, and where it is; whether the epoch of `head` is the only
    /// one that there can be, or the history may be in another by now.
    pub(super) fn steps(
        self,
        head: Option<Position>,
        knows_epoch: bool,
    ) -> Option<(Next, Option<Position>)> {
        let is_old = |own: Position| head.is_none_or(|head| head.epoch() != own.epoch());
        match self.at {
            Begin::Fresh => None,
            Begin::CatchUp(next) => Some((next, None)),
            Begin::After(position) if knows_epoch && is_old(position) => {
                Some((Next::Gap(Gap::new(GapCause::Epoch)), None))
            }
            Begin::After(position) => Some((Next::Read, Some(position))),
        }
    }
}

impl Begin {
    fn of(subscribe: &Subscribe, has_history: bool) -> Self {
        let unknown = Self::CatchUp(Next::Gap(Gap::new(GapCause::Unknown)));
        match (&subscribe.last_event_id, subscribe.latest) {
            (None, Some(latest)) if has_history => Self::CatchUp(Next::Latest(latest)),
            (None, _) => Self::Fresh,
            (Some(LastEventId::Position(position)), _) if has_history => Self::After(*position),
            (Some(LastEventId::Event(id)), _) if has_history => {
                Self::CatchUp(Next::Locate(id.clone()))
            }
            (Some(_), _) => unknown,
        }
    }
}
