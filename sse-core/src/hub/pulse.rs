use std::{pin::pin, sync::Arc, time::Duration};

use tokio::sync::Notify;

use super::{
    catch_ups,
    core::Core,
    refusal::COME_BACK,
    revoke::EXPIRED,
    wakes::Wakes,
    watch::{Watch, due_after},
};
use crate::{
    CloseReason, Connection, ConnectionId, HeartbeatKind, RegistryError,
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
    for connections in core.roster.due(core.now_ms()).chunks(CHUNK) {
        let mut wakes = Wakes::new(core);
        for connection in connections {
            let due = look_at(core, connection, &mut wakes);
            core.roster.put_back(connection, due);
        }
        drop(wakes);
        yield_now().await;
    }
}

/// Looks at a connection; when to look next, unless it is taken out.
fn look_at(core: &Core, connection: &Arc<Connection>, wakes: &mut Wakes) -> u64 {
    let now = core.now_ms();
    let check = due_after(now, Some(core.config.reap_check));
    let mut watch = connection.watch.lock();
    match connection.stage() {
        Stage::Dormant => {
            // The registry is still taking it in.
            watch.subscribed = now;
            return watch.due(core, connection, now);
        }
        _ if now >= watch.valid_until => {
            // Also what it reads yet that has ended otherwise.
            watch.valid_until = u64::MAX;
            core.revoke_one(connection, EXPIRED, wakes);
            return check;
        }
        Stage::Ended => {
            linger(core, connection, &mut watch, now, wakes);
            return check.min(watch.valid_until);
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
        return check;
    };
    // A heartbeat never waits behind something: then there is something to read already.
    let idle = progress.waiting == 0;
    if now >= watch.heartbeat_due(core, connection) {
        if idle {
            send(core, connection, HeartbeatKind::Periodic, wakes);
        }
        watch.note_heartbeat(connection, now);
    }
    if now >= watch.healthcheck_due {
        if idle {
            send(core, connection, HeartbeatKind::Healthcheck, wakes);
        }
        watch.healthcheck_due = due_after(now, core.config.healthcheck);
    }
    watch.due(core, connection, now)
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
fn linger(
    core: &Core,
    connection: &Arc<Connection>,
    watch: &mut Watch,
    now: u64,
    wakes: &mut Wakes,
) {
    if connection.let_go() != LetGo::Not {
        core.roster.remove(connection);
        return;
    }
    let progress = Core::progress(connection);
    if progress.is_none_or(|progress| watch.takes_nothing(core, progress, now)) {
        tracing::info!(connection = %connection.id(), client = ?connection.client(), "given up");
        core.give_up(connection, wakes);
    }
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
