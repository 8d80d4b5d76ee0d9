use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::Poll,
};

/// Calls code that isn't the library's own; `None` if it panicked.
///
/// The payload of the panic is forgotten rather than dropped: that would be foreign code again.
pub(crate) fn caught<T>(call: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(value) => Some(value),
        Err(payload) => {
            std::mem::forget(payload);
            None
        }
    }
}

/// Runs a future that isn't the library's own; `None` if it panicked. Dropped midway, it drops that
/// future, and a panic of that is forgotten too.
pub(crate) async fn caught_future<F: Future>(future: F) -> Option<F::Output> {
    let mut foreign = Foreign(Some(Box::pin(future)));
    poll_fn(|cx| {
        let Some(future) = &mut foreign.0 else {
            return Poll::Ready(None);
        };
        match caught(|| future.as_mut().poll(cx)) {
            Some(Poll::Ready(value)) => Poll::Ready(Some(value)),
            Some(Poll::Pending) => Poll::Pending,
            None => Poll::Ready(None),
        }
    })
    .await
}

struct Foreign<F>(Option<Pin<Box<F>>>);

impl<F> Drop for Foreign<F> {
    fn drop(&mut self) {
        let future = self.0.take();
        caught(|| drop(future));
    }
}
