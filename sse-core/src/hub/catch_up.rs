//! What is done for a connection that catches up: reading the history for it, page by page, as its
//! sink has room.

use std::{
    convert::Infallible,
    error::Error,
    future::{Future, poll_fn},
    sync::Arc,
    task::Poll,
};

use super::{
    core::{Core, guarded},
    patience::Patience,
    refusal::COME_BACK,
    switch::{Pushed, Switched},
    wakes::Wakes,
};
use crate::{
    CloseReason, Connection, Frame, FreshState, GapCause, History, HistoryError, Kept, Page,
    PageLimit, Position,
    foreign::caught,
    hand_over::{Gap, HandOver, Next, Then},
    sync::task::yield_now,
};

/// How much is read at once; while the client has no room, that much is held for it.
const PAGE: PageLimit = PageLimit {
    events: 128,
    bytes: 256 * 1024,
};

/// A catch-up of a connection. Dropped midway, as when its runtime ends, it is put back.
pub(super) struct CatchUp<'a> {
    core: &'a Arc<Core>,
    connection: Arc<Connection>,
    /// A connection may catch up again, by another.
    number: u64,
}

impl Drop for CatchUp<'_> {
    fn drop(&mut self) {
        if self.catching_up(|_| ()).is_ok() {
            self.core.catch_ups.put(Arc::clone(&self.connection));
            self.core.catch_ups.notify();
        }
    }
}

/// The catch-up is over: the connection is live, or has ended.
struct Over;

/// How far one more step has brought it.
enum Step {
    Further,
    /// The history hasn't come as far as what was delivered.
    NoFurther,
    /// The history said that what it was asked for is gone.
    Refused(Gap),
}

impl<'a> CatchUp<'a> {
    /// The catch-up that `connection` is in; none if it isn't (any more).
    pub(super) fn of(core: &'a Arc<Core>, connection: Arc<Connection>) -> Option<Self> {
        let number = connection.catching_up(|hand_over| hand_over.number())?;
        Some(Self {
            core,
            connection,
            number,
        })
    }

    /// Whatever it waits for, it gives up when the connection ends.
    pub(super) async fn run(self) {
        tokio::select! {
            () = self.connection.ended() => {}
            Err(Over) = self.steps() => {}
        }
    }

    async fn steps(&self) -> Result<Infallible, Over> {
        let core = self.core;
        let mut patience = Patience::default();
        loop {
            let next = self.catching_up(HandOver::next)?;
            let reads = matches!(next, Next::Read);
            let step = match next {
                Next::Locate(_) | Next::Latest(_) => self.find(next).await?,
                Next::Gap(gap) => self.tell_gap(gap).await?,
                Next::Fresh(cause, position) => self.fresh_state(cause, position).await?,
                Next::Read => self.read().await?,
            };
            let (gap, pauses) = match step {
                Step::Further if reads => {
                    patience = Patience::default();
                    continue;
                }
                Step::Further => continue,
                Step::NoFurther => {
                    let gap = patience.behind(core.clock.now(), core.config.history_deadline);
                    (gap, gap.is_none())
                }
                // The application isn't asked again and again without a pause.
                Step::Refused(gap) => {
                    let gap = patience.refused(gap);
                    (
                        Some(gap),
                        core.fresh_state.is_some() && !patience.is_fresh(),
                    )
                }
            };
            if let Some(gap) = gap {
                self.catching_up(|it| it.set_next(Next::Gap(gap)))?;
            }
            if pauses {
                patience.pause(&*core.clock).await;
            }
        }
    }

    /// Finds where to begin.
    async fn find(&self, next: Next) -> Result<Step, Over> {
        let viewer = self.catching_up(|it| it.viewer().clone())?;
        let found = self
            .ask(async |history| match next {
                Next::Locate(id) => history.locate(&id, &viewer).await,
                Next::Latest(wanted) => history.latest(wanted, &viewer).await.map(Some),
                _ => Ok(None),
            })
            .await;
        let gap = match found {
            Ok(Some(cursor)) => {
                self.catching_up(|it| it.read_from(Some(cursor)))?;
                return Ok(Step::Further);
            }
            Ok(None) => Gap::new(GapCause::Unknown),
            Err(error) => gap_of(&error),
        };
        self.catching_up(|it| it.set_next(Next::Gap(gap)))?;
        Ok(Step::Further)
    }

    /// Tells of a gap, and decides where it goes on.
    async fn tell_gap(&self, mut gap: Gap) -> Result<Step, Over> {
        if gap.then == Then::Floor(None) {
            let bounds = self.ask(async |history| history.bounds().await).await;
            gap.then = bounds.map_or(Then::Live, |bounds| Then::Floor(Some(bounds.floor)));
        }
        // Nobody is told of gap after gap who doesn't read.
        self.room(1).await?;
        let mut wakes = Wakes::new(self.core);
        let switched = self.core.gap(&self.connection, gap, &mut wakes);
        self.core.relieve(&mut wakes);
        if switched == Switched::Ended {
            return Err(Over);
        }
        Ok(Step::Further)
    }

    /// Has the application tell how things stand.
    async fn fresh_state(
        &self,
        cause: Option<GapCause>,
        position: Option<Position>,
    ) -> Result<Step, Over> {
        let core = self.core;
        let frames = match self.make_fresh_state(cause, position).await {
            Ok(frames) => frames,
            Err(error) => {
                let client = self.connection.client();
                tracing::warn!(?client, %error, "no fresh state: the stream is ended");
                return Err(self.ended_to_come_back());
            }
        };
        let mut wakes = Wakes::new(core);
        for frame in frames {
            let offer = |wakes: &mut _| core.offer_room(&self.connection, &frame, wakes);
            self.push(offer, &mut wakes).await?;
        }
        self.catching_up(|it| it.read_from(position))?;
        Ok(Step::Further)
    }

    /// The frames of a fresh state; or why there are none.
    async fn make_fresh_state(
        &self,
        cause: Option<GapCause>,
        position: Option<Position>,
    ) -> Result<Vec<Frame>, String> {
        let core = self.core;
        let Some(hook) = &core.fresh_state else {
            return Ok(Vec::new());
        };
        let fresh = FreshState {
            connection: Arc::clone(&self.connection),
            cause,
            position,
        };
        let (turns, deadline) = (
            &core.catch_ups.fresh_states,
            core.config.fresh_state_deadline,
        );
        let made = turns.ask(core, deadline, || hook.make(fresh)).await;
        let made = made.map_err(|error| error.to_string())?;
        let events = made.map_err(|error| text_of(&*error))?;
        let frames = events.iter().map(|event| core.frame_unkept(event));
        let frames: Result<_, _> = frames.collect();
        frames.map_err(|error| error.to_string())
    }

    /// Reads a page and queues it.
    async fn read(&self) -> Result<Step, Over> {
        // Where all has been read, or the rest is at hand, nothing is asked.
        if self.switch().await? {
            return Ok(Step::Further);
        }
        // What was sent to it alone doesn't wait for the history, if there is room.
        let nothing = |_: &mut Wakes| Pushed::Queued;
        self.push(nothing, &mut Wakes::new(self.core)).await?;
        let asked = self.catching_up(|it| it.ask().map(|after| (after, it.viewer().clone())))?;
        let Some((after, viewer)) = asked else {
            return Ok(Step::Refused(Gap::new(GapCause::Unknown)));
        };
        let page = self
            .ask(async |history| history.page(after, &viewer, PAGE).await)
            .await;
        let Page { events, looked_to } = match page {
            Ok(page) => page,
            Err(error) => return Ok(Step::Refused(gap_of(&error))),
        };
        let mut wakes = Wakes::new(self.core);
        let mut read_to = looked_to;
        for kept in events {
            if !self.queue(&kept, &mut wakes).await? {
                read_to = kept.frame.position().unwrap_or(looked_to);
                break;
            }
        }
        drop(wakes);
        let further = self.catching_up(|it| it.looked_to(after, read_to))?;
        if further || self.switch().await? {
            return Ok(Step::Further);
        }
        Ok(Step::NoFurther)
    }

    /// Queues an event of a page once there is room; `false` if the rest has to be read again.
    async fn queue(&self, kept: &Kept, wakes: &mut Wakes) -> Result<bool, Over> {
        let mut again = false;
        let offer = |wakes: &mut _| {
            let replayed = self.core.replay(&self.connection, kept, wakes);
            again = replayed.is_none();
            replayed.unwrap_or(Pushed::Queued)
        };
        self.push(offer, wakes).await?;
        Ok(!again)
    }

    /// Queues what was sent to the connection alone, and what `offer` offers behind it.
    async fn push(
        &self,
        mut offer: impl FnMut(&mut Wakes) -> Pushed + Send,
        wakes: &mut Wakes,
    ) -> Result<(), Over> {
        let mut room = 0;
        loop {
            let pushed = match self.core.push_own(&self.connection, room, wakes) {
                Pushed::Queued => offer(wakes),
                pushed => pushed,
            };
            self.core.relieve(wakes);
            match pushed {
                Pushed::Queued => return Ok(()),
                Pushed::NoRoom(bytes) => {
                    wakes.flush();
                    self.room(bytes).await?;
                    room = bytes;
                }
                Pushed::Ended => return Err(Over),
            }
        }
    }

    /// Makes the connection live, if nothing is missing but what is at hand; `false` if more is.
    async fn switch(&self) -> Result<bool, Over> {
        let mut room = 0;
        loop {
            let mut wakes = Wakes::new(self.core);
            let switched = self.core.switch(&self.connection, room, &mut wakes);
            self.core.relieve(&mut wakes);
            match switched {
                Switched::Live => return Ok(true),
                Switched::Behind => return Ok(false),
                Switched::NoRoom(bytes) => {
                    drop(wakes);
                    self.room(bytes).await?;
                    room = bytes;
                }
                Switched::Ended => return Err(Over),
            }
        }
    }

    /// Waits until a frame of `bytes` would be taken.
    async fn room(&self, bytes: usize) -> Result<(), Over> {
        let mut waited = false;
        let has_room = poll_fn(|cx| {
            let room = guarded(&self.connection, || {
                self.connection.sink().poll_room(cx, bytes)
            });
            let room = room.unwrap_or(Poll::Ready(false));
            waited |= room.is_pending();
            room
        });
        let has_room = has_room.await;
        if !waited {
            // Somebody has just made room, or the sink says what isn't so.
            yield_now().await;
        }
        if has_room { Ok(()) } else { Err(self.closed()) }
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
        let mut wakes = Wakes::new(self.core);
        let reason = CloseReason::NoFreshState;
        self.core
            .send_away(&self.connection, reason, COME_BACK, &mut wakes);
        Over
    }

    /// Asks the history, when it is this connection's turn.
    async fn ask<'h, T, F>(
        &'h self,
        question: impl FnOnce(&'h dyn History) -> F,
    ) -> Result<T, HistoryError>
    where
        F: Future<Output = Result<T, HistoryError>>,
    {
        let Some(history) = &self.core.history else {
            return Err(HistoryError::backend("there is no history"));
        };
        let (turns, deadline) = (
            &self.core.catch_ups.reads,
            self.core.config.history_deadline,
        );
        let answer = turns.ask(self.core, deadline, || question(&**history));
        answer
            .await
            .unwrap_or_else(|error| Err(HistoryError::backend(error)))
    }

    fn catching_up<T>(&self, read: impl FnOnce(&mut HandOver) -> T) -> Result<T, Over> {
        let own = |it: &mut HandOver| (it.number() == self.number).then(|| read(it));
        self.connection.catching_up(own).flatten().ok_or(Over)
    }
}

/// What an error of the application's or a backend's says.
fn text_of(error: &(dyn Error + Send + Sync)) -> String {
    caught(|| error.to_string()).unwrap_or_else(|| "it doesn't say".to_owned())
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
            tracing::error!(error = text_of(&**source), "the history failed");
            Gap::new(GapCause::Backend)
        }
    }
}
