use std::{panic::Location, time::Duration};

use tokio::time::{Instant, sleep};

/// How often [`eventually`] looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Waits until `holds`, looking every 5 ms: what a test does instead of sleeping.
///
/// # Panics
///
/// `holds` isn't so within `timeout`; the message says `what` and who called.
#[track_caller]
pub fn eventually(
    what: &str,
    timeout: Duration,
    mut holds: impl FnMut() -> bool + Send,
) -> impl Future<Output = ()> + Send {
    let caller = Location::caller();
    async move {
        let deadline = Instant::now() + timeout;
        while !holds() {
            assert!(
                Instant::now() < deadline,
                "{what}: not so within {timeout:?} (waited for at {caller})"
            );
            sleep(LOOK_EVERY).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn looks_until_it_holds() {
        let mut looks = 0;
        eventually("the third look", Duration::from_secs(1), || {
            looks += 1;
            looks == 3
        })
        .await;
        assert_eq!(looks, 3);
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "a miracle: not so within 1s (waited for at tests/src/eventually.rs")]
    async fn gives_up() {
        eventually("a miracle", Duration::from_secs(1), || false).await;
    }
}
