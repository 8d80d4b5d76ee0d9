use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use super::{
    ConnectionHandle, Hub, HubShared,
    core::{Core, guarded},
    refusal::{Refusal, RefusalReason},
    start::Start,
    wakes::Wakes,
    watch::{Terms, Watch},
};
use crate::{
    ClientId, CloseReason, Connection, ConnectionId, Draft, EventBody, EventSink, HeartbeatKind,
    LastEventId, QueueSink, RegistryError, Resume, RouteError, SinkContext, Subscribe,
    connection::{LetGo, Stage},
    hand_over::{HandOver, Next, Place, Then},
    notice::NoticeDraft,
};

/// Why a subscription can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The hub is closed.
    #[error("the hub is closed")]
    Closed,
    /// Not called within a tokio runtime that has a timer (`enable_time`), which the hub's task
    /// needs.
    #[error("there is no tokio runtime with a timer here")]
    NoRuntime,
    /// The operating system has no random numbers to give.
    #[error("no random numbers for a connection id")]
    Random(#[source] getrandom::Error),
    /// The registry didn't take the connection.
    #[error("the registry didn't take the connection")]
    Registry(#[source] RegistryError),
    /// The router didn't start.
    #[error("the router didn't start")]
    Router(#[source] RouteError),
    /// It was ended before it was open: [revoked](Hub::revoke), or a newer one took its place.
    #[error("the connection was ended before it was open")]
    Ended,
    /// The client was [ended for good](Hub::disconnect_for_good), and isn't to come back.
    #[error("the client was ended for good")]
    Final,
    /// The connection isn't taken now; its client is told when to come back.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// A connection of the default kind: its events wait in a queue that a response body reads.
///
/// Turn it into a response with an adapter crate, or take the body. Dropping it ends the
/// connection.
#[derive(Debug)]
#[must_use = "dropping a subscription ends it"]
pub struct Subscription {
    body: EventBody,
    handle: ConnectionHandle,
    last_event_id: Option<LastEventId>,
}

impl Subscription {
    /// The connection's own name.
    #[must_use]
    pub const fn id(&self) -> ConnectionId {
        self.handle.id()
    }

    /// A weak handle to the connection, for the task that feeds it.
    #[must_use]
    pub fn handle(&self) -> ConnectionHandle {
        self.handle.clone()
    }

    /// What the client said that it saw last.
    #[must_use]
    pub const fn last_event_id(&self) -> Option<&LastEventId> {
        self.last_event_id.as_ref()
    }

    /// The body of the response.
    pub fn into_body(self) -> EventBody {
        self.body
    }
}

/// Keeps a connection attached to its hub; dropping it ends the connection.
#[derive(Debug)]
#[must_use = "dropping it ends the connection"]
pub struct Attached {
    hub: Weak<HubShared>,
    connection: Arc<Connection>,
}

impl Attached {
    /// The connection.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// A weak handle to the connection.
    #[must_use]
    pub fn handle(&self) -> ConnectionHandle {
        ConnectionHandle::new(Weak::clone(&self.hub), &self.connection)
    }

    /// Tells the hub that the transport has begun to read: call it at the first read. From then on
    /// the connection is present; one that isn't read for long after subscribing is reaped.
    #[inline]
    pub fn note_polled(&self) {
        if !self.connection.is_polled()
            && let Some(hub) = self.hub.upgrade()
        {
            hub.core.note_polled(&self.connection);
        }
    }
}

impl Attached {
    pub(crate) fn has_ended(&self) -> bool {
        self.connection.let_go() != LetGo::Not
    }

    /// The transport has taken everything, the end included.
    pub(crate) fn note_end(&self) {
        self.note_let_go(LetGo::Clean);
    }

    fn note_let_go(&self, how: LetGo) {
        if self.has_ended() {
            return;
        }
        self.connection.note_let_go(how);
        if let Some(hub) = self.hub.upgrade() {
            hub.core.note_let_go();
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        match self.hub.upgrade() {
            Some(hub) => {
                let core = &hub.core;
                let mut wakes = Wakes::new(core);
                // In this order: what is told at the end is queued before it.
                let has_ended = self.connection.stage() == Stage::Ended;
                let progress = Core::progress(&self.connection);
                let clean = has_ended && progress.is_some_and(|it| it.waiting == 0);
                self.note_let_go(if clean { LetGo::Clean } else { LetGo::Unread });
                core.end(&self.connection, CloseReason::ClientGone, &mut wakes);
            }
            None => {
                let sink = self.connection.sink();
                guarded(&self.connection, || sink.close(CloseReason::ClientGone));
            }
        }
    }
}

impl Hub {
    /// Opens a connection whose events wait in a queue of the hub's limits.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`]. Nothing is left behind.
    ///
    /// # Cancel safety
    ///
    /// Dropped midway, nothing is left behind.
    pub async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, SubscribeError> {
        let last_event_id = subscribe.last_event_id.clone();
        let queue = QueueSink::on(Arc::clone(&self.shared.core.queues));
        let make = |id, subscribe| Connection::with_queue(id, subscribe, queue);
        let attached = self.attach_new(subscribe, make).await?;
        Ok(Subscription {
            handle: attached.handle(),
            body: EventBody::new(attached),
            last_event_id,
        })
    }

    /// Opens a connection whose events go to a sink of the caller's own.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`]. Nothing is left behind.
    ///
    /// # Cancel safety
    ///
    /// Dropped midway, nothing is left behind.
    pub async fn attach(
        &self,
        subscribe: Subscribe,
        sink: Arc<dyn EventSink>,
    ) -> Result<Attached, SubscribeError> {
        let make = |id, subscribe| Connection::new(id, subscribe, sink);
        self.attach_new(subscribe, make).await
    }

    async fn attach_new(
        &self,
        subscribe: Subscribe,
        make: impl FnOnce(ConnectionId, Subscribe) -> Connection + Send,
    ) -> Result<Attached, SubscribeError> {
        let core = &self.shared.core;
        let id = ConnectionId::random().map_err(SubscribeError::Random)?;
        core.check_open(id, subscribe.client())?;
        self.router().await.map_err(SubscribeError::Router)?;
        core.pulse
            .ensure(core)
            .map_err(|_| SubscribeError::NoRuntime)?;
        let start = Start::of(&subscribe, core);
        let terms = Terms::of(&subscribe);
        let connection = Arc::new(make(id, subscribe));
        let taken = core.slots.take(&connection);
        taken.map_err(|reason| core.refusal(id, reason))?;
        let attached = Attached {
            hub: Arc::downgrade(&self.shared),
            connection,
        };
        let connection = &attached.connection;
        let now = core.now_ms();
        let watch = Watch::new(core, connection, terms, now);
        let due = watch.due(core, connection, now);
        *connection.watch.lock() = watch;
        if core.roster.insert(connection, due) {
            core.pulse.note_change();
        }
        let inserted = core.registry.insert(Arc::clone(connection)).await;
        inserted.map_err(SubscribeError::Registry)?;
        if !core.activate(connection, start) {
            // It ended while the registry took it in: whoever took it out may have been too early.
            core.leave(id);
            core.check_open(id, connection.client())?;
            return Err(SubscribeError::Ended);
        }
        tracing::debug!(connection = %id, client = ?connection.client(), "connection opened");
        Ok(attached)
    }

    /// What a sink of one's own is built with.
    #[must_use]
    pub fn sink_context(&self) -> SinkContext {
        self.shared.core.sinks.clone()
    }
}

impl Core {
    /// Whether a new connection of `client` is taken, limits apart.
    fn check_open(&self, id: ConnectionId, client: &ClientId) -> Result<(), SubscribeError> {
        if self.is_draining() {
            Err(self.refusal(id, RefusalReason::Draining).into())
        } else if self.finals.has(client, self.clock.now()) {
            Err(SubscribeError::Final)
        } else if self.is_closed() {
            Err(SubscribeError::Closed)
        } else {
            Ok(())
        }
    }

    /// The same, inside the ordered section.
    fn is_open_for(&self, connection: &Connection) -> bool {
        let is_final = || self.finals.has(connection.client(), self.clock.now());
        !self.is_closed() && !self.is_draining() && !is_final()
    }

    /// Makes a dormant connection live, or has it catch up; its opening events before all others.
    fn activate(self: &Arc<Self>, connection: &Arc<Connection>, start: Start) -> bool {
        let (resumes, with_state) = (start.resumes(), start.with_state);
        // What an epoch says, it says for long; the history tells should it change meanwhile.
        let head = self.section.lock().head();
        let steps = start.steps(head, self.knows_epoch);
        let gap = match &steps {
            Some((Next::Gap(gap), _)) => Some(*gap),
            _ => None,
        };
        let resume = match (&steps, gap) {
            (None, _) => Resume::Fresh,
            (Some(_), None) => Resume::Replaying,
            (Some(_), Some(_)) => Resume::Gap,
        };
        let (opening, heartbeat) = self.openings(connection, resume);
        let viewer = self.viewer(connection);
        let now = self.now_ms();
        let mut wakes = Wakes::new(self);
        let mut section = self.section.lock();
        let head = section.head();
        // Whoever is told the state misses nothing that is published meanwhile.
        let steps = steps.or(with_state.then_some((Next::Read, head)));
        let place = steps.map(|(next, cursor)| {
            section.begin_tail();
            let tally = self.catch_ups.tally();
            let mut hand_over = HandOver::new(viewer, next, cursor, head, tally);
            if with_state {
                hand_over = hand_over.with_state();
            }
            Box::new(Place::CatchingUp(hand_over))
        });
        let active = self.is_open_for(connection) && connection.enter(Stage::Dormant, place);
        if active {
            self.replace_older(connection, &mut wakes);
            connection.touch(now);
            let position = self.position_of(&section, connection);
            self.counters.resumes.add(u64::from(resumes));
            self.counters.heartbeats.add(u64::from(heartbeat.is_some()));
            self.notify(connection, &opening.into_frame(position), &mut wakes);
            if let Some(heartbeat) = heartbeat {
                self.notify(connection, &heartbeat.into_frame(position), &mut wakes);
            }
            // Nothing has to be asked first.
            if let Some(gap) = gap.filter(|gap| gap.then == Then::Live) {
                self.gap_in(&section, connection, gap, &mut wakes);
            }
        }
        // Once, and before a loss can have it catch up anew.
        let catches_up = connection.stage() == Stage::CatchingUp;
        if catches_up {
            self.catch_ups.put(Arc::clone(connection));
        }
        drop(section);
        if catches_up {
            self.catch_ups.notify();
        }
        active
    }

    /// The first events of a stream, but for their position.
    fn openings(&self, connection: &Connection, resume: Resume) -> (NoticeDraft, Option<Draft>) {
        let (notices, time) = (self.sinks.notices(), self.clock.system_time());
        let retry = self.retry_after_cuts(connection);
        let opening = notices.opening(connection, resume, retry, time);
        let initial = HeartbeatKind::Initial;
        let wanted = self.config.initial_heartbeat;
        let heartbeat = wanted.then(|| notices.heartbeat(initial, connection, time));
        (opening, heartbeat)
    }

    /// What a client is told that was cut lately.
    fn retry_after_cuts(&self, connection: &Connection) -> Option<Duration> {
        let spread = connection.id().phase();
        self.cuts
            .retry(connection.client(), self.clock.now(), spread)
    }
}
