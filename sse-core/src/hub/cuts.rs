use std::{
    collections::HashMap,
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use crate::{ClientId, sync::Mutex};

/// Of how many clients the hub remembers that their connections were cut.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// Whose connections were cut because their queues were full, so that who is cut again and again
/// comes back later and later.
#[derive(Debug)]
pub(super) struct Cuts {
    /// When a client comes back that was cut once; twice as late each time more.
    first: Duration,
    most: Duration,
    remembered: Mutex<Remembered>,
}

#[derive(Debug, Default)]
struct Remembered {
    cuts: HashMap<ClientId, Cut>,
    /// When those were forgotten last that don't count any more.
    tidied: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Cut {
    in_a_row: u32,
    last: Instant,
}

impl Cuts {
    pub(super) fn new(first: Duration, most: Duration) -> Self {
        Self {
            first,
            most,
            remembered: Mutex::default(),
        }
    }

    /// How long after a cut another counts as one more in a row: longer than the client was told to
    /// stay away.
    const fn in_a_row(&self) -> Duration {
        self.most.saturating_mul(3)
    }

    fn counts(&self, cut: Cut, now: Instant) -> bool {
        now.saturating_duration_since(cut.last) < self.in_a_row()
    }

    /// Whether there may still be connections of its client that were told to come back late.
    fn is_remembered(&self, cut: Cut, now: Instant) -> bool {
        now.saturating_duration_since(cut.last) < self.in_a_row().saturating_mul(2)
    }

    /// Notes a cut; `true` if it isn't the first in a row.
    pub(super) fn note(&self, client: &ClientId, now: Instant) -> bool {
        let mut remembered = self.remembered.lock();
        if remembered.cuts.len() >= REMEMBERED.get() && self.is_untidy(&remembered, now) {
            remembered.tidied = Some(now);
            remembered
                .cuts
                .retain(|_, cut| self.is_remembered(*cut, now));
        }
        let cuts = &mut remembered.cuts;
        let before = cuts
            .get(client)
            .filter(|cut| self.counts(**cut, now))
            .copied();
        if !cuts.contains_key(client) && cuts.len() >= REMEMBERED.get() {
            return false;
        }
        let cut = match before {
            // Several connections of the client were cut by the same crowd of events.
            Some(before) if now.saturating_duration_since(before.last) < self.first => before,
            before => Cut {
                in_a_row: before.map_or(1, |before| before.in_a_row.saturating_add(1)),
                last: now,
            },
        };
        cuts.insert(client.clone(), cut);
        cut.in_a_row > 1
    }

    /// When to come back a client is told that was cut lately: `spread`, from 0 to 255, keeps apart
    /// those who were cut together.
    pub(super) fn retry(&self, client: &ClientId, now: Instant, spread: u8) -> Option<Duration> {
        let cuts = &mut self.remembered.lock().cuts;
        let cut = *cuts.get(client)?;
        if !self.is_remembered(cut, now) {
            cuts.remove(client);
            return None;
        }
        if !self.counts(cut, now) {
            // It was told to come back late, and may come back as soon as anybody again.
            return Some(self.first);
        }
        let doubled = self.first.saturating_mul(1 << (cut.in_a_row - 1).min(16));
        let retry = doubled.min(self.most);
        let extra = (retry / 1024).saturating_mul(u32::from(spread));
        Some(retry.saturating_add(extra))
    }

    /// Whether it is worth looking at each of them: hardly ever, because the section waits for it.
    fn is_untidy(&self, remembered: &Remembered, now: Instant) -> bool {
        let since = remembered
            .tidied
            .map(|tidied| now.saturating_duration_since(tidied));
        since.is_none_or(|since| since >= self.in_a_row() / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_secs(2);
    const MOST: Duration = Duration::from_secs(60);

    #[test]
    fn who_is_cut_again_and_again_comes_back_later_and_later() {
        let (cuts, ada) = (Cuts::new(FIRST, MOST), ClientId::new("ada").unwrap());
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(cuts.retry(&ada, at(0), 0), None);
        assert!(!cuts.note(&ada, at(0)));
        assert_eq!(cuts.retry(&ada, at(1), 0), Some(Duration::from_secs(2)));
        assert_eq!(
            cuts.retry(&ada, at(1), 128),
            Some(Duration::from_millis(2_250))
        );
        let mut last = Duration::ZERO;
        for second in (2..30).step_by(3) {
            assert!(cuts.note(&ada, at(second)));
            let retry = cuts.retry(&ada, at(second), 0).unwrap();
            assert!(retry > last || retry == MOST, "{retry:?}");
            last = retry;
        }
        assert_eq!(last, MOST);
        let calm = at(300);
        for _tab in 0..3 {
            assert_eq!(cuts.retry(&ada, calm, 0), Some(FIRST));
        }
        assert_eq!(cuts.retry(&ada, at(1_000), 0), None);
    }

    #[test]
    fn connections_that_are_cut_together_count_once() {
        let (cuts, ada) = (Cuts::new(FIRST, MOST), ClientId::new("ada").unwrap());
        let now = Instant::now();
        for tab in 0..6 {
            assert!(!cuts.note(&ada, now + Duration::from_millis(tab)));
        }
        assert_eq!(cuts.retry(&ada, now, 0), Some(FIRST));
        assert!(cuts.note(&ada, now + FIRST));
    }

    #[test]
    fn settings_without_end_are_no_panic() {
        let (cuts, ada) = (
            Cuts::new(Duration::MAX, Duration::MAX),
            ClientId::new("ada").unwrap(),
        );
        let now = Instant::now();
        cuts.note(&ada, now);
        assert_eq!(cuts.retry(&ada, now, 255), Some(Duration::MAX));
    }

    #[test]
    fn not_all_cuts_are_remembered() {
        let (cuts, now) = (Cuts::new(FIRST, MOST), Instant::now());
        for number in 0..2 * REMEMBERED.get() {
            cuts.note(&ClientId::new(number.to_string()).unwrap(), now);
        }
        assert_eq!(cuts.remembered.lock().cuts.len(), REMEMBERED.get());
        let later = now + Duration::from_secs(3_600);
        cuts.note(&ClientId::new("new").unwrap(), later);
        assert_eq!(cuts.remembered.lock().cuts.len(), 1);
    }
}
