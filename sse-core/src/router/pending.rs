use std::{
    fmt,
    future::{Future, Ready, ready},
    pin::Pin,
    task::{Context, Poll},
};

use super::{Accepted, RouteError};

/// A router's answer to a batch that is on its way.
///
/// Dropping it changes nothing: the batch stays on its way.
#[must_use = "a refusal would go unseen"]
pub struct Pending(Answer);

type Answered = Result<Vec<Accepted>, RouteError>;

enum Answer {
    Ready(Ready<Answered>),
    Later(Pin<Box<dyn Future<Output = Answered> + Send>>),
}

impl Pending {
    /// The batch was accepted at once.
    pub fn ready(accepted: Vec<Accepted>) -> Self {
        Self(Answer::Ready(ready(Ok(accepted))))
    }

    /// The answer is what `answer` will say.
    pub fn later(answer: impl Future<Output = Answered> + Send + 'static) -> Self {
        Self(Answer::Later(Box::pin(answer)))
    }
}

impl Future for Pending {
    type Output = Answered;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answered> {
        match &mut self.0 {
            Answer::Ready(ready) => Pin::new(ready).poll(cx),
            Answer::Later(later) => later.as_mut().poll(cx),
        }
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}
