//! What becomes of a connection through the proxy.

use std::time::Duration;

use crate::dice::Dice;

/// How the proxy treats a connection. Its time begins with the request; after it, so many bytes
/// pass, and then it is cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fate {
    pub(crate) line: Line,
    pub(crate) time: Duration,
    pub(crate) bytes: usize,
    pub(crate) cut: Cut,
}

/// How a response passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// As it comes.
    Fast,
    /// In small pieces, hardly faster than events are published: a replay takes its time.
    Slow,
    /// Not at all, until the connection's time is over.
    Stalled,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// A close.
    Fin,
    /// A reset; the peer may not read all that has passed.
    Rst,
}

impl Fate {
    pub(crate) fn new(dice: &mut Dice) -> Self {
        let line = match dice.pick(0..=7) {
            0..=2 => Line::Fast,
            3..=5 => Line::Slow,
            _ => Line::Stalled,
        };
        let most = match line {
            // A head has about 200 bytes.
            Line::Stalled if dice.one_in(8) => 250,
            Line::Stalled => 8_000,
            Line::Fast | Line::Slow => 1_000,
        };
        Self {
            line,
            time: Duration::from_millis(dice.pick(50..=300) as u64),
            bytes: dice.pick(0..=most),
            cut: if dice.one_in(2) { Cut::Fin } else { Cut::Rst },
        }
    }
}
