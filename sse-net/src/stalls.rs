use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use smallvec::SmallVec;
use tokio::time::Instant;

/// The streams of one connection that are under way, and whether they get on.
///
/// Over HTTP/2 a client can read the connection and leave a stream alone: then hyper polls that
/// stream's body no more, holds what it has of it, and nothing from outside can reset the stream.
#[derive(Debug, Default)]
pub(crate) struct Stalls(Mutex<SmallVec<[Response; 1]>>);

#[derive(Debug)]
struct Response {
    progress: Arc<Progress>,
    /// How often it had been polled at the last look.
    polls: u32,
    /// Since when it hasn't got on.
    stalled: Option<Instant>,
}

#[derive(Debug)]
struct Progress {
    polls: AtomicU32,
    /// Whether it is the transport's turn: a body was made, or a piece of it taken.
    is_owed: AtomicBool,
}

impl Stalls {
    /// The body of a response of this connection, watched.
    pub(crate) fn watch<B>(&self, body: B) -> Watched<B> {
        let progress = Arc::new(Progress {
            polls: AtomicU32::new(0),
            is_owed: AtomicBool::new(true),
        });
        let mut responses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if responses.len() == responses.capacity() {
            responses.retain(|response| response.is_under_way());
        }
        responses.push(Response {
            progress: Arc::clone(&progress),
            polls: 0,
            stalled: None,
        });
        Watched {
            body,
            progress: Some(progress),
        }
    }

    /// Looks at all responses; whether the connection is to be ended: because none of them has got on
    /// for `limit`, or one hasn't for twice as long.
    pub(crate) fn are_too_long(&self, now: Instant, limit: Duration) -> bool {
        let mut responses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        responses.retain(|response| response.is_under_way());
        let (mut longest, mut shortest) = (Duration::ZERO, None);
        for response in responses.iter_mut() {
            let stalled = response.stalled_for(now);
            longest = longest.max(stalled);
            shortest = Some(shortest.map_or(stalled, |so_far: Duration| so_far.min(stalled)));
        }
        longest >= limit * 2 || shortest.is_some_and(|shortest| shortest >= limit)
    }
}

impl Response {
    fn is_under_way(&self) -> bool {
        Arc::strong_count(&self.progress) > 1
    }

    fn stalled_for(&mut self, now: Instant) -> Duration {
        let polls = self.progress.polls.load(Ordering::Relaxed);
        let gets_on = polls != self.polls || !self.progress.is_owed.load(Ordering::Relaxed);
        self.polls = polls;
        if gets_on {
            self.stalled = None;
            return Duration::ZERO;
        }
        now.duration_since(*self.stalled.get_or_insert(now))
    }
}

pin_project! {
    /// A body that notes whether it is polled.
    #[derive(Debug)]
    pub(crate) struct Watched<B> {
        #[pin]
        body: B,
        progress: Option<Arc<Progress>>,
    }
}

impl<B> Watched<B> {
    /// A body that nobody watches.
    pub(crate) const fn alone(body: B) -> Self {
        Self {
            body,
            progress: None,
        }
    }
}

impl<B: Body> Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let own = self.project();
        let frame = own.body.poll_frame(cx);
        if let Some(progress) = own.progress {
            progress.polls.fetch_add(1, Ordering::Relaxed);
            progress.is_owed.store(frame.is_ready(), Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use http_body_util::BodyExt;
    use tokio::sync::mpsc;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(90);

    /// A body of what is sent to it.
    struct Pieces(mpsc::Receiver<&'static [u8]>);

    impl Body for Pieces {
        type Data = &'static [u8];
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<&'static [u8]>, Self::Error>>> {
            let piece = self.0.poll_recv(cx);
            piece.map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
        }
    }

    fn response(stalls: &Stalls) -> (mpsc::Sender<&'static [u8]>, Watched<Pieces>) {
        let (sender, pieces) = mpsc::channel(10);
        sender.try_send(b"piece".as_slice()).unwrap();
        (sender, stalls.watch(Pieces(pieces)))
    }

    /// Whether it is ended within a time, looked at often.
    fn ends_within(stalls: &Stalls, start: Instant, time: Duration) -> bool {
        let looks = (0..=time.as_secs()).map(|second| start + Duration::from_secs(second));
        looks.fold(false, |ends, now| ends | stalls.are_too_long(now, LIMIT))
    }

    #[tokio::test]
    async fn who_takes_all_there_is_does_not_stall() {
        let (stalls, start) = (Stalls::default(), Instant::now());
        assert!(
            !ends_within(&stalls, start, LIMIT * 9),
            "no response at all"
        );
        let (_sender, mut body) = response(&stalls);
        body.frame().await.unwrap().unwrap();
        assert!(body.frame().now_or_never().is_none());
        assert!(!ends_within(&stalls, start, LIMIT * 9));
    }

    #[tokio::test]
    async fn a_body_that_is_not_polled_though_there_was_more_stalls() {
        let (stalls, start) = (Stalls::default(), Instant::now());
        let (_sender, mut body) = response(&stalls);
        body.frame().await.unwrap().unwrap();
        assert!(!ends_within(&stalls, start, LIMIT - Duration::from_secs(1)));
        assert!(ends_within(&stalls, start, LIMIT + Duration::from_secs(1)));
        let (stalls, start) = (Stalls::default(), Instant::now());
        let _never_polled = response(&stalls);
        assert!(ends_within(&stalls, start, LIMIT));
        let (stalls, start) = (Stalls::default(), Instant::now());
        drop(response(&stalls));
        assert!(!ends_within(&stalls, start, LIMIT * 9), "it is over");
    }

    #[tokio::test]
    async fn one_of_several_has_twice_as_long() {
        let (stalls, start) = (Stalls::default(), Instant::now());
        let (_first, mut stalled) = response(&stalls);
        let (_second, mut taken) = response(&stalls);
        stalled.frame().await.unwrap().unwrap();
        taken.frame().await.unwrap().unwrap();
        assert!(taken.frame().now_or_never().is_none());
        assert!(!ends_within(
            &stalls,
            start,
            LIMIT * 2 - Duration::from_secs(1)
        ));
        assert!(ends_within(
            &stalls,
            start,
            LIMIT * 2 + Duration::from_secs(1)
        ));
    }
}
