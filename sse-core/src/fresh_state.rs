use std::{error::Error, fmt, future::Future, pin::Pin, sync::Arc};

use crate::{Connection, Event, GapCause, Position};

/// What the application is asked for where events are missing, or where a stream is to begin with it: how
/// things stand by now.
///
/// What it answers is queued before any event that comes after [`position`](Self::position), and after
/// the `gap` if there is one, so that the client may forget what it knew.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FreshState {
    /// The connection that misses something: whose it is, its groups, its attributes.
    pub connection: Arc<Connection>,
    /// Why something is missing; none where nothing is, and the stream
    /// [begins with the state](crate::Subscribe::begin_with_state).
    pub cause: Option<GapCause>,
    /// The last event before the state: what is read after this call holds everything up to it, if
    /// the application stores before it publishes. What comes after it is sent as events.
    pub position: Option<Position>,
}

/// What makes the events of a fresh state.
#[derive(Clone)]
pub(crate) struct FreshStateHook(Arc<Make>);

/// The application's own error.
type BoxError = Box<dyn Error + Send + Sync>;
type Make = dyn Fn(FreshState) -> Making + Send + Sync;
pub(crate) type Making = Pin<Box<dyn Future<Output = Result<Vec<Event>, BoxError>> + Send>>;

impl FreshStateHook {
    pub(crate) fn new<F>(make: impl Fn(FreshState) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Vec<Event>, BoxError>> + Send + 'static,
    {
        Self(Arc::new(move |fresh| Box::pin(make(fresh))))
    }

    pub(crate) fn make(&self, fresh: FreshState) -> Making {
        (self.0)(fresh)
    }
}

impl fmt::Debug for FreshStateHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FreshStateHook(..)")
    }
}
