use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use super::{Hub, core::Core, outcome::Receipt};
use crate::{
    Accepted, Batch, ClientId, Connection, Event, EventError, Frame, GroupName, IntoEvent,
    NameError, Pending, Predicate, Publication, RouteError, Scope, Target, Ticket,
    wire::{encoded_len, longest_len},
};

/// Why an event wasn't published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The event can't be built.
    #[error(transparent)]
    Event(#[from] EventError),
    /// A name of the target isn't valid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The event is larger on the wire than the hub accepts.
    #[error("the event has {len} bytes on the wire, more than {max}")]
    TooLarge {
        /// Its size on the wire in bytes.
        len: usize,
        /// What the hub accepts.
        max: usize,
    },
    /// The event has an idempotency key, and its target is a predicate: no two of those are the
    /// same, so that the key would be without effect.
    #[error("an idempotency key is without effect on a predicate")]
    KeyedPredicate,
    /// The event has an id, and isn't kept: it is transient, or for one connection or those for whom
    /// a predicate holds. A client that saw it last would have lost its place.
    #[error("an event with an id has to be kept")]
    IdNotKept,
    /// Too many publications wait for their turn (`try_publish` only).
    #[error("too many publications are waiting")]
    Busy,
    /// The hub is closed.
    #[error("the hub is closed")]
    Closed,
    /// The router failed; whether the event was accepted isn't known.
    #[error("the router failed")]
    Router(#[source] RouteError),
}

impl From<RouteError> for PublishError {
    fn from(error: RouteError) -> Self {
        match error {
            RouteError::Busy => Self::Busy,
            RouteError::Closed => Self::Closed,
            error => Self::Router(error),
        }
    }
}

/// Publishing. Every `async` method here returns once the event is accepted, and keeps to this:
///
/// - it waits for its turn where many publish at once, never for a reader;
/// - cancel safety: dropped before the event is accepted it leaves no trace, after that the event
///   is delivered as if it had not been dropped.
impl Hub {
    /// Unicast: to every connection of `client`.
    ///
    /// # Errors
    ///
    /// [`PublishError`].
    pub async fn send_to(
        &self,
        client: impl TryInto<ClientId, Error: Into<NameError>>,
        event: impl IntoEvent,
    ) -> Result<Receipt, PublishError> {
        let target = Target::client(name(client)?);
        self.publish_event(target, event.into_event()?).await
    }

    /// Unicast: to those connections of `client` that are in `group`.
    ///
    /// # Errors
    ///
    /// [`PublishError`].
    pub async fn send_to_in(
        &self,
        client: impl TryInto<ClientId, Error: Into<NameError>>,
        group: impl TryInto<GroupName, Error: Into<NameError>>,
        event: impl IntoEvent,
    ) -> Result<Receipt, PublishError> {
        let target = Target::client(name::<ClientId>(client)?).within(name::<GroupName>(group)?);
        self.publish_event(target, event.into_event()?).await
    }

    /// Unicast: to every connection of each of `clients`, once.
    ///
    /// # Errors
    ///
    /// [`PublishError`].
    pub async fn send_to_each<C: TryInto<ClientId, Error: Into<NameError>>>(
        &self,
        clients: impl IntoIterator<Item = C>,
        event: impl IntoEvent,
    ) -> Result<Receipt, PublishError> {
        let clients: Result<Vec<ClientId>, _> = clients.into_iter().map(name).collect();
        let target = Target::clients(clients?);
        self.publish_event(target, event.into_event()?).await
    }

    /// Group: to the members of `group`.
    ///
    /// # Errors
    ///
    /// [`PublishError`].
    pub async fn send_group(
        &self,
        group: impl TryInto<GroupName, Error: Into<NameError>>,
        event: impl IntoEvent,
    ) -> Result<Receipt, PublishError> {
        let target = Target::group(name::<GroupName>(group)?);
        self.publish_event(target, event.into_event()?).await
    }

    /// Broadcast: to everybody.
    ///
    /// # Errors
    ///
    /// [`PublishError`].
    pub async fn broadcast(&self, event: impl IntoEvent) -> Result<Receipt, PublishError> {
        self.publish_event(Target::everybody(), event.into_event()?)
            .await
    }

    /// To those of this node's connections for which `holds`. It runs inside the ordered section:
    /// see [`Predicate`].
    ///
    /// # Errors
    ///
    /// [`PublishError`].
    pub async fn send_where(
        &self,
        holds: impl Fn(&Connection) -> bool + Send + Sync + 'static,
        event: impl IntoEvent,
    ) -> Result<Receipt, PublishError> {
        let target = Target::matching(Predicate::new(holds));
        self.publish_event(target, event.into_event()?).await
    }

    /// To any [`Target`].
    ///
    /// # Errors
    ///
    /// [`PublishError`].
    pub async fn publish(
        &self,
        target: Target,
        event: impl IntoEvent,
    ) -> Result<Receipt, PublishError> {
        self.publish_event(target, event.into_event()?).await
    }

    /// Publishes several events in one ordered section: all or none of them, one after the other
    /// with nothing in between. The receipts are in the same order.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; then none of them was published.
    pub async fn publish_many<E: IntoEvent>(
        &self,
        events: impl IntoIterator<Item = (Target, E)>,
    ) -> Result<Vec<Receipt>, PublishError> {
        let batch: Result<Batch, PublishError> = events
            .into_iter()
            .map(|(target, event)| self.publication(target, event.into_event()?))
            .collect();
        let batch = batch?;
        let tickets: Vec<Ticket> = batch.iter().map(Publication::ticket).collect();
        let accepted = self.router().await?.publish(batch).await?;
        let receipt = |(accepted, ticket)| self.shared.core.receipt(accepted, ticket);
        Ok(accepted.into_iter().zip(tickets).map(receipt).collect())
    }

    /// Publishes without waiting for a turn, also outside of `async` code. The event is on its
    /// way whether the answer is awaited or not.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; [`Busy`](PublishError::Busy) where too many publications wait.
    pub fn try_publish(
        &self,
        target: Target,
        event: impl IntoEvent,
    ) -> Result<PendingReceipt, PublishError> {
        let publication = self.publication(target, event.into_event()?)?;
        let ticket = publication.ticket();
        Ok(PendingReceipt {
            pending: self.router_now()?.try_publish(publication.into())?,
            ticket,
            core: Arc::clone(&self.shared.core),
        })
    }

    async fn publish_event(&self, target: Target, event: Event) -> Result<Receipt, PublishError> {
        let publication = self.publication(target, event)?;
        let ticket = publication.ticket();
        let accepted = self.router().await?.publish(publication.into()).await?;
        let accepted = accepted.first().copied().ok_or_else(no_answer)?;
        Ok(self.shared.core.receipt(accepted, ticket))
    }

    fn publication(&self, target: Target, event: Event) -> Result<Publication, PublishError> {
        let core = &self.shared.core;
        core.check(&event, event.is_kept_for(&target))?;
        if event.idempotency_key().is_some() && matches!(target.scope(), Scope::Matching(_)) {
            return Err(PublishError::KeyedPredicate);
        }
        let ticket = core.outcomes.ticket();
        Ok(Publication::new(target, event, ticket))
    }
}

impl Core {
    /// Whether an event can be sent, which is kept where there is a history if it `can_be`.
    fn check(&self, event: &Event, can_be: bool) -> Result<(), PublishError> {
        let max = self.config.max_event_bytes;
        // The exact length is counted where it matters.
        if longest_len(event) > max {
            let len = encoded_len(event);
            if len > max {
                return Err(PublishError::TooLarge { len, max });
            }
        }
        if event.id().is_some() && self.history.is_some() && !can_be {
            return Err(PublishError::IdNotKept);
        }
        Ok(())
    }

    /// An event that is for one connection alone, encoded.
    pub(super) fn frame_unkept(&self, event: &Event) -> Result<Frame, PublishError> {
        self.check(event, false)?;
        Ok(Frame::new(event, None))
    }

    fn receipt(&self, accepted: Accepted, ticket: Ticket) -> Receipt {
        self.counters.duplicates.add(u64::from(accepted.duplicate));
        self.outcomes.receipt(accepted, ticket)
    }
}

fn name<N>(name: impl TryInto<N, Error: Into<NameError>>) -> Result<N, NameError> {
    name.try_into().map_err(Into::into)
}

fn no_answer() -> PublishError {
    PublishError::Router(RouteError::backend("no answer for a publication"))
}

/// The receipt of an event that is on its way. Dropping it changes nothing.
#[derive(Debug)]
#[must_use = "a refusal would go unseen"]
pub struct PendingReceipt {
    pending: Pending,
    ticket: Ticket,
    core: Arc<Core>,
}

impl Future for PendingReceipt {
    type Output = Result<Receipt, PublishError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let accepted = ready!(Pin::new(&mut self.pending).poll(cx))?;
        let accepted = accepted.first().copied().ok_or_else(no_answer)?;
        Poll::Ready(Ok(self.core.receipt(accepted, self.ticket)))
    }
}
