//! What the gateway does, whichever way it is asked.

use std::{
    fmt::Debug,
    sync::Arc,
    time::{Duration, Instant},
};

use http::Response;
use sse_core::{
    BuildError, ClientId, ClientRequest, Delivery, Event, EventName, Final, Heartbeat, Hub,
    OutcomeError, Position, PublishError, Receipt, StreamBody, StreamReply, Target,
};
use tokio::sync::mpsc;

use crate::{
    answer::Refusal,
    grants::Grants,
    heartbeat,
    mailbox::{Acknowledged, Mailbox},
    settings::Settings,
    store::{MemoryStore, RedisStore, Store, StoreError},
    tokens::{Permit, Tokens},
    users::{Users, UsersError},
};

/// The gateway: streams for whoever has a token, events from whoever may push.
#[derive(Debug)]
pub struct Gateway {
    /// The streams.
    pub hub: Hub,
    pub(crate) tokens: Tokens,
    pub(crate) users: Option<Users>,
    /// The names that only the gateway's own events have.
    own_events: Vec<EventName>,
    grants: Grants,
    mailbox: Mailbox,
    /// How large the data of an important event may be, in bytes.
    pub(crate) largest_important: usize,
    store: Arc<dyn Store>,
    /// That of all positions of this process.
    epoch: u64,
}

/// Why there is no gateway.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Who may log in isn't known.
    #[error("users: {0}")]
    Users(#[from] UsersError),
    /// The settings of the streams make no sense.
    #[error("streams: {0}")]
    Streams(#[from] BuildError),
    /// Redis can't be asked.
    #[error("{0}")]
    Redis(String),
    /// The hub didn't start.
    #[error("the streams can't be started")]
    Hub,
}

/// What is pushed, to whom.
#[derive(Debug)]
pub(crate) struct Push {
    pub(crate) target: Target,
    pub(crate) event: Event,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Pushed {
    pub(crate) position: Option<Position>,
    pub(crate) duplicate: bool,
    pub(crate) delivery: Delivery,
}

/// Why it wasn't pushed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PushError {
    #[error("the gateway is ending: make the call again, of the next")]
    Draining,
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Outcome(#[from] OutcomeError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Gateway {
    /// A gateway with these settings, whose tasks last as long as the process.
    ///
    /// # Errors
    ///
    /// [`StartError`]. That Redis can't be reached is none, for it may be there later.
    pub async fn start(settings: &Settings) -> Result<Arc<Self>, StartError> {
        let users = settings.users.as_deref().map(Users::read).transpose()?;
        let (changes, changed) = mpsc::unbounded_channel();
        let store: Arc<dyn Store> = match &settings.redis {
            None => Arc::new(MemoryStore::new(settings.important, changes)),
            Some(url) => {
                let store = RedisStore::new(url, settings.important, changes);
                let store = store.map_err(StartError::Redis)?;
                if !store.connected().await {
                    tracing::warn!("Redis isn't there: no stream is opened until it is");
                }
                Arc::new(store)
            }
        };
        let mailbox = Mailbox::new(Arc::clone(&store), settings.important.largest);
        let state = mailbox.clone();
        let builder = Hub::builder().config(settings.streams.clone());
        let hub = builder
            .fresh_state(move |fresh| state.clone().state(fresh))
            .opening_data(heartbeat::opening)
            .heartbeat_data(|beat: &Heartbeat<'_>| heartbeat::data(beat))
            .build()?;
        let bounds = match hub.start().await {
            Ok(()) => hub.history().await.ok().flatten(),
            Err(_) => None,
        };
        let epoch = bounds.ok_or(StartError::Hub)?.newest.epoch();
        let grants = Grants::default();
        tokio::spawn(
            grants
                .clone()
                .enforce(hub.clone(), Arc::clone(&store), changed),
        );
        Ok(Arc::new(Self {
            hub,
            tokens: Tokens::new(&settings.tokens),
            users,
            own_events: settings.own_events().map(EventName::clone).to_vec(),
            grants,
            mailbox,
            largest_important: settings.important.largest,
            store,
            epoch,
        }))
    }

    /// Whether only the gateway's own events have this name.
    pub(crate) fn is_own(&self, event: &EventName) -> bool {
        self.own_events.contains(event)
    }

    /// Opens a stream for whoever has this token, which ends with it.
    pub(crate) async fn open<R: StreamReply>(
        &self,
        token: &str,
        request: impl FnOnce(ClientId) -> ClientRequest<R>,
    ) -> Result<R, Refusal> {
        let (permit, verified) = (self.tokens.verify(token)?, Instant::now());
        let grant = self.grants.hold(&permit.token);
        let request = request(permit.user)
            .attribute(Arc::clone(&grant))
            .begin_with_state();
        let request = permit
            .groups
            .into_iter()
            .fold(request, ClientRequest::group);
        let request = request.reply_with::<Response<StreamBody>>();
        let reply = match self.store.revoked(&[permit.token]).await {
            Ok(revoked) if !revoked.is_empty() => return Err(Refusal::Unauthorized),
            Ok(_) => match request
                // The store may have taken its time.
                .valid_for(permit.left.saturating_sub(verified.elapsed()))
                .subscribe(&self.hub)
                .await
            {
                // It may have been meanwhile: then those that were open have been ended.
                _ if grant.is_revoked() => return Err(Refusal::Unauthorized),
                Ok(subscription) => subscription.into_response(),
                Err(error) => error.to_response(),
            },
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "whether a token is revoked isn't known");
                request.refuse(&self.hub)
            }
        };
        Ok(reply.into())
    }

    /// What a token permits, unless it was revoked.
    pub(crate) async fn permit(&self, token: &str) -> Result<Permit, Refusal> {
        let permit = self.tokens.verify(token)?;
        let revoked = self
            .store
            .revoked(std::slice::from_ref(&permit.token))
            .await?;
        revoked
            .is_empty()
            .then_some(permit)
            .ok_or(Refusal::Unauthorized)
    }

    /// Revokes a token: its streams end at once.
    pub(crate) async fn revoke(&self, permit: &Permit) -> Result<(), StoreError> {
        self.store.revoke(&permit.token, permit.left).await
    }

    /// Acknowledges what a user was sent up to `position`.
    pub(crate) async fn acknowledge(
        &self,
        user: &ClientId,
        position: Position,
    ) -> Result<Acknowledged, StoreError> {
        self.mailbox.acknowledge(user, position, self.epoch).await
    }

    /// Pushes an event.
    pub(crate) async fn push(&self, push: Push) -> Result<Pushed, PushError> {
        self.check_draining()?;
        let receipt = self.hub.publish(push.target, push.event).await?;
        self.pushed(&receipt).await
    }

    /// Pushes an event to users that is kept until they acknowledge it. Not to be dropped midway.
    pub(crate) async fn push_important(
        &self,
        users: &[ClientId],
        event: Event,
    ) -> Result<Pushed, PushError> {
        self.check_draining()?;
        let (name, epoch) = (event.name().map_or("", EventName::as_str), self.epoch);
        let mail = self.mailbox.keep(users, name, event.data(), epoch).await?;
        let target = Target::clients(users.iter().cloned());
        let published = self.hub.publish(target, event).await;
        let receipt = match published {
            Ok(receipt) => receipt,
            Err(error) => {
                self.mailbox.withdraw(users, &mail).await;
                return Err(error.into());
            }
        };
        match receipt.position().filter(|_| !receipt.is_duplicate()) {
            Some(position) => self.mailbox.place(users, mail, position).await,
            // The first one is kept.
            None => self.mailbox.withdraw(users, &mail).await,
        }
        self.pushed(&receipt).await
    }

    async fn pushed(&self, receipt: &Receipt) -> Result<Pushed, PushError> {
        let delivery = receipt.outcome().await?;
        // If it began meanwhile, some may have gone without it.
        self.check_draining()?;
        Ok(Pushed {
            position: receipt.position(),
            duplicate: receipt.is_duplicate(),
            delivery,
        })
    }

    /// Who has been sent away comes back to another process, which knows nothing of what this one keeps.
    fn check_draining(&self) -> Result<(), PushError> {
        match self.hub.is_draining() {
            true => Err(PushError::Draining),
            false => Ok(()),
        }
    }

    /// Ends the connections of users, who may come back after that time.
    pub(crate) fn disconnect(&self, users: Vec<ClientId>, reason: &str, time: Duration) -> usize {
        let target = Target::clients(users);
        let how = Final::lasting(time).reason(reason);
        self.hub.disconnect_for_good(&target, how)
    }
}
