use std::{
    io::IoSlice,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use smallvec::SmallVec;
use tokio::time::Instant;

/// The streams of one connection that are under way, and whether they get on.
///
/// Over HTTP/2 a client can read the connection and leave a stream alone: then hyper polls that
/// stream's body no more, holds what it has of it, even after the body has ended, and nothing from
/// outside can reset the stream.
#[derive(Debug, Default)]
pub(crate) struct Stalls(Mutex<SmallVec<[Response; 1]>>);

#[derive(Debug)]
struct Response {
    progress: Arc<Progress>,
    /// How many steps it had made at the last look.
    steps: u32,
    /// Since when it hasn't got on.
    stalled: Option<Instant>,
}

#[derive(Debug)]
struct Progress {
    /// Polls of the body, and writes of pieces of it.
    steps: AtomicU32,
    /// Whether it is the transport's turn: a body was made, or a piece of it taken.
    is_owed: AtomicBool,
    /// How many pieces the transport holds.
    held: AtomicU32,
}

impl Progress {
    fn step(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }
}

impl Stalls {
    /// The body of a response of this connection, watched.
    pub(crate) fn watch<B: Body>(&self, body: B) -> Watched<B> {
        let progress = Arc::new(Progress {
            steps: AtomicU32::new(0),
            is_owed: AtomicBool::new(true),
            held: AtomicU32::new(0),
        });
        let mut responses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if responses.len() == responses.capacity() {
            responses.retain(|response| response.is_under_way());
        }
        responses.push(Response {
            progress: Arc::clone(&progress),
            steps: 0,
            stalled: None,
        });
        Watched {
            body,
            progress: Some(progress),
            most: MOST,
            rest: None,
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
        let progress = &self.progress;
        let steps = progress.steps.load(Ordering::Relaxed);
        let gets_on = steps != self.steps;
        self.steps = steps;
        let waits =
            progress.is_owed.load(Ordering::Relaxed) || progress.held.load(Ordering::Relaxed) > 0;
        if gets_on || !waits {
            self.stalled = None;
            return Duration::ZERO;
        }
        now.duration_since(*self.stalled.get_or_insert(now))
    }
}

pin_project! {
    /// A body that notes whether it is polled, and its pieces taken.
    #[derive(Debug)]
    pub(crate) struct Watched<B: Body> {
        #[pin]
        body: B,
        progress: Option<Arc<Progress>>,
        most: usize,
        // What is left of a piece that was too large.
        rest: Option<B::Data>,
    }
}

impl<B: Body> Watched<B> {
    /// A body that nobody watches.
    pub(crate) const fn alone(body: B, most: usize) -> Self {
        Self {
            body,
            progress: None,
            most,
            rest: None,
        }
    }

    /// A piece, or the next bit of one that is too large. Of `Bytes` nothing is copied.
    #[inline]
    fn bit(
        mut data: B::Data,
        most: usize,
        rest: &mut Option<B::Data>,
        progress: Option<&Arc<Progress>>,
    ) -> Piece {
        let len = data.remaining();
        let bytes = data.copy_to_bytes(len.min(most));
        if len > most {
            *rest = Some(data);
        }
        Piece::new(bytes, progress)
    }
}

/// How much is given at once over HTTP/1, for which hyper copies it: its buffer, which stays as large for
/// as long as the connection lives, holds at most two of them.
pub(crate) const MOST_COPIED: usize = 8_000;

/// And over HTTP/2.
pub(crate) const MOST: usize = 64 * 1024;

impl<B: Body> Body for Watched<B> {
    type Data = Piece;
    type Error = B::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, B::Error>>> {
        let own = self.project();
        let (rest, progress) = (own.rest, own.progress.as_ref());
        let frame = if rest.is_some() {
            Poll::Ready(rest.take().map(|data| Ok(Frame::data(data))))
        } else {
            own.body.poll_frame(cx)
        };
        if let Some(progress) = progress {
            progress.step();
            progress.is_owed.store(frame.is_ready(), Ordering::Relaxed);
        }
        // Two of three polls find nothing.
        let frame = ready!(frame);
        let bit = |data| Self::bit(data, *own.most, rest, progress);
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(bit))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.body.size_hint();
        let rest = self.rest.as_ref().map_or(0, |rest| rest.remaining() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower().saturating_add(rest));
        if let Some(upper) = body.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint
    }
}

/// A piece of a body; it notes what the transport writes of it, and when it lets go of it.
#[derive(Debug)]
pub(crate) struct Piece {
    data: Bytes,
    progress: Option<Arc<Progress>>,
}

impl Piece {
    fn new(data: Bytes, progress: Option<&Arc<Progress>>) -> Self {
        let progress = progress.map(Arc::clone);
        if let Some(progress) = &progress {
            progress.held.fetch_add(1, Ordering::Relaxed);
        }
        Self { data, progress }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if let Some(progress) = &self.progress {
            progress.step();
            progress.held.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }

    fn chunks_vectored<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        self.data.chunks_vectored(into)
    }

    fn advance(&mut self, count: usize) {
        if let Some(progress) = &self.progress {
            progress.step();
        }
        self.data.advance(count);
    }

    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        if let Some(progress) = &self.progress {
            progress.step();
        }
        self.data.copy_to_bytes(len)
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
    async fn a_large_piece_goes_out_bit_by_bit() {
        static LARGE: [u8; 2 * MOST + 1] = [7; 2 * MOST + 1];
        let (sender, pieces) = mpsc::channel(10);
        sender.try_send(LARGE.as_slice()).unwrap();
        drop(sender);
        let mut body = Watched::alone(Pieces(pieces), MOST);
        let (mut lengths, mut lower) = (Vec::new(), Vec::new());
        while let Some(frame) = body.frame().await {
            let mut piece = frame.unwrap().into_data().unwrap();
            lengths.push(piece.remaining());
            lower.push(body.size_hint().lower() as usize);
            assert_eq!(piece.copy_to_bytes(1), LARGE[..1]);
        }
        assert_eq!(lengths, [MOST, MOST, 1]);
        assert_eq!(lower, [MOST + 1, 1, 0], "what is left");
    }

    #[tokio::test]
    async fn who_takes_all_there_is_does_not_stall() {
        let (stalls, start) = (Stalls::default(), Instant::now());
        assert!(
            !ends_within(&stalls, start, LIMIT * 9),
            "no response at all"
        );
        let (_sender, mut body) = response(&stalls);
        drop(body.frame().await);
        assert!(body.frame().now_or_never().is_none());
        assert!(!ends_within(&stalls, start, LIMIT * 9));
    }

    #[tokio::test]
    async fn what_is_held_of_a_body_that_has_ended_stalls() {
        let (stalls, start) = (Stalls::default(), Instant::now());
        let (sender, mut body) = response(&stalls);
        let held = body.frame().await;
        drop(sender);
        assert!(body.frame().await.is_none());
        drop(body);
        assert!(ends_within(&stalls, start, LIMIT + Duration::from_secs(1)));
        drop(held);
        assert!(!ends_within(&stalls, start, LIMIT * 9));
    }

    #[tokio::test]
    async fn what_is_taken_bit_by_bit_does_not_stall() {
        let (stalls, start) = (Stalls::default(), Instant::now());
        let (_sender, mut body) = response(&stalls);
        let frame = body.frame().await.unwrap().unwrap();
        let mut piece = frame.into_data().unwrap();
        for look in 1..5 {
            assert!(!stalls.are_too_long(start + LIMIT / 2 * look, LIMIT));
            piece.advance(1);
        }
        assert_eq!(piece.chunk(), b"e");
        assert!(!stalls.are_too_long(start + LIMIT * 3, LIMIT));
        // From the first look on at which nothing more was taken.
        assert!(!stalls.are_too_long(start + LIMIT * 4, LIMIT));
        assert!(stalls.are_too_long(start + LIMIT * 5, LIMIT));
    }

    #[tokio::test]
    async fn a_body_that_is_not_polled_though_there_was_more_stalls() {
        let (stalls, start) = (Stalls::default(), Instant::now());
        let (_sender, mut body) = response(&stalls);
        drop(body.frame().await);
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
        drop(stalled.frame().await);
        drop(taken.frame().await);
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
