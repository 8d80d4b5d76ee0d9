use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::sync::OnceCell;

use super::{BuildError, Hub, HubConfig, HubShared, Overflow, core::Core, deliver::Deliverer};
use crate::{
    Clock, Heartbeat, LocalRouter, MemoryRegistry, NoticeConfig, Opening, QueueLimits, Registry,
    Router, SinkContext, TokioClock, notice::Notices,
};

/// Builds a [`Hub`]. Every setting has the default that [`HubConfig`] states.
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct HubBuilder {
    config: HubConfig,
    notices: Notices,
    registry: Option<Box<dyn Registry>>,
    router: Option<Arc<dyn Router>>,
    clock: Option<Arc<dyn Clock>>,
}

impl HubBuilder {
    /// Takes all settings from `config`.
    pub fn config(mut self, config: HubConfig) -> Self {
        self.config = config;
        self
    }

    /// How much waits in a connection's queue; 100 events and 1 MiB by default.
    pub fn queue(mut self, limits: QueueLimits) -> Self {
        self.config.queue_events = limits.events.get();
        self.config.queue_bytes = limits.bytes.get();
        self
    }

    /// What happens where a queue is full; the oldest event is dropped by default.
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.config.overflow = overflow;
        self
    }

    /// How large an event may be on the wire, in bytes; 4 MiB by default.
    pub fn max_event_bytes(mut self, bytes: usize) -> Self {
        self.config.max_event_bytes = bytes;
        self
    }

    /// After how long without anything to read a connection gets a heartbeat; 30 s by default,
    /// `None` for never. The first after something else is up to a quarter early.
    pub fn heartbeat(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.config.heartbeat = interval.into();
        self
    }

    /// How often a connection gets a healthcheck whatever its traffic; never by default.
    pub fn healthcheck(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.config.healthcheck = interval.into();
        self
    }

    /// Whether a heartbeat follows right after the opening event; off by default.
    pub fn initial_heartbeat(mut self, on: bool) -> Self {
        self.config.initial_heartbeat = on;
        self
    }

    /// Whether periodic heartbeats go to connections that had something to read, too; off by
    /// default.
    pub fn heartbeat_to_all(mut self, on: bool) -> Self {
        self.config.heartbeat_to_all = on;
        self
    }

    /// After how long a connection is closed that nobody reads; 90 s by default.
    pub fn reap_after(mut self, timeout: Duration) -> Self {
        self.config.reap_after = timeout;
        self
    }

    /// How often each connection is checked for that; 5 s by default.
    pub fn reap_check(mut self, interval: Duration) -> Self {
        self.config.reap_check = interval;
        self
    }

    /// What the library's own events are called, and what they tell.
    pub fn notices(mut self, notices: NoticeConfig) -> Self {
        self.config.notices = notices;
        self
    }

    /// Lets the application make the data of the opening event. If `data` panics, the library's
    /// own is sent.
    pub fn opening_data(
        mut self,
        data: impl Fn(&Opening<'_>) -> Value + Send + Sync + 'static,
    ) -> Self {
        self.notices.opening_data = Some(Arc::new(data));
        self
    }

    /// Lets the application make the data of heartbeats. If `data` panics, the library's own is
    /// sent.
    pub fn heartbeat_data(
        mut self,
        data: impl Fn(&Heartbeat<'_>) -> Value + Send + Sync + 'static,
    ) -> Self {
        self.notices.heartbeat_data = Some(Arc::new(data));
        self
    }

    /// Who knows who is connected; a [`MemoryRegistry`] by default.
    pub fn registry(mut self, registry: impl Registry) -> Self {
        self.registry = Some(Box::new(registry));
        self
    }

    /// Who orders events; a [`LocalRouter`] by default, with the clock and the
    /// key memory of the builder's settings.
    pub fn router(mut self, router: impl Router) -> Self {
        self.router = Some(Arc::new(router));
        self
    }

    /// Where time comes from; [`TokioClock`] by default.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// The hub. Works outside of a runtime; the hub's task starts when the first connection opens.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: a setting makes no sense.
    pub fn build(self) -> Result<Hub, BuildError> {
        let Self {
            config,
            mut notices,
            registry,
            router,
            clock,
        } = self;
        config.check()?;
        let queue = config.queue()?;
        let memory = config.key_memory()?;
        notices.config = config.notices.clone();
        let clock = clock.unwrap_or_else(|| Arc::new(TokioClock));
        let own = router.is_none();
        let router =
            router.unwrap_or_else(|| Arc::new(LocalRouter::new(memory, Arc::clone(&clock))));
        let registry = registry.unwrap_or_else(|| Box::new(MemoryRegistry::new()));
        let sinks = SinkContext::new(notices);
        let core = Arc::new(Core::new(config, registry, clock, sinks));
        let hub = Hub {
            shared: Arc::new(HubShared {
                deliver: Arc::new(Deliverer(Arc::clone(&core))),
                core,
                router,
                started: OnceCell::new(),
                queue,
            }),
        };
        if own {
            // It starts without waiting. Should it fail, the first use tells.
            let _ = hub.router_now();
        }
        Ok(hub)
    }
}
