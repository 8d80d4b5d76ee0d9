use std::{sync::Arc, time::Duration};

use serde::Serialize;

use crate::{ConflationKey, EventId, EventName, IdempotencyKey, NameError, Scope, Target};

/// What an application publishes.
///
/// Data, and optionally a name, an id, a retry and a comment, which are fields on the wire
/// (WHATWG HTML, 9.2.5); and how it is to be handled: an idempotency key, a conflation key, or
/// transient. An event that could not be read back as it was built can't be built.
///
/// ```
/// use sse_core::Event;
///
/// let event = Event::json(&["disk is full", "on db-3"]).event("alert").build()?;
/// assert_eq!(event.data(), r#"["disk is full","on db-3"]"#);
/// # Ok::<(), sse_core::EventError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    data: String,
    name: Option<EventName>,
    retry_ms: Option<u64>,
    comment: Option<Box<str>>,
    labels: Option<Arc<Labels>>,
    transient: bool,
}

/// What few events have, so that the others carry a pointer for it from owner to owner; its frame shares
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Labels {
    pub(crate) id: Option<EventId>,
    pub(crate) idempotency_key: Option<IdempotencyKey>,
    pub(crate) conflation_key: Option<ConflationKey>,
}

impl Event {
    /// An event whose data is `data`, as it is. CRLF, CR and LF all read back as LF.
    pub fn text(data: impl Into<String>) -> EventBuilder {
        EventBuilder(Ok(Self::new(data.into())))
    }

    /// An event whose data is `value` as JSON, in one line.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> EventBuilder {
        EventBuilder(
            serde_json::to_string(value)
                .map(Self::new)
                .map_err(EventError::Json),
        )
    }

    const fn new(data: String) -> Self {
        Self {
            data,
            name: None,
            retry_ms: None,
            comment: None,
            labels: None,
            transient: false,
        }
    }

    pub(crate) const fn labels(&self) -> Option<&Arc<Labels>> {
        self.labels.as_ref()
    }

    fn labels_mut(&mut self) -> &mut Labels {
        Arc::make_mut(self.labels.get_or_insert_default())
    }

    /// The data.
    #[must_use]
    pub fn data(&self) -> &str {
        &self.data
    }

    /// The name; a browser takes none for `message`.
    #[must_use]
    pub const fn name(&self) -> Option<&EventName> {
        self.name.as_ref()
    }

    /// The application's own id.
    #[must_use]
    pub fn id(&self) -> Option<&EventId> {
        self.labels()?.id.as_ref()
    }

    /// How long the client shall wait before it reconnects.
    #[must_use]
    pub const fn retry(&self) -> Option<Duration> {
        match self.retry_ms {
            Some(ms) => Some(Duration::from_millis(ms)),
            None => None,
        }
    }

    /// The comment, which clients ignore.
    #[must_use]
    pub fn comment(&self) -> Option<&str> {
        self.comment.as_deref()
    }

    /// The key by which the event is delivered once, however often it is published.
    #[must_use]
    pub fn idempotency_key(&self) -> Option<&IdempotencyKey> {
        self.labels()?.idempotency_key.as_ref()
    }

    /// The key by which the event takes an older one's place in a queue.
    #[must_use]
    pub fn conflation_key(&self) -> Option<&ConflationKey> {
        self.labels()?.conflation_key.as_ref()
    }

    /// Whether a history keeps it if it is published for `target`: events for one connection, or
    /// for whom a predicate holds, are live only.
    #[must_use]
    pub const fn is_kept_for(&self, target: &Target) -> bool {
        !self.transient && !matches!(target.scope(), Scope::Connection(_) | Scope::Matching(_))
    }

    /// Whether the event is kept nowhere.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        self.transient
    }
}

/// Builds an [`Event`]; keeps its first error until [`build`](Self::build) or the send.
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built or sent"]
pub struct EventBuilder(Result<Event, EventError>);

impl EventBuilder {
    /// Names the event; unnamed by default, which a browser dispatches as `message`.
    pub fn event(self, name: impl TryInto<EventName, Error: Into<NameError>>) -> Self {
        self.set(name, |event, name| event.name = Some(name))
    }

    /// Gives the event an id of the application's own; none by default.
    pub fn id(self, id: impl TryInto<EventId, Error: Into<NameError>>) -> Self {
        self.set(id, |event, id| event.labels_mut().id = Some(id))
    }

    /// Tells the client how long to wait before it reconnects, in whole milliseconds.
    pub fn retry(self, retry: Duration) -> Self {
        Self(self.0.and_then(|mut event| {
            let ms = u64::try_from(retry.as_millis()).ok();
            event.retry_ms = ms.filter(|ms| Duration::from_millis(*ms) == retry);
            match event.retry_ms {
                Some(_) => Ok(event),
                None => Err(EventError::Retry(retry)),
            }
        }))
    }

    /// Adds a comment before the event; clients ignore it, but a person at `curl` sees it.
    pub fn comment(mut self, comment: impl Into<String>) -> Self {
        if let Ok(event) = &mut self.0 {
            event.comment = Some(comment.into().into_boxed_str());
        }
        self
    }

    /// Delivers the event once to the same target, however often it is published with this key
    /// while the router remembers it (100,000 keys and 10 minutes by default).
    pub fn idempotency_key(
        self,
        key: impl TryInto<IdempotencyKey, Error: Into<NameError>>,
    ) -> Self {
        self.set(key, |event, key| {
            event.labels_mut().idempotency_key = Some(key);
        })
    }

    /// Lets the event take the place of an older one with the same key that still waits in a
    /// connection's queue.
    pub fn conflation_key(self, key: impl TryInto<ConflationKey, Error: Into<NameError>>) -> Self {
        self.set(key, |event, key| {
            event.labels_mut().conflation_key = Some(key);
        })
    }

    /// Keeps the event nowhere: who isn't connected doesn't get it.
    pub fn transient(mut self) -> Self {
        if let Ok(event) = &mut self.0 {
            event.transient = true;
        }
        self
    }

    /// The event.
    ///
    /// # Errors
    ///
    /// The first error that any step met.
    pub fn build(self) -> Result<Event, EventError> {
        self.0
    }

    fn set<N>(
        self,
        name: impl TryInto<N, Error: Into<NameError>>,
        put: impl FnOnce(&mut Event, N),
    ) -> Self {
        Self(self.0.and_then(|mut event| {
            let name = name.try_into().map_err(|error| error.into())?;
            put(&mut event, name);
            Ok(event)
        }))
    }
}

/// What can be sent: an [`Event`], or an [`EventBuilder`] whose error the send then returns.
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't an event",
    note = "make one with `Event::text(…)` or `Event::json(&…)`"
)]
pub trait IntoEvent {
    /// The event.
    ///
    /// # Errors
    ///
    /// Whatever made building it impossible.
    fn into_event(self) -> Result<Event, EventError>;
}

impl IntoEvent for Event {
    fn into_event(self) -> Result<Event, EventError> {
        Ok(self)
    }
}

impl IntoEvent for &Event {
    fn into_event(self) -> Result<Event, EventError> {
        Ok(self.clone())
    }
}

impl IntoEvent for EventBuilder {
    fn into_event(self) -> Result<Event, EventError> {
        self.build()
    }
}

/// Why an event can't be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// One of its names or keys isn't valid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The retry isn't a whole number of milliseconds that fits 64 bits.
    #[error("retry is {0:?}, not a whole number of milliseconds")]
    Retry(Duration),
    /// The value can't be written as JSON.
    #[error("the data can't be written as JSON")]
    Json(#[source] serde_json::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builder_keeps_its_first_error() {
        let error = Event::text("x").event("a\nb").id("").build().unwrap_err();
        assert!(matches!(
            error,
            EventError::Name(NameError::Control {
                what: "event name",
                ..
            })
        ));
    }

    #[test]
    fn retry_is_never_rounded() {
        let retry = |d| Event::text("x").retry(d).build().map(|e| e.retry());
        let two = Duration::from_millis(2);
        assert_eq!(retry(two).unwrap(), Some(two));
        assert!(matches!(
            retry(Duration::from_micros(1_500)),
            Err(EventError::Retry(_))
        ));
        assert!(matches!(retry(Duration::MAX), Err(EventError::Retry(_))));
    }

    #[test]
    fn json_that_cannot_be_written_is_an_error() {
        let keys = std::collections::HashMap::from([(vec![1], 1)]);
        assert!(matches!(
            Event::json(&keys).build(),
            Err(EventError::Json(_))
        ));
    }
}
