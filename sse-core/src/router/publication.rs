use smallvec::SmallVec;

use crate::{Draft, Event, Frame, Position, Target};

/// By which a hub knows its own publication again when it is delivered.
///
/// A router carries it along, together with the node that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

impl Ticket {
    /// The ticket with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// An event, whom it is for, and by which ticket its hub knows it.
#[derive(Debug)]
pub struct Publication {
    target: Target,
    event: Event,
    ticket: Ticket,
}

impl Publication {
    /// A publication of `event` for `target`.
    #[must_use]
    pub const fn new(target: Target, event: Event, ticket: Ticket) -> Self {
        Self {
            target,
            event,
            ticket,
        }
    }

    /// Whom it is for.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// What it says.
    #[must_use]
    pub const fn event(&self) -> &Event {
        &self.event
    }

    /// By which its hub knows it.
    #[must_use]
    pub const fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Takes it apart.
    #[must_use]
    pub fn into_parts(self) -> (Target, Event, Ticket) {
        (self.target, self.event, self.ticket)
    }

    /// Encodes the event, at `position` if it is kept, for delivery.
    #[must_use]
    pub fn route(self, position: Option<Position>) -> Routed {
        let frame = Draft::new(&self.event).into_frame(position);
        Routed {
            target: self.target,
            frame,
            ticket: Some(self.ticket),
        }
    }
}

/// Publications that are accepted together or not at all.
#[derive(Debug)]
pub struct Batch(SmallVec<[Publication; 1]>);

impl Batch {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Publication> {
        self.0.iter()
    }
}

impl FromIterator<Publication> for Batch {
    fn from_iter<I: IntoIterator<Item = Publication>>(publications: I) -> Self {
        Self(publications.into_iter().collect())
    }
}

impl From<Publication> for Batch {
    fn from(publication: Publication) -> Self {
        Self([publication].into())
    }
}

impl IntoIterator for Batch {
    type Item = Publication;
    type IntoIter = smallvec::IntoIter<[Publication; 1]>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Batch {
    type Item = &'a Publication;
    type IntoIter = std::slice::Iter<'a, Publication>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A router's answer for one publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Accepted {
    /// Its place in the order of kept events; none where it isn't kept. A duplicate has the first
    /// one's.
    pub position: Option<Position>,
    /// Whether the same was accepted before, so that it isn't delivered again.
    pub duplicate: bool,
}

/// An event on its way to this node's connections.
#[derive(Debug, Clone)]
pub struct Routed {
    /// Whom it is for.
    pub target: Target,
    /// The event, encoded.
    pub frame: Frame,
    /// The ticket, on the node where it was published.
    pub ticket: Option<Ticket>,
}
