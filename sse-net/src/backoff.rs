use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How long the first wait is; each one in a row is twice as long.
const SHORTEST: Duration = Duration::from_millis(50);
/// How long no wait exceeds.
const LONGEST: Duration = Duration::from_secs(1);
/// An episode of failures is over when none has come for as long.
const EPISODE_ENDS_AFTER: Duration = Duration::from_secs(10);

/// The waits between attempts that fail for reasons which only time cures.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    until: Option<Instant>,
    failed_at: Option<Instant>,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self {
            next: SHORTEST,
            until: None,
            failed_at: None,
        }
    }

    /// Waits as long as the last failure asks for.
    ///
    /// Cancel safe: what is left of the wait is waited for the next time.
    pub(crate) async fn wait(&mut self) {
        if let Some(until) = self.until {
            sleep_until(until).await;
            self.until = None;
        }
    }

    /// Notes a failure, and says whether an episode begins with it.
    pub(crate) fn failed(&mut self) -> bool {
        let now = Instant::now();
        self.until = Some(now + self.next);
        self.next = (self.next * 2).min(LONGEST);
        let before = self.failed_at.replace(now);
        before.is_none_or(|before| now - before > EPISODE_ENDS_AFTER)
    }

    /// Notes a success: the next wait will be short again.
    pub(crate) const fn succeeded(&mut self) {
        self.next = SHORTEST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn waited(backoff: &mut Backoff) -> u128 {
        let before = Instant::now();
        backoff.wait().await;
        before.elapsed().as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn waits_grow_and_a_success_makes_them_short_again() {
        let mut backoff = Backoff::new();
        assert_eq!(waited(&mut backoff).await, 0);
        for expected in [50, 100, 200, 400, 800, 1000, 1000] {
            backoff.failed();
            assert_eq!(waited(&mut backoff).await, expected);
        }
        backoff.succeeded();
        assert_eq!(waited(&mut backoff).await, 0);
        backoff.failed();
        assert_eq!(waited(&mut backoff).await, 50);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_is_dropped_goes_on() {
        let mut backoff = Backoff::new();
        backoff.failed();
        let dropped = tokio::time::timeout(Duration::from_millis(20), backoff.wait()).await;
        assert!(dropped.is_err());
        assert_eq!(waited(&mut backoff).await, 30);
    }

    #[tokio::test(start_paused = true)]
    async fn an_episode_lasts_through_successes_until_it_has_been_quiet() {
        let mut backoff = Backoff::new();
        assert!(backoff.failed());
        backoff.succeeded();
        assert!(!backoff.failed());
        tokio::time::advance(EPISODE_ENDS_AFTER).await;
        assert!(!backoff.failed());
        tokio::time::advance(EPISODE_ENDS_AFTER + SHORTEST).await;
        assert!(backoff.failed());
    }
}
