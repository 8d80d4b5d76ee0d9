use std::sync::{Arc, Weak};

use super::{
    ConnectionHandle, Hub, HubShared,
    core::{Core, guarded},
    roster::Watch,
    wakes::Wakes,
};
use crate::{
    CloseReason, Connection, ConnectionId, EventBody, EventSink, HeartbeatKind, LastEventId,
    QueueSink, RegistryError, RouteError, SinkContext, Subscribe,
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
    core: Weak<Core>,
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
    pub fn note_polled(&self) {
        if !self.connection.is_polled()
            && let Some(core) = self.core.upgrade()
        {
            core.note_polled(&self.connection);
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        match self.core.upgrade() {
            Some(core) => {
                let mut wakes = Wakes::new(&core);
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
    pub async fn subscribe(
        &self,
        mut subscribe: Subscribe,
    ) -> Result<Subscription, SubscribeError> {
        let last_event_id = subscribe.last_event_id.take();
        let queue = QueueSink::new(self.shared.queue, self.sink_context());
        let sink: Arc<dyn EventSink> = Arc::<QueueSink>::clone(&queue);
        let attached = self.attach(subscribe, sink).await?;
        Ok(Subscription {
            handle: attached.handle(),
            body: EventBody::new(queue, attached),
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
        let core = &self.shared.core;
        self.router().await.map_err(SubscribeError::Router)?;
        core.pulse
            .ensure(core)
            .map_err(|_| SubscribeError::NoRuntime)?;
        let id = ConnectionId::random().map_err(SubscribeError::Random)?;
        let attached = Attached {
            core: Arc::downgrade(core),
            hub: Arc::downgrade(&self.shared),
            connection: Arc::new(Connection::new(id, subscribe, sink)),
        };
        let connection = &attached.connection;
        let (watch, due) = Watch::new(core, connection, core.now_ms());
        if core.roster.insert(connection, watch, due) {
            core.pulse.note_change();
        }
        let inserted = core.registry.insert(Arc::clone(connection)).await;
        inserted.map_err(SubscribeError::Registry)?;
        if !core.activate(connection) {
            // It ended while the registry took it in: whoever took it out may have been too early.
            core.leave(id);
            return Err(SubscribeError::Closed);
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
    /// Makes a dormant connection live, its opening events before all others.
    fn activate(self: &Arc<Self>, connection: &Arc<Connection>) -> bool {
        let (notices, time) = (self.sinks.notices(), self.clock.system_time());
        let opening = notices.opening(connection, time);
        let initial = HeartbeatKind::Initial;
        let heartbeat = self
            .config
            .initial_heartbeat
            .then(|| notices.heartbeat(initial, connection, time));
        let now = self.now_ms();
        let mut wakes = Wakes::new(self);
        let section = self.section.lock();
        let live = !self.is_closed() && connection.activate();
        if live {
            connection.touch(now);
            for frame in std::iter::once(&opening).chain(&heartbeat) {
                self.notify(connection, frame, &mut wakes);
            }
        }
        drop(section);
        self.counters
            .heartbeats
            .add(u64::from(live && heartbeat.is_some()));
        live
    }
}
