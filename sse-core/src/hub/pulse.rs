use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{runtime::Handle, sync::Notify, task::JoinHandle};

use super::{
    core::{Core, millis},
    roster::{Seat, Watch},
    wakes::Wakes,
};
use crate::{CloseReason, HeartbeatKind, Offer};

/// How long a hub that ends waits for its registry to take its connections out.
const FAREWELL: Duration = Duration::from_secs(5);

/// How long to wait before a registry that failed to take a connection out is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// How many seats are looked at before other tasks get their turn.
const CHUNK: usize = 256;

/// The hub's one task: heartbeats, reaping, and taking ended connections out of the registry.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    task: Mutex<Option<JoinHandle<()>>>,
    /// Something is due earlier than the task thought, or it is to stop.
    changed: Notify,
    stopping: AtomicBool,
}

/// There is no tokio runtime to run the hub's task on.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoRuntime;

impl Pulse {
    /// Starts the task, unless it runs; again if the runtime that it ran on is gone.
    pub(super) fn ensure(&self, core: &Arc<Core>) -> Result<(), NoRuntime> {
        let mut task = self.task.lock();
        if task.as_ref().is_none_or(JoinHandle::is_finished) {
            let runtime = Handle::try_current().map_err(|_| NoRuntime)?;
            core.roster.all_due();
            *task = Some(runtime.spawn(run(Arc::clone(core))));
        }
        drop(task);
        Ok(())
    }

    pub(super) fn note_change(&self) {
        self.changed.notify_one();
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.changed.notify_one();
    }
}

async fn run(core: Arc<Core>) {
    let beat = async {
        while !core.pulse.stopping.load(Ordering::Acquire) {
            beat(&core).await;
            wait(&core).await;
        }
    };
    // A registry that is slow to take connections out doesn't hold up heartbeats.
    tokio::select! {
        () = beat => {}
        () = take_out(&core) => {}
    }
    let deadline = core.clock.now() + FAREWELL;
    tokio::select! {
        () = core.clock.sleep_until(deadline) => {}
        () = take_out(&core) => {}
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
async fn take_out(core: &Core) {
    loop {
        let leaving = std::mem::take(&mut *core.leaving.lock());
        if leaving.is_empty() {
            if core.pulse.stopping.load(Ordering::Acquire) {
                return;
            }
            core.left.notified().await;
        }
        for id in leaving {
            if let Err(error) = core.registry.remove(id).await {
                tracing::warn!(connection = %id, %error, "the registry keeps an ended connection");
                core.leaving.lock().push(id);
                core.clock.sleep_until(core.clock.now() + RETRY).await;
            }
        }
    }
}

/// Looks at every connection that is due.
async fn beat(core: &Arc<Core>) {
    for seats in core.roster.due(core.now_ms()).chunks(CHUNK) {
        let mut wakes = Wakes::new(core);
        for seat in seats {
            look_at(core, seat, &mut wakes);
        }
        drop(wakes);
        tokio::task::yield_now().await;
    }
}

fn look_at(core: &Core, seat: &Seat, wakes: &mut Wakes) {
    let (now, connection) = (core.now_ms(), &seat.connection);
    let Some(progress) = Core::progress(connection) else {
        core.end(connection, CloseReason::SinkFailed, wakes);
        return;
    };
    let mut watch = seat.watch;
    let reap_after = millis(core.config.reap_after);
    watch.stalled = match watch.stalled {
        _ if progress.waiting == 0 => None,
        Some((since, taken)) if taken == progress.taken => Some((since, taken)),
        _ => Some((now, progress.taken)),
    };
    let unread = !connection.is_polled() && now >= watch.subscribed.saturating_add(reap_after);
    let stalled = watch
        .stalled
        .is_some_and(|(since, _)| now - since >= reap_after);
    if unread || stalled {
        let reason = if unread {
            CloseReason::Unread
        } else {
            CloseReason::Stalled
        };
        tracing::info!(connection = %connection.id(), client = ?connection.client(), %reason, "reaped");
        core.end(connection, reason, wakes);
        return;
    }
    watch.heartbeat_due = periodic(core, seat, now, wakes);
    if now >= watch.healthcheck_due {
        send(core, seat, HeartbeatKind::Healthcheck, wakes);
        watch.healthcheck_due = due_after(now, core.config.healthcheck);
    }
    let due = now.saturating_add(millis(core.config.reap_check));
    let due = due.min(watch.heartbeat_due).min(watch.healthcheck_due);
    core.roster.put_back(seat, watch, due);
}

/// Sends a periodic heartbeat if one is due; when the next one is.
fn periodic(core: &Core, seat: &Seat, now: u64, wakes: &mut Wakes) -> u64 {
    let due = seat.watch.heartbeat_due;
    if now < due {
        return due;
    }
    let quiet_until = due_after(seat.connection.touched(), core.config.heartbeat);
    if !core.config.heartbeat_to_all && now < quiet_until {
        return quiet_until;
    }
    send(core, seat, HeartbeatKind::Periodic, wakes);
    due_after(now, core.config.heartbeat)
}

/// Sends a heartbeat, unless something waits: then there is something to read already.
fn send(core: &Core, seat: &Seat, kind: HeartbeatKind, wakes: &mut Wakes) {
    let connection = &seat.connection;
    let notices = core.sinks.notices();
    let frame = notices.heartbeat(kind, connection, core.clock.system_time());
    let section = core.section.lock();
    let idle = Core::progress(connection).is_some_and(|progress| progress.waiting == 0);
    let sent = idle
        && connection.is_live()
        && matches!(core.offer(connection, &frame), Offer::Queued { .. });
    drop(section);
    if sent {
        connection.touch(core.now_ms());
        core.counters.heartbeats.add(1);
        wakes.wake(connection);
    }
}

/// When something that happens every `interval` is due after `since`.
fn due_after(since: u64, interval: Option<Duration>) -> u64 {
    interval.map_or(u64::MAX, |interval| since.saturating_add(millis(interval)))
}

impl Watch {
    /// What is remembered of a connection that subscribes now, and when it is due first.
    pub(super) fn new(core: &Core, now: u64) -> (Self, u64) {
        let watch = Self {
            subscribed: now,
            heartbeat_due: due_after(now, core.config.heartbeat),
            healthcheck_due: due_after(now, core.config.healthcheck),
            stalled: None,
        };
        let due = now.saturating_add(millis(core.config.reap_check));
        let due = due.min(watch.heartbeat_due).min(watch.healthcheck_due);
        (watch, due)
    }
}
