use crate::Position;

/// A live connection that has seen what this node hasn't delivered yet: from the history, or on
/// another node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ahead {
    position: Position,
    /// The epoch in which this node was then.
    behind: u64,
}

impl Ahead {
    /// A connection at `position`; none if `head` has come as far.
    pub(crate) fn new(position: Option<Position>, head: Option<Position>) -> Option<Self> {
        let (position, head) = (position?, head?);
        let ahead = !position.is_up_to(head);
        ahead.then_some(Self {
            position,
            behind: head.epoch(),
        })
    }

    pub(crate) const fn position(self) -> Position {
        self.position
    }

    /// Whether it has seen the kept event at `position`.
    pub(crate) fn has_seen(self, position: Position) -> bool {
        if position.epoch() == self.position.epoch() {
            position <= self.position
        } else {
            position.epoch() == self.behind
        }
    }
}
