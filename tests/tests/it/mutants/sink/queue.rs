use std::{
    task::{Context, Poll, Waker},
    thread,
};

use parking_lot::Mutex;
use sse_core::{
    CloseReason, EventSink, Frame, Offer, Progress, QueueLimits, SinkContext, WhenFull,
};
use tokio::runtime::Handle;

use super::{
    Fault::{self, *},
    state::{Item, State},
};

/// A queue that leaves one frame a piece, and may have a fault.
#[derive(Debug)]
pub(super) struct BrokenQueue {
    context: SinkContext,
    state: Mutex<State>,
    /// A second lock, which some hold for too long.
    other: Mutex<()>,
}

impl BrokenQueue {
    pub(super) fn new(fault: Option<Fault>, context: SinkContext, limits: QueueLimits) -> Self {
        Self {
            context,
            state: Mutex::new(State::new(fault, limits)),
            other: Mutex::new(()),
        }
    }

    pub(super) fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Vec<u8>>> {
        let mut state = self.state.lock();
        state.unread = 0;
        let item = if std::mem::take(&mut state.blind) {
            None
        } else {
            state.items.pop_front()
        };
        let Some(item) = item else {
            if state.closed && state.items.is_empty() && !state.has_small(NeverEnds) {
                state.ended = true;
                return Poll::Ready(None);
            }
            if state.has_race(RacesItsReader, 4) {
                drop(state);
                thread::yield_now();
                self.state.lock().reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let keeps = state.reader.is_some() && state.has_small(WakesWhoLookedFirst)
                || state.woken > 0 && state.has_small(WakesOnlyOnce);
            if !keeps {
                state.reader = Some(cx.waker().clone());
            }
            return Poll::Pending;
        };
        let bytes = self.take(&mut state, item);
        let told = match state.room {
            Some(_) if state.has_small(TellsNobodyOfRoom) => None,
            Some(_) if state.has_small(TellsOfRoomOnlyIfEmpty) && !state.items.is_empty() => None,
            Some((_, next)) if !state.fits(next, None) => None,
            _ => state.room.take(),
        };
        let held = state.has(HoldsALockOverTheNewsOfRoom);
        drop(state);
        let _held = held.then(|| self.other.lock());
        if let Some((waker, _)) = told {
            waker.wake();
        }
        Poll::Ready(Some(bytes))
    }

    /// The bytes of an item that leaves, counted.
    fn take(&self, state: &mut State, item: Item) -> Vec<u8> {
        let notice = item.notice().is_some();
        let event = item.event().is_some();
        let frame = match item {
            Item::Frame(frame) => frame,
            Item::Gap(dropped) => self.context.gap(dropped),
            Item::Rest(bytes) => return bytes,
        };
        state.taken += u64::from(!(notice && state.has(CountsNoNoticeAsTaken)));
        let told = match state.fault {
            Some(TellsOfNotices) => u64::from(event || notice),
            Some(TellsWhatItTookIn) => 0,
            Some(TellsTwice) if event && state.items.len() >= 2 => 2,
            _ => u64::from(event),
        };
        self.context.delivered(told);
        let mut bytes = frame.bytes().to_vec();
        if state.has(SplitsAFrame) && bytes.len() > 20_000 && !state.items.is_empty() {
            let rest = bytes.split_off(10_000);
            state.items.insert(1, Item::Rest(rest));
        }
        bytes
    }
}

impl EventSink for BrokenQueue {
    fn try_send(&self, frame: &Frame, full: WhenFull) -> Offer {
        drop(self.other.lock());
        let mut state = self.state.lock();
        state.offered += 1;
        state.unread += 1;
        if state.has_small(BlocksInTrySend) && state.unread > 5_000 {
            drop(state);
            loop {
                thread::park();
            }
        }
        assert!(!state.has(PanicsAtAnEmptyEvent) || frame.len() > 8, "empty");
        if state.closed && !(frame.is_notice() && state.has(TakesNoticesThoughClosed)) {
            return Offer::Closed;
        }
        if state.has_race(RacesItsClose, 16) {
            drop(state);
            thread::yield_now();
            state = self.state.lock();
        }
        let older = state.older(frame);
        let replaced = older.and_then(|at| state.items[at].event().cloned());
        let counted = replaced
            .as_ref()
            .filter(|_| !state.has(ConflatesOnlyWithRoom));
        let refuses_a_notice =
            frame.is_notice() && full == WhenFull::Refuse && state.has(RefusesANotice);
        let free = frame.is_notice() && !refuses_a_notice
            || state.has(TakesWhatNeverFits)
                && full == WhenFull::Refuse
                && frame.len() > state.limits.bytes.get();
        if !free && !state.fits(frame.len(), counted) && !state.drops_oldest(full) {
            if let Some(at) = older
                && state.has(ReplacesThoughRefused)
            {
                state.items.remove(at);
            }
            if full == WhenFull::DropThis {
                state.push_gap();
                return Offer::Dropped;
            }
            if state.has_small(LeavesATraceOfARefusal) {
                state.push_gap();
            }
            return Offer::Full;
        }
        if let Some(at) = older {
            state.replace(at);
        }
        let by_bytes = state.events().count() < state.limits.events.get();
        let mut dropped = 0;
        while !free && !state.fits(frame.len(), None) && state.drop_one() {
            dropped += 1;
        }
        if state.has(DropsTooMany) && by_bytes && dropped > 0 && state.drop_one() {
            dropped += 1;
        }
        state.push(frame, older);
        if state.has(TellsWhatItTookIn) && !frame.is_notice() {
            self.context.delivered(1);
        }
        let (reader, room) = match state.fault {
            Some(WakesInTrySend) => (state.reader.take(), None),
            Some(TellsOfRoomInTrySend) => (None, state.room.take()),
            _ => (None, None),
        };
        drop(state);
        wake_each(reader, room);
        Offer::Queued {
            replaced: u32::from(replaced.is_some()),
            dropped,
        }
    }

    fn wake(&self) {
        let mut state = self.state.lock();
        let worth = match state.fault {
            Some(WakesForNoNotice) => state.events().next().is_some() || state.closed,
            Some(WakesForNoClose) if state.has_small(WakesForNoClose) => !state.items.is_empty(),
            Some(WakesOnlyIfLastOutOfEmpty) => state.out_of_empty || state.closed,
            _ => !state.items.is_empty() || state.closed,
        };
        if !worth && state.has_small(ForgetsTheReaderForNothing) {
            state.reader = None;
        }
        if state.reader.is_none() && worth && state.has_small(LosesAWakeBeforeTheReader) {
            state.blind = !state.items.is_empty();
        }
        let reader = if worth { state.reader.take() } else { None };
        state.woken += usize::from(reader.is_some());
        let roomy = match (state.fault, &state.room) {
            (_, None) => false,
            (Some(TellsOfNoSmallerFrame), _) => state.closed,
            (Some(TellsOfNoClose), _) if state.closed => false,
            (_, Some((_, next))) => state.closed || state.fits(*next, None),
        };
        let room = if roomy { state.room.take() } else { None };
        let held = match state.fault {
            Some(HoldsALockOverAWake) => reader.is_some(),
            Some(HoldsALockOverASmallerFramesRoom) => room.is_some() && !state.closed,
            Some(HoldsALockOverTheNewsOfAClose) => room.is_some() && state.closed,
            _ => false,
        };
        drop(state);
        let _held = held.then(|| self.other.lock());
        wake_each(reader, room);
    }

    fn poll_room(&self, cx: &mut Context<'_>, next: usize) -> Poll<bool> {
        let mut state = self.state.lock();
        if state.closed {
            return Poll::Ready(state.has(HasRoomThoughClosed));
        }
        let room = match state.fault {
            Some(SaysRoomAndThenFull) => state.fits(next.saturating_sub(1), None),
            Some(SaysRoomOnlyIfEmpty) => state.items.is_empty(),
            _ => state.fits(next, None),
        };
        if room {
            return Poll::Ready(true);
        }
        if state.has_race(RacesWhoWaitsForRoom, 2) {
            drop(state);
            thread::yield_now();
            state = self.state.lock();
        }
        if state.room.is_none() || !state.has_small(TellsWhoAskedFirst) {
            state.room = Some((cx.waker().clone(), next));
        }
        Poll::Pending
    }

    fn progress(&self) -> Progress {
        let mut state = self.state.lock();
        let taken = state.taken;
        if state.has(CountsInTwoMoments) {
            drop(state);
            thread::yield_now();
            state = self.state.lock();
        }
        if state.has(CountsWhatWaitsAsTaken) {
            return Progress {
                taken: taken + state.items.len() as u64,
                ..Progress::default()
            };
        }
        let mut bytes = state.bytes();
        if state.has(CountsNoticesAsBytes) {
            let notices = state.items.iter().filter_map(Item::notice);
            bytes += notices.map(Frame::len).sum::<usize>();
        }
        Progress {
            taken,
            waiting: state.items.len(),
            bytes,
        }
    }

    fn close(&self, reason: CloseReason) {
        let mut state = self.state.lock();
        state.closes += 1;
        let again = state.closed;
        assert!(!state.has(PanicsAtAThirdClose) || state.closes < 3, "again");
        state.closed = !(state.ended && state.has(OpensAtASecondClose));
        let discards = match state.fault {
            Some(ThrowsAwayAtAPlainClose) => state.has_small(ThrowsAwayAtAPlainClose),
            Some(DeliversAfterADiscardingClose) => again && reason.discards(),
            Some(HearsOnlyTheFirstClose) => !again && reason.discards(),
            _ => reason.discards(),
        };
        if discards {
            state.items.clear();
        }
        if let Some(Item::Gap(_)) = state.items.back()
            && state.has(ForgetsAGapAtTheEnd)
        {
            state.items.pop_back();
        }
        if state.has(ForgetsWhatWasTaken) {
            state.taken = 0;
        }
        let reader = match state.fault {
            Some(WakesInClose) => state.reader.take(),
            _ => None,
        };
        drop(state);
        wake_each(reader, None);
    }

    fn is_closed(&self) -> bool {
        let state = self.state.lock();
        if state.has(AsksTheRuntime) {
            drop(Handle::current());
        }
        let hidden = state.has(HidesItsClose) && !state.items.is_empty();
        state.closed && !hidden
    }
}

fn wake_each(reader: Option<Waker>, room: Option<(Waker, usize)>) {
    let room = room.map(|(waker, _)| waker);
    for waker in [reader, room].into_iter().flatten() {
        waker.wake();
    }
}
