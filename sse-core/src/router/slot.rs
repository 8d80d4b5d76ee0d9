use std::task::{Context, Poll, Waker};

use super::RouteError;
use crate::sync::Mutex;

/// A job in an ingress's queue, and what became of it.
pub(super) type Slot<J, T> = Mutex<Stage<J, T>>;

/// How far a queued job has come; with the waker of whoever awaits its end.
pub(super) enum Stage<J, T> {
    Queued(J, Option<Waker>),
    Running(Option<Waker>),
    Done(Result<T, RouteError>),
    Gone,
}

impl<J, T> Stage<J, T> {
    pub(super) fn waker(&self) -> Option<Waker> {
        match self {
            Self::Queued(_, waker) => waker.clone(),
            _ => None,
        }
    }

    pub(super) fn poll_done(&mut self, cx: &Context<'_>) -> Poll<Result<T, RouteError>> {
        match self {
            Self::Queued(_, waker) | Self::Running(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Self::Done(_) => match std::mem::replace(self, Self::Gone) {
                Self::Done(done) => Poll::Ready(done),
                _ => unreachable!("matched above"),
            },
            Self::Gone => panic!("polled after it was ready"),
        }
    }
}
