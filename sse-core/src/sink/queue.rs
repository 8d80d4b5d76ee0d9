use std::{
    fmt,
    num::NonZeroUsize,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use smallvec::SmallVec;

use super::{
    CloseReason, EventSink, Offer, Progress, SinkContext, WhenFull,
    waiting::{Entry, Gone, Held, Terms, Waiting},
};
use crate::{Frame, sync::Mutex};

/// How much may leave a queue as one piece: several waiting frames are copied together up to
/// here, so that they cost one write. A larger frame leaves alone, uncopied.
///
/// Two of them, with what is written around them, are 16 KiB: the second buffer that hyper takes.
const PIECE: usize = 8_000;

/// How much may wait in one connection's queue.
///
/// An empty queue takes one frame of any size that the hub accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// How many events; 100 by default.
    pub events: NonZeroUsize,
    /// How many bytes of events; 1 MiB by default.
    pub bytes: NonZeroUsize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        const EVENTS: NonZeroUsize = NonZeroUsize::new(100).unwrap();
        const BYTES: NonZeroUsize = NonZeroUsize::new(1024 * 1024).unwrap();
        Self {
            events: EVENTS,
            bytes: BYTES,
        }
    }
}

/// The default sink: a bounded queue that a response body reads.
///
/// It has no buffer while it is empty, and holds a frame that waits alone inline.
pub struct QueueSink {
    shared: Arc<QueueShared>,
    state: Mutex<State>,
}

/// What all queues of a hub share.
#[derive(Debug)]
pub(crate) struct QueueShared {
    pub(crate) terms: Terms,
    pub(crate) context: SinkContext,
}

#[derive(Debug, Default)]
struct State {
    waiting: Waiting,
    taken: u64,
    reader: Option<Waker>,
    /// Who waits for room, and for how much; boxed because hardly any connection has one.
    room: Option<Box<(Waker, usize)>>,
    closed: Option<CloseReason>,
}

/// Whom to wake once no lock is held; mostly one, where it isn't everybody.
pub(crate) type Wakers = SmallVec<[Waker; 1]>;

impl QueueSink {
    /// An empty queue.
    #[must_use]
    pub fn new(limits: QueueLimits, context: SinkContext) -> Arc<Self> {
        let budget = None;
        let terms = Terms { limits, budget };
        Arc::new(Self::on(Arc::new(QueueShared { terms, context })))
    }

    /// A queue of the hub's own, whose budget is that of the terms.
    pub(crate) fn on(shared: Arc<QueueShared>) -> Self {
        Self {
            shared,
            state: Mutex::default(),
        }
    }

    fn terms(&self) -> &Terms {
        &self.shared.terms
    }

    /// The next piece of the event stream: a waiting frame, or several in one.
    ///
    /// `None` once the sink is closed and has nothing left. One reader: where nothing waits, the
    /// last task that asked is woken.
    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut state = self.state.lock();
        if state.waiting.is_empty() {
            if state.closed.is_some() {
                return Poll::Ready(None);
            }
            state.wait_for_frames(cx);
            return Poll::Pending;
        }
        let mut taken = state.waiting.take(PIECE);
        // Here, and not when they are freed: nobody else is to give way for them.
        taken.release();
        state.taken += taken.len() as u64;
        let room = state.take_room_waiter(&self.terms().limits);
        drop(state);
        if let Some(waker) = room {
            waker.wake();
        }
        let events = taken.events();
        if events > 0 {
            self.shared.context.delivered(events as u64);
        }
        Poll::Ready(Some(self.piece(taken)))
    }

    /// Takes a frame in, as [`try_send`](EventSink::try_send) does; who is to be woken then, once no
    /// lock is held, is put with `wakers`.
    pub(crate) fn offer(&self, frame: &Frame, full: WhenFull, wakers: &mut Wakers) -> Offer {
        let mut gone = Gone::new();
        let mut state = self.state.lock();
        let offer = state.offer(frame, self.terms(), full, &mut gone);
        if !state.waiting.is_empty()
            && let Some(reader) = state.reader.take()
        {
            wakers.push(reader);
        }
        if let Some(waiter) = state.take_room_waiter(&self.terms().limits) {
            wakers.push(waiter);
        }
        offer
    }

    /// Reads what is beside the lock.
    pub(crate) fn look(&self) -> *const QueueShared {
        Arc::as_ptr(&self.shared)
    }

    pub(crate) fn has_events(&self) -> bool {
        self.state.lock().waiting.events() > 0
    }

    /// Since when the oldest and the newest event wait that count towards the hub's byte budget.
    pub(crate) fn ages(&self) -> Option<(u64, u64)> {
        self.state.lock().waiting.ages()
    }

    /// Throws away what waits, for `last` to be all that is read yet, and takes nothing more.
    pub(crate) fn close_with(&self, last: &Frame, reason: CloseReason) {
        let mut state = self.state.lock();
        state.closed.get_or_insert(reason);
        let gone = std::mem::replace(&mut state.waiting, Waiting::of_notice(last));
        drop(state);
        drop(gone);
    }

    /// Drops an event: which one, `full` says.
    pub(crate) fn give_way(&self, full: WhenFull) -> Option<Held> {
        self.state.lock().waiting.give_way(full)
    }

    /// One frame as it is, or several copied together.
    fn piece(&self, taken: Waiting) -> Bytes {
        if let Waiting::One(Entry::Frame(frame)) = &taken {
            return frame.bytes().clone();
        }
        let len = taken.iter().map(Entry::len).sum();
        let mut piece = Vec::with_capacity(len);
        for entry in taken {
            match entry {
                Entry::Frame(frame) => piece.extend_from_slice(frame.bytes()),
                Entry::Gap(dropped) => {
                    piece.extend_from_slice(self.shared.context.gap(dropped).bytes());
                }
            }
        }
        piece.into()
    }
}

impl State {
    fn offer(&mut self, frame: &Frame, terms: &Terms, full: WhenFull, gone: &mut Gone) -> Offer {
        if self.closed.is_some() {
            return Offer::Closed;
        }
        self.waiting.offer(frame, terms, full, gone)
    }

    fn wait_for_frames(&mut self, cx: &Context<'_>) {
        match &mut self.reader {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    /// Whoever waits for room, if there is enough of it by now.
    fn take_room_waiter(&mut self, limits: &QueueLimits) -> Option<Waker> {
        let needed = self.room.as_ref()?.1;
        if self.closed.is_none() && !self.waiting.fits(limits, needed) {
            return None;
        }
        self.room.take().map(|waiter| waiter.0)
    }
}

impl EventSink for QueueSink {
    fn try_send(&self, frame: &Frame, full: WhenFull) -> Offer {
        // Outlives the lock: what is thrown away is freed outside.
        let mut gone = Gone::new();
        let mut state = self.state.lock();
        state.offer(frame, self.terms(), full, &mut gone)
    }

    fn wake(&self) {
        let reader = {
            let mut state = self.state.lock();
            let reason = !state.waiting.is_empty() || state.closed.is_some();
            let room = state.take_room_waiter(&self.terms().limits);
            (reason.then(|| state.reader.take()).flatten(), room)
        };
        for waker in [reader.0, reader.1].into_iter().flatten() {
            waker.wake();
        }
    }

    fn poll_room(&self, cx: &mut Context<'_>, next: usize) -> Poll<bool> {
        let mut state = self.state.lock();
        if state.closed.is_some() {
            return Poll::Ready(false);
        }
        if state.waiting.fits(&self.terms().limits, next) {
            return Poll::Ready(true);
        }
        state.room = Some(Box::new((cx.waker().clone(), next)));
        Poll::Pending
    }

    fn progress(&self) -> Progress {
        let state = self.state.lock();
        Progress {
            taken: state.taken,
            waiting: state.waiting.len(),
            bytes: state.waiting.bytes(),
        }
    }

    fn close(&self, reason: CloseReason) {
        let mut state = self.state.lock();
        state.closed.get_or_insert(reason);
        let gone = reason
            .discards()
            .then(|| std::mem::take(&mut state.waiting));
        drop(state);
        drop(gone);
    }

    fn is_closed(&self) -> bool {
        self.state.lock().closed.is_some()
    }
}

impl fmt::Debug for QueueSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueSink")
            .field("limits", &self.terms().limits)
            .field("progress", &self.progress())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
