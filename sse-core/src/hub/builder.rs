use std::{error::Error, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::sync::OnceCell;

use super::{
    BuildError, Hub, HubConfig, HubShared, Limits, Overflow,
    core::{Core, Parts},
    deliver::Deliverer,
};
use crate::{
    Clock, Event, FreshState, Heartbeat, History, Keep, LocalRouter, MemoryHistory, MemoryRegistry,
    NoticeConfig, Opening, QueueLimits, Registry, Router, SinkContext, TokioClock, TrustedProxies,
    fresh_state::FreshStateHook, notice::Notices,
};

/// Builds a [`Hub`]. Every setting has the default that [`HubConfig`] states.
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct HubBuilder {
    config: HubConfig,
    notices: Notices,
    registry: Option<Box<dyn Registry>>,
    router: Option<Arc<dyn Router>>,
    /// Of a history of one's own, or a log: both ends of the same.
    keep: Option<Arc<dyn Keep>>,
    log: Option<Arc<dyn History>>,
    fresh_state: Option<FreshStateHook>,
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

    /// How many bytes of events wait in all queues together; no limit by default. An event counts
    /// once, in however many of them it waits.
    ///
    /// Over it the connection that holds the oldest waiting event overflows by the
    /// [policy](Self::overflow), and so on until what waits is within it, before the next event is
    /// delivered: publishing neither waits nor fails for it. It is at least [as large as an
    /// event](Self::max_event_bytes) with its id, and should be as large as what is published before
    /// clients that keep up have read it: a batch waits for them as a whole.
    ///
    /// What counts are the bytes of events on the wire, in the queues of connections that
    /// [`subscribe`](crate::Hub::subscribe): neither what a history keeps, nor a page that is being
    /// replayed (up to 256 KiB a connection that catches up) or a fresh state before there is room for
    /// it, nor what waits in sinks of one's own, nor frames that are another hub's too. What is
    /// replayed takes up to half of it.
    /// What gives way later is counted in [`Info`](crate::Info) and told to its client, but not in
    /// the [`Delivery`](crate::Delivery) of the event, which was queued.
    pub fn byte_budget(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.config.byte_budget = bytes.into();
        self
    }

    /// What happens where a queue is full; by default the connection is closed where there is a
    /// history, and the oldest event is dropped where there is none.
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.config.overflow = Some(overflow);
        self
    }

    /// When a client is told to come back whose connection was closed because its queue was full:
    /// `first`, and twice as late each time in a row, up to `most`; 2 s and 60 s by default. Up to a
    /// quarter is added, which keeps apart those who were cut together.
    pub fn retry_after_cut(mut self, first: Duration, most: Duration) -> Self {
        self.config.retry_after_cut = first;
        self.config.retry_after_cut_most = most;
        self
    }

    /// How many connections there may be; no limit by default.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// After how long every connection is ended, up to a quarter earlier; never by default.
    pub fn max_lifetime(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.config.max_lifetime = time.into();
        self
    }

    /// The proxies in front whose word on where a request came from is taken; none by default.
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.config.trusted_proxies = proxies;
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

    /// Who orders events; a [`LocalRouter`] by default, with the clock, the key memory and the
    /// history of the builder's settings. With a router of one's own there is no history, unless it
    /// is a [`log`](Self::log).
    pub fn router(mut self, router: impl Router) -> Self {
        self.router = Some(Arc::new(router));
        self.log = None;
        self
    }

    /// Where the [`LocalRouter`] keeps events for clients that come back; by default a
    /// [`MemoryHistory`] of 10,000 events and 64 MiB.
    pub fn history(mut self, history: impl Keep) -> Self {
        self.keep = Some(Arc::new(history));
        self
    }

    /// Keeps no events: a client that comes back has missed what was sent meanwhile.
    pub fn without_history(mut self) -> Self {
        self.config.history_events = 0;
        self.keep = None;
        self.log = None;
        self
    }

    /// Who orders events and keeps them, in one.
    pub fn log(mut self, log: impl Router + History) -> Self {
        let log = Arc::new(log);
        self.router = Some(Arc::clone(&log) as _);
        self.log = Some(log);
        self
    }

    /// Has the application tell a client how things stand where it missed something, or where its stream
    /// is to [begin with that](crate::Subscribe::begin_with_state).
    ///
    /// `make` is called after the `gap` was queued, if there is one. Its events are queued next, then what was
    /// published after [`FreshState::position`]. They are for that connection alone, and not kept:
    /// they must not have ids. Should `make` fail, panic, or take longer than 10 s (see
    /// [`HubConfig::fresh_state_deadline`]), the stream ends with a `reconnect`, and the client
    /// comes back. At most 32 are made at once, on the hub's task: they must not block. Without one,
    /// a client goes on with what is still kept.
    pub fn fresh_state<F>(mut self, make: impl Fn(FreshState) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Vec<Event>, Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        self.fresh_state = Some(FreshStateHook::new(make));
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
        self.config.check()?;
        let queue = self.config.queue()?;
        let own = self.router.is_none();
        let clock = self.clock.clone().unwrap_or_else(|| Arc::new(TokioClock));
        let (router, history) = self.order(&clock)?;
        if self.fresh_state.is_some() && history.is_none() {
            return Err(BuildError::NeedsHistory("fresh_state"));
        }
        let Self {
            config,
            mut notices,
            registry,
            fresh_state,
            ..
        } = self;
        notices.config = config.notices.clone();
        let parts = Parts {
            queue,
            registry: registry.unwrap_or_else(|| Box::new(MemoryRegistry::new())),
            history,
            knows_epoch: own,
            fresh_state,
        };
        let sinks = SinkContext::new(notices);
        let core = Arc::new(Core::new(config, parts, clock, sinks));
        let hub = Hub {
            shared: Arc::new(HubShared {
                deliver: Arc::new(Deliverer(Arc::clone(&core))),
                core,
                router,
                started: OnceCell::new(),
            }),
        };
        if own {
            // It starts without waiting. Should it fail, the first use tells.
            let _ = hub.router_now();
        }
        Ok(hub)
    }

    /// Who orders events, and who keeps them.
    fn order(&self, clock: &Arc<dyn Clock>) -> Result<Order, BuildError> {
        if let Some(router) = &self.router {
            if self.keep.is_some() {
                return Err(BuildError::Unused("history"));
            }
            return Ok((Arc::clone(router), self.log.clone()));
        }
        let memory = self.config.key_memory()?;
        let own = || -> Result<Option<Arc<dyn Keep>>, BuildError> {
            let limits = self.config.history()?;
            let history = limits.map(|limits| MemoryHistory::new(limits, Arc::clone(clock)));
            Ok(history.map(|history| Arc::new(history) as _))
        };
        let keep = match &self.keep {
            Some(keep) => Some(Arc::clone(keep)),
            None => own()?,
        };
        let Some(keep) = keep else {
            return Ok((Arc::new(LocalRouter::new(memory, Arc::clone(clock))), None));
        };
        let router = LocalRouter::keeping(Arc::clone(&keep), memory, Arc::clone(clock));
        Ok((Arc::new(router), Some(keep)))
    }
}

type Order = (Arc<dyn Router>, Option<Arc<dyn History>>);
