use std::{cmp::Ordering, fmt, str::FromStr};

use crate::name::POSITION_MARK;

/// A place in the total order of a hub's kept events.
///
/// A sequence counts up within an epoch; positions of different epochs can't be compared. On the
/// wire a position is the `id` of an event that the application gave none, `~` then the epoch in
/// 16 hexadecimal digits, `.`, and the sequence; to an application it is opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    epoch: u64,
    sequence: u64,
}

impl Position {
    /// The most bytes a position takes on the wire.
    pub(crate) const MAX_LEN: usize = 1 + 16 + 1 + 20;

    /// The position `sequence` of the epoch `epoch`.
    #[must_use]
    pub const fn new(epoch: u64, sequence: u64) -> Self {
        Self { epoch, sequence }
    }

    /// Which run of the hub, or which log, the sequence belongs to.
    #[must_use]
    pub const fn epoch(self) -> u64 {
        self.epoch
    }

    /// The place within the epoch.
    #[must_use]
    pub const fn sequence(self) -> u64 {
        self.sequence
    }

    /// Whether it is `other`, or comes before it; `false` between epochs.
    pub(crate) fn is_up_to(self, other: Self) -> bool {
        matches!(
            self.partial_cmp(&other),
            Some(Ordering::Less | Ordering::Equal)
        )
    }

    /// The place right after it.
    pub(crate) const fn next(self) -> Self {
        Self::new(self.epoch, self.sequence.saturating_add(1))
    }
}

/// `None` between epochs.
impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.epoch == other.epoch).then(|| self.sequence.cmp(&other.sequence))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{POSITION_MARK}{:016x}.{}", self.epoch, self.sequence)
    }
}

/// The text isn't a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a position")]
pub struct ParsePositionError;

impl FromStr for Position {
    type Err = ParsePositionError;

    /// Reads back exactly what `Display` writes, and nothing else.
    fn from_str(text: &str) -> Result<Self, ParsePositionError> {
        let parse = || {
            let (epoch, sequence) = text.strip_prefix(POSITION_MARK)?.split_once('.')?;
            let epoch = u64::from_str_radix(epoch, 16).ok()?;
            Some(Self::new(epoch, sequence.parse().ok()?))
        };
        parse()
            .filter(|position| position.to_string() == text)
            .ok_or(ParsePositionError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_writes() {
        for position in [
            Position::new(0, 0),
            Position::new(0xfeed, 42),
            Position::new(u64::MAX, u64::MAX),
        ] {
            let text = position.to_string();
            assert!(text.len() <= Position::MAX_LEN);
            assert_eq!(text.parse(), Ok(position));
        }
    }

    #[test]
    fn takes_no_other_spelling() {
        for text in [
            "",
            "~",
            "~1.1",
            "~000000000000feed.01",
            "~000000000000FEED.1",
            "~+00000000000feed.1",
            "~000000000000feed.+1",
            "000000000000feed.1",
            "~000000000000feed.18446744073709551616",
        ] {
            assert_eq!(text.parse::<Position>(), Err(ParsePositionError), "{text}");
        }
    }

    #[test]
    fn epochs_have_no_order() {
        assert!(Position::new(1, 1) < Position::new(1, 2));
        assert_eq!(Position::new(1, 1).partial_cmp(&Position::new(2, 1)), None);
    }
}
