use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::core::Core;
use crate::{
    foreign::caught_future,
    sync::atomic::{AtomicU64, Ordering},
};

/// Whom many ask and who answers a few at a time: a history, or the application.
#[derive(Debug)]
pub(super) struct Turns {
    free: Semaphore,
    /// When anybody had an answer last, in the hub's milliseconds.
    answered: AtomicU64,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("it panicked")]
    Panicked,
    #[error("it took too long")]
    TooLate,
}

impl Turns {
    pub(super) const fn new(at_once: usize) -> Self {
        Self {
            free: Semaphore::const_new(at_once),
            answered: AtomicU64::new(0),
        }
    }

    /// The answer to a question, when its turn has come. It may take as long as `deadline`, and so
    /// long is its turn waited for while nobody else has an answer either.
    pub(super) async fn ask<F: Future>(
        &self,
        core: &Core,
        deadline: Duration,
        question: impl FnOnce() -> F,
    ) -> Result<F::Output, NoAnswer> {
        let clock = &core.clock;
        let _turn = self.turn(core, deadline).await?;
        let deadline = clock.now() + deadline;
        let answer = tokio::select! {
            answer = caught_future(async { question().await }) => answer,
            () = clock.sleep_until(deadline) => return Err(NoAnswer::TooLate),
        };
        self.answered.fetch_max(core.now_ms(), Ordering::Relaxed);
        answer.ok_or(NoAnswer::Panicked)
    }

    async fn turn(&self, core: &Core, deadline: Duration) -> Result<SemaphorePermit<'_>, NoAnswer> {
        let asked = core.now_ms();
        let silence = async {
            loop {
                let since = asked.max(self.answered.load(Ordering::Relaxed));
                let until = core.started + Duration::from_millis(since) + deadline;
                if core.clock.now() >= until {
                    return;
                }
                core.clock.sleep_until(until).await;
            }
        };
        tokio::select! {
            biased;
            // First: those who are too late as well have just left their turns.
            () = silence => Err(NoAnswer::TooLate),
            turn = self.free.acquire() => turn.map_err(|_| NoAnswer::TooLate),
        }
    }
}
