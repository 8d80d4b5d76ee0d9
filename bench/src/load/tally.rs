use std::time::Instant;

use hdrhistogram::Histogram;

use super::stream::Malformed;

/// The longest delay that is told apart, in nanoseconds.
const MINUTE: u64 = 60_000_000_000;

/// What has come, and how late.
#[derive(Debug)]
pub(super) struct Tally {
    base: Instant,
    pub(super) delays: Histogram<u64>,
    /// Deliveries since the delays were forgotten.
    pub(super) deliveries: u64,
    /// Deliveries in all.
    pub(super) received: u64,
    pub(super) last: Instant,
    /// The last position that any stream named.
    pub(super) position: Option<String>,
}

/// What a stream expects next of each channel: a publisher, or what the stream alone gets.
pub(super) type Expected = Box<[u64]>;

impl Tally {
    pub(super) fn new() -> Self {
        let base = Instant::now();
        Self {
            base,
            delays: Histogram::new_with_bounds(1, MINUTE, 3).expect("the bounds are in order"),
            deliveries: 0,
            received: 0,
            last: base,
            position: None,
        }
    }

    pub(super) fn forget_delays(&mut self) {
        self.delays.reset();
        self.deliveries = 0;
    }

    /// The data of an event: its channel, its number there, and when it was sent.
    pub(super) fn data(&self, channel: usize, number: u64, size: usize) -> String {
        let nanos = self.base.elapsed().as_nanos();
        let mut data = format!("{channel} {number} {nanos} ");
        data.extend(std::iter::repeat_n('x', size.saturating_sub(data.len())));
        data
    }

    /// Takes a line of a stream, which was read at `now`.
    pub(super) fn line(
        &mut self,
        line: &[u8],
        now: Instant,
        expected: &mut Expected,
    ) -> Result<(), Malformed> {
        let Some(data) = field(line, b"data:") else {
            if self.position.is_none() {
                let id = field(line, b"id:").map(String::from_utf8_lossy);
                self.position = id.map(|id| id.into_owned());
            }
            return Ok(());
        };
        // The library's own events have JSON.
        if data.starts_with(b"{") {
            return Ok(());
        }
        let mut numbers = data.split(|byte| *byte == b' ').map(number);
        let mut next = || numbers.next().flatten().ok_or(Malformed);
        let (channel, sequence, sent) = (next()?, next()?, next()?);
        let expected = expected.get_mut(channel as usize).ok_or(Malformed)?;
        if sequence != *expected {
            return Err(Malformed);
        }
        *expected += 1;
        let nanos = now.duration_since(self.base).as_nanos() as u64;
        self.delays.saturating_record(nanos.saturating_sub(sent));
        self.deliveries += 1;
        self.received += 1;
        self.last = now;
        Ok(())
    }
}

/// The value of a field, where the line is one of that name (WHATWG HTML, 9.2.6).
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = line.strip_prefix(name)?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stream_counts_its_own() {
        let (mut tally, now) = (Tally::new(), Instant::now());
        let mut expected: Expected = vec![0; 2].into();
        let mut take = |line: &str| tally.line(line.as_bytes(), now, &mut expected);
        take("id: ~1-7").unwrap();
        take(r#"data: {"connection_id":"1"}"#).unwrap();
        take("data: 0 0 1 xx").unwrap();
        take("data:1 0 1 xx").unwrap();
        take("data: 0 1 1 xx").unwrap();
        assert_eq!(take("data: 0 1 1 xx"), Err(Malformed), "doubled");
        assert_eq!(take("data: 0 3 1 xx"), Err(Malformed), "one is missing");
        assert_eq!(take("data: 2 0 1 xx"), Err(Malformed));
        assert_eq!(take("data: x"), Err(Malformed));
        assert_eq!((tally.deliveries, tally.received), (3, 3));
        assert_eq!(tally.position.as_deref(), Some("~1-7"));
    }
}
