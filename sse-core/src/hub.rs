//! The facade over everything.

mod attach;
mod builder;
mod catch_up;
mod catch_ups;
mod changes;
mod client_presence;
mod config;
mod core;
mod counters;
mod cuts;
mod deliver;
mod drain;
mod end;
mod finals;
mod handle;
mod limits;
mod membership;
#[cfg(all(test, shuttle))]
mod models;
mod outcome;
mod patience;
mod publish;
mod pulse;
mod refusal;
mod relief;
mod revoke;
mod roster;
mod section;
mod start;
mod switch;
mod turns;
mod wakes;
mod watch;

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use tokio::sync::OnceCell;

pub use self::{
    attach::{Attached, SubscribeError, Subscription},
    builder::HubBuilder,
    client_presence::{ClientNotice, ClientPresence},
    config::{BuildError, HubConfig, Overflow},
    counters::{Ended, Info, Published},
    deliver::Delivered,
    drain::{Drain, Drained},
    finals::Final,
    handle::ConnectionHandle,
    limits::{Limits, OverClient},
    membership::MembershipError,
    outcome::{Delivery, OutcomeError, Receipt},
    publish::{PendingReceipt, PublishError},
    refusal::{Refusal, RefusalReason},
};
pub(crate) use self::{core::Core, watch::Watch};
use crate::{Bounds, Deliver, HistoryError, Presence, RouteError, Router, TrustedProxies};

/// Opens streams and pushes events to them.
///
/// A handle, cheap to clone; all clones are the same hub. When the last one is dropped, its
/// streams end, and so does its task.
///
/// ```
/// use sse_core::{Event, Hub, Subscribe};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let hub = Hub::builder().build()?;
/// let stream = hub.subscribe(Subscribe::client_id("user-17")?).await?;
///
/// let receipt = hub.send_to("user-17", Event::text("hello").event("greeting")).await?;
/// assert_eq!(receipt.outcome().await?.queued, 1);
/// # drop(stream);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Hub {
    shared: Arc<HubShared>,
}

/// What the handles of a hub share. Router and task hold the core alone, and streams hold this weakly,
/// so that the end of the last handle is the end of the hub.
#[derive(Debug)]
pub(crate) struct HubShared {
    core: Arc<Core>,
    router: Arc<dyn Router>,
    started: OnceCell<()>,
    deliver: Arc<dyn Deliver>,
}

impl Drop for HubShared {
    fn drop(&mut self) {
        self.core.close();
        // Whoever still has the core, as a router may, has no connection with it.
        self.core.roster.clear();
    }
}

impl Hub {
    /// A hub of default settings is `Hub::builder().build()`.
    pub fn builder() -> HubBuilder {
        HubBuilder::default()
    }

    /// What the hub is doing, in numbers. It looks at every connection.
    #[must_use]
    pub fn info(&self) -> Info {
        self.shared.core.info()
    }

    /// Who comes and goes from now on.
    #[must_use]
    pub fn presence(&self) -> Presence {
        self.shared.core.presence.listen()
    }

    pub(crate) fn trusted_proxies(&self) -> &TrustedProxies {
        &self.shared.core.config.trusted_proxies
    }

    /// What the history holds; none where there is no history.
    ///
    /// # Errors
    ///
    /// The history doesn't tell.
    ///
    /// # Cancel safety
    ///
    /// Dropping it changes nothing.
    pub async fn history(&self) -> Result<Option<Bounds>, HistoryError> {
        match &self.shared.core.history {
            Some(history) => history.bounds().await.map(Some),
            None => Ok(None),
        }
    }

    /// Starts the router. Everything that is `async` here does so by itself; a router that takes
    /// its time has to be started before [`try_publish`](Self::try_publish).
    ///
    /// # Errors
    ///
    /// The router didn't start; it is tried again at the next use.
    ///
    /// # Cancel safety
    ///
    /// Dropped midway, it is tried again at the next use.
    pub async fn start(&self) -> Result<(), PublishError> {
        self.router().await?;
        Ok(())
    }

    /// The core, its task running where it can and is needed.
    fn core(&self) -> &Arc<Core> {
        let core = &self.shared.core;
        let needed = || !core.roster.is_empty() || !core.leaving.lock().is_empty();
        if !core.pulse.is_alive() && needed() {
            // Without a runtime there is nothing to run it on; the next use tries again.
            let _ = core.pulse.ensure(core);
        }
        core
    }

    /// The router, started.
    async fn router(&self) -> Result<&dyn Router, RouteError> {
        let shared = &self.shared;
        if self.core().is_closed() {
            return Err(RouteError::Closed);
        }
        let start = || async {
            let head = shared.router.start(Arc::clone(&shared.deliver)).await?;
            shared.core.section.lock().start(head);
            Ok(())
        };
        shared.started.get_or_try_init(start).await?;
        Ok(&*shared.router)
    }

    /// The router, if it is started or starts without waiting.
    fn router_now(&self) -> Result<&dyn Router, RouteError> {
        let mut start = pin!(self.router());
        match start.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(router) => router,
            Poll::Pending => Err(RouteError::NotStarted),
        }
    }
}
