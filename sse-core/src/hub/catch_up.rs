//! What is done for connections that catch up: reading the history for them, page by page, as their
//! sinks have room.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{Notify, Semaphore};

use super::{
    core::{Core, guarded},
    switch::{Pushed, Switched},
    wakes::Wakes,
};
use crate::{
    CloseReason, Connection, FreshState, GapCause, History, HistoryError, Kept, Page, PageLimit,
    Position,
    foreign::caught_future,
    hand_over::{Gap, Next, Then},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// How many connections the history is read for at the same time.
const PAGERS: usize = 16;

/// How many fresh states the application makes at the same time.
const FRESH_STATES: usize = 32;

/// How much is read at once; while the client has no room, that much is held for it.
const PAGE: PageLimit = PageLimit {
    events: 128,
    bytes: 256 * 1024,
};

/// How long to wait before a history is asked again that hasn't come as far as what was delivered:
/// twice as long each time.
const FIRST_WAIT: Duration = Duration::from_millis(10);
const LAST_WAIT: Duration = Duration::from_secs(1);

/// When a client comes back that couldn't be told how things stand; up to three times as late.
const COME_BACK: Duration = Duration::from_secs(2);

/// The connections of a hub that catch up.
#[derive(Debug)]
pub(super) struct CatchUps {
    arrivals: Mutex<VecDeque<Arc<Connection>>>,
    arrived: Notify,
    reads: Semaphore,
    fresh_states: Semaphore,
    /// How many there are, for as long as they do.
    count: Arc<AtomicUsize>,
}

impl Default for CatchUps {
    fn default() -> Self {
        Self {
            arrivals: Mutex::default(),
            arrived: Notify::new(),
            reads: Semaphore::new(PAGERS),
            fresh_states: Semaphore::new(FRESH_STATES),
            count: Arc::default(),
        }
    }
}

impl CatchUps {
    /// Whether there are none: then nothing has to be held for them.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    pub(super) const fn count(&self) -> &Arc<AtomicUsize> {
        &self.count
    }

    /// Has the hub's task take care of `connection`.
    pub(super) fn arrive(&self, connection: Arc<Connection>) {
        self.arrivals.lock().push_back(connection);
        self.arrived.notify_one();
    }

    fn arrived(&self) -> VecDeque<Arc<Connection>> {
        std::mem::take(&mut *self.arrivals.lock())
    }
}

/// Takes care of all connections that catch up; never ends. A part of the hub's task.
pub(super) async fn drive(core: &Arc<Core>) {
    let mut running = FuturesUnordered::new();
    loop {
        for connection in core.catch_ups.arrived() {
            running.push(CatchUp { core, connection }.run());
        }
        tokio::select! {
            () = core.catch_ups.arrived.notified() => {}
            Some(()) = running.next() => {}
        }
    }
}

/// One connection that catches up. Dropped midway, as when its runtime ends, it is put back.
struct CatchUp<'a> {
    core: &'a Arc<Core>,
    connection: Arc<Connection>,
}

impl Drop for CatchUp<'_> {
    fn drop(&mut self) {
        if self.connection.catching_up(|_| ()).is_some() {
            self.core.catch_ups.arrive(Arc::clone(&self.connection));
        }
    }
}

/// It has ended, or its end has been brought about.
struct Over;

impl CatchUp<'_> {
    /// Whatever it waits for, it gives up when the connection ends.
    async fn run(self) {
        tokio::select! {
            () = self.connection.ended() => {}
            () = self.steps() => {}
        }
    }

    async fn steps(&self) {
        let mut wait = FIRST_WAIT;
        // Whether it is live or has ended, nothing is left to do.
        while let Some(next) = self.connection.catching_up(|hand_over| hand_over.next()) {
            let done = match next {
                Next::Locate(_) | Next::Latest(_) => self.find(next).await,
                Next::Gap(gap) => self.tell_gap(gap).await,
                Next::Fresh(gap, position) => self.fresh_state(gap, position).await,
                Next::Read => match self.read().await {
                    Ok(true) => {
                        wait = FIRST_WAIT;
                        Ok(())
                    }
                    Ok(false) => {
                        let clock = &self.core.clock;
                        clock.sleep_until(clock.now() + wait).await;
                        wait = LAST_WAIT.min(wait * 2);
                        Ok(())
                    }
                    Err(over) => Err(over),
                },
            };
            if done.is_err() {
                return;
            }
        }
    }

    /// Finds where to begin.
    async fn find(&self, next: Next) -> Result<(), Over> {
        let viewer = self.catching_up(|hand_over| hand_over.viewer().clone())?;
        let found = self
            .ask(async |history| match next {
                Next::Locate(id) => history.locate(&id, &viewer).await,
                Next::Latest(wanted) => history.latest(wanted, &viewer).await.map(Some),
                _ => Ok(None),
            })
            .await;
        let gap = match found {
            Ok(Some(cursor)) => return self.catching_up(|it| it.read_from(Some(cursor))),
            Ok(None) => Gap::new(GapCause::Unknown),
            Err(error) => gap_of(&error),
        };
        self.catching_up(|it| it.set_next(Next::Gap(gap)))
    }

    /// Tells of a gap, and decides where it goes on.
    async fn tell_gap(&self, mut gap: Gap) -> Result<(), Over> {
        let fresh = self.core.fresh_state.is_some();
        if gap.then == Then::Floor(None) && !fresh {
            let bounds = self.ask(async |history| history.bounds().await).await;
            gap.then = bounds.map_or(Then::Live, |bounds| Then::Floor(Some(bounds.floor)));
        }
        // A gap after each page, with no event in between, would wait without bound.
        self.room(1).await?;
        let mut wakes = Wakes::new(self.core);
        match self.core.gap(&self.connection, gap, &mut wakes) {
            Switched::NoRoom(bytes) => {
                drop(wakes);
                self.room(bytes).await
            }
            Switched::Behind | Switched::Live => Ok(()),
            Switched::Ended => Err(Over),
        }
    }

    /// Has the application tell how things stand.
    async fn fresh_state(&self, gap: Gap, position: Option<Position>) -> Result<(), Over> {
        let core = self.core;
        let made = {
            let _turn = core.catch_ups.fresh_states.acquire().await;
            let Some(hook) = &core.fresh_state else {
                return self.catching_up(|it| it.read_from(position));
            };
            let fresh = FreshState {
                connection: Arc::clone(&self.connection),
                cause: gap.cause,
                position,
            };
            let making = caught_future(async { hook.make(fresh).await });
            tokio::select! {
                made = making => made.unwrap_or_else(|| Err("it panicked".into())),
                () = core.clock.sleep_until(core.clock.now() + core.config.fresh_state_deadline) => {
                    Err("it took too long".into())
                }
            }
        };
        let frames = made.and_then(|events| {
            let frames = events.iter().map(|event| core.frame_unkept(event));
            Ok(frames.collect::<Result<Vec<_>, _>>()?)
        });
        let frames = match frames {
            Ok(frames) => frames,
            Err(error) => {
                let client = self.connection.client();
                tracing::warn!(?client, %error, "no fresh state: the stream is ended");
                return Err(self.ended_to_come_back());
            }
        };
        let mut wakes = Wakes::new(core);
        for frame in frames {
            loop {
                match core.push(&self.connection, &frame, &mut wakes) {
                    Pushed::Queued => break,
                    Pushed::NoRoom(bytes) => {
                        wakes.flush();
                        self.room(bytes).await?;
                    }
                    Pushed::Ended => return Err(Over),
                }
            }
        }
        self.catching_up(|it| it.read_from(position))
    }

    /// Reads a page and queues it; `false` if the history hasn't come as far as it has to.
    async fn read(&self) -> Result<bool, Over> {
        // Where all has been read, or the rest is at hand, nothing is asked.
        if self.switch().await? {
            return Ok(true);
        }
        let Some((after, viewer)) = self.catching_up(|hand_over| hand_over.ask())? else {
            let gap = Gap::new(GapCause::Unknown);
            self.catching_up(|hand_over| hand_over.set_next(Next::Gap(gap)))?;
            return Ok(true);
        };
        let page = self
            .ask(async |history| history.page(after, &viewer, PAGE).await)
            .await;
        let Page { events, looked_to } = match page {
            Ok(page) => page,
            Err(error) => {
                self.catching_up(|it| it.set_next(Next::Gap(gap_of(&error))))?;
                return Ok(true);
            }
        };
        let mut wakes = Wakes::new(self.core);
        for kept in events {
            if !self.queue(&kept, &mut wakes).await? {
                return Ok(true);
            }
        }
        drop(wakes);
        self.catching_up(|it| it.looked_to(looked_to))?;
        let further = self.catching_up(|it| it.cursor() != Some(after))?;
        Ok(further || self.switch().await?)
    }

    /// Queues an event of a page once there is room; `false` if the page has to be read again.
    async fn queue(&self, kept: &Kept, wakes: &mut Wakes) -> Result<bool, Over> {
        loop {
            match self.core.replay(&self.connection, kept, wakes) {
                Some(Pushed::Queued) => return Ok(true),
                Some(Pushed::NoRoom(bytes)) => {
                    wakes.flush();
                    self.room(bytes).await?;
                }
                Some(Pushed::Ended) => return Err(Over),
                None => return Ok(false),
            }
        }
    }

    /// Makes the connection live, if nothing is missing but what is at hand; `false` if more is.
    async fn switch(&self) -> Result<bool, Over> {
        loop {
            let mut wakes = Wakes::new(self.core);
            match self.core.switch(&self.connection, &mut wakes) {
                Switched::Live => return Ok(true),
                Switched::Behind => return Ok(false),
                Switched::NoRoom(bytes) => {
                    drop(wakes);
                    self.room(bytes).await?;
                }
                Switched::Ended => return Err(Over),
            }
        }
    }

    /// Waits until a frame of `bytes` would be taken.
    async fn room(&self, bytes: usize) -> Result<(), Over> {
        let has_room = poll_fn(|cx| {
            let room = guarded(&self.connection, || {
                self.connection.sink().poll_room(cx, bytes)
            });
            room.unwrap_or(Poll::Ready(false))
        });
        if has_room.await {
            Ok(())
        } else {
            Err(self.closed())
        }
    }

    /// Its sink was closed, by whoever: then it has ended.
    fn closed(&self) -> Over {
        let mut wakes = Wakes::new(self.core);
        self.core
            .end(&self.connection, CloseReason::SinkFailed, &mut wakes);
        Over
    }

    /// Ends it, so that its client comes back.
    fn ended_to_come_back(&self) -> Over {
        let spread = u32::from(self.connection.id().phase());
        let retry = COME_BACK + COME_BACK * spread / 128;
        let reconnect = self.core.sinks.notices().reconnect("no-fresh-state", retry);
        let mut wakes = Wakes::new(self.core);
        let section = self.core.section.lock();
        self.core.notify(&self.connection, &reconnect, &mut wakes);
        let reason = CloseReason::NoFreshState;
        self.core.end(&self.connection, reason, &mut wakes);
        drop(section);
        Over
    }

    /// Asks the history, when it is this connection's turn.
    async fn ask<'a, T, F>(
        &'a self,
        question: impl FnOnce(&'a dyn History) -> F,
    ) -> Result<T, HistoryError>
    where
        F: Future<Output = Result<T, HistoryError>>,
    {
        let Some(history) = &self.core.history else {
            return Err(HistoryError::backend("there is no history"));
        };
        let _turn = self.core.catch_ups.reads.acquire().await;
        let answer = caught_future(async { question(&**history).await }).await;
        answer.unwrap_or_else(|| Err(HistoryError::backend("it panicked")))
    }

    fn catching_up<T>(
        &self,
        read: impl FnOnce(&mut crate::hand_over::HandOver) -> T,
    ) -> Result<T, Over> {
        self.connection.catching_up(read).ok_or(Over)
    }
}

fn gap_of(error: &HistoryError) -> Gap {
    let floored = |cause, floor: Position| Gap {
        cause,
        then: Then::Floor(Some(floor)),
    };
    match error {
        HistoryError::Evicted { floor } => floored(GapCause::Evicted, *floor),
        HistoryError::Epoch { floor } => floored(GapCause::Epoch, *floor),
        HistoryError::Ahead => Gap::new(GapCause::Ahead),
        HistoryError::Backend(source) => {
            tracing::error!(
                error = &**source as &dyn std::error::Error,
                "the history failed"
            );
            Gap::new(GapCause::Backend)
        }
    }
}
