use std::{pin::pin, sync::Arc, time::Duration};

use tokio::sync::Notify;

use super::{
    catch_ups,
    core::{Core, millis},
    refusal::COME_BACK,
    roster::{Seat, Watch},
    wakes::Wakes,
};
use crate::{
    CloseReason, Connection, ConnectionId, HeartbeatKind, Progress, RegistryError,
    connection::{LetGo, Stage},
    foreign::{caught, caught_future},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
        task::{Handle, JoinHandle, yield_now},
    },
};

/// How long a hub that ends waits for its registry to take its connections out.
const FAREWELL: Duration = Duration::from_secs(5);

/// How long to wait before a registry that failed to take a connection out is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// How many seats are looked at before other tasks get their turn.
const CHUNK: usize = 256;

/// The hub's one task: heartbeats, reaping, catching up, and taking ended connections out of the
/// registry.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    task: Mutex<Option<JoinHandle<()>>>,
    /// Whether the task is there; cleared when it ends, however it ends.
    alive: AtomicBool,
    /// Something is due earlier than the task thought, or it is to stop.
    changed: Notify,
    stopping: AtomicBool,
    /// The task has ended.
    gone: Notify,
}

/// There is no tokio runtime to run the hub's task on, or it has no timer.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoRuntime;

impl Pulse {
    /// Starts the task, unless it runs; again if the runtime that it ran on is gone.
    pub(super) fn ensure(&self, core: &Arc<Core>) -> Result<(), NoRuntime> {
        if self.is_alive() {
            return Ok(());
        }
        let mut task = self.task.lock();
        if !self.is_alive() && !core.is_closed() {
            let runtime = Handle::try_current().map_err(|_| NoRuntime)?;
            // A runtime without a timer panics at the first sleep: here rather than in the task.
            caught(|| drop(core.clock.sleep_until(core.started))).ok_or(NoRuntime)?;
            core.roster.all_due();
            self.alive.store(true, Ordering::Release);
            *task = Some(runtime.spawn(run(Alive(Arc::clone(core)))));
        }
        drop(task);
        Ok(())
    }

    /// Whether the task is there.
    pub(super) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    /// Waits until the task isn't there.
    pub(super) async fn ended(&self) {
        let mut gone = pin!(self.gone.notified());
        while self.is_alive() {
            gone.as_mut().enable();
            if self.is_alive() {
                gone.as_mut().await;
                gone.set(self.gone.notified());
            }
        }
    }

    pub(super) fn note_change(&self) {
        self.changed.notify_one();
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.changed.notify_one();
        self.task.lock().take();
    }
}

/// Says that the task is there, until it is dropped.
struct Alive(Arc<Core>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.pulse.alive.store(false, Ordering::Release);
        self.0.pulse.gone.notify_waiters();
    }
}

async fn run(alive: Alive) {
    let core = &alive.0;
    let beats = async {
        while !core.pulse.stopping.load(Ordering::Acquire) {
            beat(core).await;
            wait(core).await;
        }
    };
    // A registry that is slow to take connections out doesn't hold up heartbeats.
    let mut taking_out = pin!(take_out(core));
    tokio::select! {
        () = beats => {}
        () = &mut taking_out => return,
        () = catch_ups::drive(core) => {}
    }
    tokio::select! {
        () = core.clock.sleep_until(core.clock.now() + FAREWELL) => {
            tracing::warn!("the registry keeps connections of a hub that has ended");
        }
        () = taking_out => {}
    }
}

/// Waits until something is due.
async fn wait(core: &Core) {
    let changed = core.pulse.changed.notified();
    match core.roster.next_due() {
        None => changed.await,
        Some(due) => {
            let deadline = core.started + Duration::from_millis(due);
            tokio::select! {
                () = changed => {}
                () = core.clock.sleep_until(deadline) => {}
            }
        }
    }
}

/// Takes ended connections out of the registry; returns once the hub is stopping and none is left.
///
/// One stays in the list until it is out, so that it isn't forgotten where this is dropped midway.
async fn take_out(core: &Core) {
    let mut in_vain = 0;
    loop {
        // Looked at first: nobody leaves after it.
        let stopping = core.pulse.stopping.load(Ordering::Acquire);
        let next = core.leaving.lock().front().copied();
        let Some(id) = next else {
            if stopping {
                return;
            }
            core.left.notified().await;
            continue;
        };
        let removed = {
            let _turn = core.changes.of(id).await;
            remove(core, id).await
        };
        let failed = removed.err();
        let left = {
            let mut leaving = core.leaving.lock();
            leaving.pop_front();
            leaving.extend(failed.is_some().then_some(id));
            leaving.len()
        };
        let Some(error) = failed else {
            in_vain = 0;
            continue;
        };
        tracing::warn!(connection = %id, %error, "the registry keeps an ended connection");
        // One that can't be taken out holds up no other.
        in_vain += 1;
        if in_vain >= left {
            in_vain = 0;
            core.clock.sleep_until(core.clock.now() + RETRY).await;
        }
    }
}

/// Has the registry take a connection out; a panic of its is an error.
async fn remove(core: &Core, id: ConnectionId) -> Result<(), RegistryError> {
    let removed = caught_future(core.registry.remove(id)).await;
    removed
        .unwrap_or_else(|| Err(RegistryError::backend("it panicked")))
        .map(drop)
}

/// Looks at every connection that is due.
async fn beat(core: &Arc<Core>) {
    for seats in core.roster.due(core.now_ms()).chunks(CHUNK) {
        let mut wakes = Wakes::new(core);
        for seat in seats {
            look_at(core, seat, &mut wakes);
        }
        drop(wakes);
        yield_now().await;
    }
}

fn look_at(core: &Core, seat: &Seat, wakes: &mut Wakes) {
    let (now, connection) = (core.now_ms(), &seat.connection);
    let mut watch = seat.watch;
    match connection.stage() {
        Stage::Dormant => {
            // The registry is still taking it in.
            watch.subscribed = now;
            core.roster
                .put_back(seat, watch, watch.due(core, connection, now));
            return;
        }
        Stage::Ended => {
            linger(core, seat, now, wakes);
            return;
        }
        Stage::Live | Stage::CatchingUp | Stage::Ahead => {}
    }
    let progress = Core::progress(connection).filter(|_| !Core::is_sink_closed(connection));
    let over = match progress {
        None => Some(CloseReason::SinkFailed),
        Some(progress) => watch.reap(core, connection, progress, now),
    };
    let over = over.or_else(|| (now >= watch.expires).then_some(CloseReason::Expired));
    let (Some(progress), None) = (progress, over) else {
        end(
            core,
            connection,
            over.unwrap_or(CloseReason::SinkFailed),
            wakes,
        );
        // It may have something left to read.
        let check = due_after(now, Some(core.config.reap_check));
        core.roster.put_back(seat, watch, check);
        return;
    };
    // A heartbeat never waits behind something: then there is something to read already.
    let idle = progress.waiting == 0;
    if now >= watch.heartbeat_due(core, connection) {
        if idle {
            send(core, connection, HeartbeatKind::Periodic, wakes);
        }
        watch.heartbeat = Some((now, connection.touched()));
    }
    if now >= watch.healthcheck_due {
        if idle {
            send(core, connection, HeartbeatKind::Healthcheck, wakes);
        }
        watch.healthcheck_due = due_after(now, core.config.healthcheck);
    }
    core.roster
        .put_back(seat, watch, watch.due(core, connection, now));
}

/// Ends a connection whose time is over.
fn end(core: &Core, connection: &Arc<Connection>, reason: CloseReason, wakes: &mut Wakes) {
    if matches!(reason, CloseReason::Stalled | CloseReason::Unread) {
        tracing::info!(connection = %connection.id(), client = ?connection.client(), %reason, "reaped");
    }
    if reason == CloseReason::Expired {
        core.send_away(connection, reason, COME_BACK, wakes);
    } else {
        core.end(connection, reason, wakes);
    }
}

/// A connection has ended whose transport still has it: what its reader is to read is kept for as
/// long as it reads on.
fn linger(core: &Core, seat: &Seat, now: u64, wakes: &mut Wakes) {
    let (connection, mut watch) = (&seat.connection, seat.watch);
    if connection.let_go() != LetGo::Not {
        core.roster.remove(connection);
        return;
    }
    let progress = Core::progress(connection);
    if progress.is_none_or(|progress| watch.takes_nothing(core, progress, now)) {
        tracing::info!(connection = %connection.id(), client = ?connection.client(), "given up");
        core.give_up(connection, wakes);
        return;
    }
    let check = due_after(now, Some(core.config.reap_check));
    core.roster.put_back(seat, watch, check);
}

/// Sends a heartbeat, unless something has come to wait meanwhile.
fn send(core: &Core, connection: &Arc<Connection>, kind: HeartbeatKind, wakes: &mut Wakes) {
    let notices = core.sinks.notices();
    let draft = notices.heartbeat(kind, connection, core.clock.system_time());
    let now = core.now_ms();
    let section = core.section.lock();
    let idle = Core::progress(connection).is_some_and(|progress| progress.waiting == 0);
    if idle && connection.stage().is_active() {
        let frame = draft.into_frame(core.position_of(&section, connection));
        core.notify(connection, &frame, wakes);
        connection.touch(now);
        core.counters.heartbeats.add(1);
    }
    drop(section);
}

/// When something that happens every `interval` is due after `since`.
fn due_after(since: u64, interval: Option<Duration>) -> u64 {
    interval.map_or(u64::MAX, |interval| since.saturating_add(millis(interval)))
}

impl Watch {
    /// What is remembered of a connection that subscribes now, and when it is due first.
    pub(super) fn new(
        core: &Core,
        connection: &Connection,
        lifetime: Option<Duration>,
        now: u64,
    ) -> (Self, u64) {
        // So that those who came together don't come back together.
        let longest = core.config.max_lifetime.map(|longest| {
            let early = (longest / 1024).saturating_mul(u32::from(connection.id().phase()));
            longest - early
        });
        let lifetime = lifetime.into_iter().chain(longest).min();
        let watch = Self {
            subscribed: now,
            heartbeat: None,
            healthcheck_due: due_after(now, core.config.healthcheck),
            expires: due_after(now, lifetime),
            stalled: None,
        };
        (watch, watch.due(core, connection, now))
    }

    /// When to look next.
    fn due(&self, core: &Core, connection: &Connection, now: u64) -> u64 {
        let check = due_after(now, Some(core.config.reap_check));
        // Early enough to see an event before the heartbeat that it puts off.
        let half = due_after(now, core.config.heartbeat.map(|interval| interval / 2));
        let heartbeat = self.heartbeat_due(core, connection).min(half.max(now + 1));
        let due = check.min(heartbeat).min(self.healthcheck_due);
        due.min(self.expires)
    }

    /// When the next periodic heartbeat is due: an interval after the last, or after what there was
    /// to read since.
    ///
    /// After something else than a heartbeat it is up to a quarter of the interval early, by the
    /// connection's id: what comes to many at once would otherwise bring their heartbeats together
    /// for ever.
    fn heartbeat_due(&self, core: &Core, connection: &Connection) -> u64 {
        let Some(interval) = core.config.heartbeat.map(millis) else {
            return u64::MAX;
        };
        let (to_all, touched) = (core.config.heartbeat_to_all, connection.touched());
        let after = match self.heartbeat {
            Some((at, then)) if to_all || then == touched => {
                return at.saturating_add(interval);
            }
            None if to_all => self.subscribed,
            _ => touched.max(self.subscribed),
        };
        let early = interval / 4 * u64::from(connection.id().phase()) / 256;
        after.saturating_add(interval - early)
    }

    /// Notes how far the reader has come; why the connection is to be reaped, if it is.
    fn reap(
        &mut self,
        core: &Core,
        connection: &Connection,
        progress: Progress,
        now: u64,
    ) -> Option<CloseReason> {
        let reap_after = millis(core.config.reap_after);
        let stalled = if progress.waiting == 0 {
            self.stalled = None;
            false
        } else {
            self.takes_nothing(core, progress, now)
        };
        if !connection.is_polled() && now >= self.subscribed.saturating_add(reap_after) {
            return Some(CloseReason::Unread);
        }
        stalled.then_some(CloseReason::Stalled)
    }

    /// Notes how far the reader has come; whether it has taken nothing for too long.
    fn takes_nothing(&mut self, core: &Core, progress: Progress, now: u64) -> bool {
        let since = match self.stalled {
            Some((since, taken)) if taken == progress.taken => since,
            _ => now,
        };
        self.stalled = Some((since, progress.taken));
        now - since >= millis(core.config.reap_after)
    }
}
