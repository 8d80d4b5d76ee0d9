use std::{error::Error, sync::Arc};

use sse_core::{Event, PublishError, Target};
use tonic::{Request, Response, Status};

use super::fields::{Fields, Key};
use crate::{
    gateway::{Gateway, Push, PushError, Pushed},
    proto,
    store::StoreError,
};

/// The calls.
#[derive(Debug)]
pub(super) struct Service {
    gateway: Arc<Gateway>,
}

impl Service {
    pub(super) const fn new(gateway: Arc<Gateway>) -> Self {
        Self { gateway }
    }

    fn event(&self, fields: &mut Fields, name: String, data: String, key: Key) -> Option<Event> {
        fields.event(name, data, key, |name| self.gateway.is_own(name))
    }

    async fn push(&self, push: Push) -> Result<Response<proto::Pushed>, Status> {
        answer(self.gateway.push(push).await)
    }
}

#[tonic::async_trait]
impl proto::push_server::Push for Service {
    async fn push_to_users(
        &self,
        request: Request<proto::PushToUsersRequest>,
    ) -> Result<Response<proto::Pushed>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let users = fields.users(request.user_ids);
        let key = Key::of_users(request.idempotency_key, request.important);
        let event = self.event(&mut fields, request.event, request.json_data, key);
        if request.important {
            fields.importance(event.as_ref(), self.gateway.largest_important);
        }
        fields.check()?;
        let event = event.ok_or_else(unsound)?;
        if !request.important {
            let target = Target::clients(users);
            return self.push(Push { target, event }).await;
        }
        // What was begun is done, though the caller hangs up.
        let gateway = Arc::clone(&self.gateway);
        let pushed = tokio::spawn(async move { gateway.push_important(&users, event).await });
        answer(pushed.await.map_err(|_| unsound())?)
    }

    async fn push_to_group(
        &self,
        request: Request<proto::PushToGroupRequest>,
    ) -> Result<Response<proto::Pushed>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let group = fields.group(request.group);
        let key = Key(request.idempotency_key);
        let event = self.event(&mut fields, request.event, request.json_data, key);
        fields.check()?;
        let (group, event) = group.zip(event).ok_or_else(unsound)?;
        let target = Target::group(group);
        self.push(Push { target, event }).await
    }

    async fn broadcast(
        &self,
        request: Request<proto::BroadcastRequest>,
    ) -> Result<Response<proto::Pushed>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let key = Key(request.idempotency_key);
        let event = self.event(&mut fields, request.event, request.json_data, key);
        fields.check()?;
        let (target, event) = (Target::everybody(), event.ok_or_else(unsound)?);
        self.push(Push { target, event }).await
    }

    async fn disconnect(
        &self,
        request: Request<proto::DisconnectRequest>,
    ) -> Result<Response<proto::Disconnected>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let users = fields.users(request.user_ids);
        let reason = fields.reason(request.reason);
        let time = fields.time(request.for_seconds);
        fields.check()?;
        let connections = self.gateway.disconnect(users, &reason, time) as u64;
        Ok(Response::new(proto::Disconnected { connections }))
    }

    async fn stats(
        &self,
        _: Request<proto::StatsRequest>,
    ) -> Result<Response<proto::StatsReply>, Status> {
        let info = self.gateway.hub.info();
        Ok(Response::new(proto::StatsReply {
            connections: info.connections as u64,
            users: info.clients as u64,
            groups: info.groups as u64,
            published_to_users: info.published.unicast,
            published_to_groups: info.published.group,
            broadcast: info.published.broadcast,
            delivered: info.delivered,
            queued: info.queued,
            catching_up: info.catching_up as u64,
            reaped: info.reaped,
            cut: info.ended.overflow,
            revoked: info.ended.revoked,
            heartbeats: info.heartbeats,
            uptime_seconds: info.uptime_s,
        }))
    }
}

fn answer(pushed: Result<Pushed, PushError>) -> Result<Response<proto::Pushed>, Status> {
    let Pushed {
        position,
        duplicate,
        delivery,
    } = pushed.map_err(status)?;
    Ok(Response::new(proto::Pushed {
        position: position.map_or_else(String::new, |position| position.to_string()),
        duplicate,
        matched: delivery.matched.into(),
        queued: delivery.queued.into(),
        passed: delivery.passed.into(),
        closed: delivery.closed.into(),
    }))
}

fn status(error: PushError) -> Status {
    let error = match error {
        PushError::Publish(error) => match Fields::refused(error) {
            Ok(status) => return status,
            Err(error) => PushError::Publish(error),
        },
        error => error,
    };
    match &error {
        PushError::Draining
        | PushError::Publish(PublishError::Busy | PublishError::Closed)
        | PushError::Store(StoreError::Unavailable | StoreError::Superseded) => {
            Status::unavailable(error.to_string())
        }
        PushError::Store(StoreError::Full(_)) => Status::resource_exhausted(error.to_string()),
        _ => {
            tracing::error!(error = &error as &dyn Error, "an event wasn't pushed");
            Status::internal(error.to_string())
        }
    }
}

/// Nothing was wrong, and something is missing.
fn unsound() -> Status {
    Status::internal("the call isn't understood")
}
