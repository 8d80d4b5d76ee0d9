//! What the server does, whatever the framework.

use std::{fmt::Display, time::Duration};

use bytes::{Buf, Bytes};
use example_support::{BodyError, error, json, read_json};
use futures_util::Stream;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde::Deserialize;
use serde_json::json;
use sse_core::{
    BuildError, ClientId, ClientRequest, Event, Hub, HubConfig, NameError, OutcomeError,
    OverClient, PublishError, StreamReply, Target,
};

use crate::sessions::Sessions;

/// How many bytes the body of a request may have.
const MAX_BODY: usize = 64 * 1024;

/// The streams, one a user, and the sessions of those who may have one.
#[derive(Debug)]
pub(crate) struct Manager {
    pub(crate) hub: Hub,
    sessions: Sessions,
}

/// Who is logged in: what a framework's authentication hands to a handler.
#[derive(Debug, Clone)]
pub(crate) struct User {
    name: ClientId,
    /// How long his session lasts yet.
    left: Duration,
}

/// Why a request isn't done. Every one is answered with `{"error": …}`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("nobody is logged in")]
    Unauthorized,
    #[error("not found")]
    NotFound,
    #[error("method not allowed")]
    MethodNotAllowed(&'static str),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("not what was expected: {0}")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Outcome(#[from] OutcomeError),
    #[error("there are no random numbers")]
    Random(#[from] getrandom::Error),
}

impl Refusal {
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Body(error) => error.status(),
            Self::Json(_) | Self::Name(_) => StatusCode::BAD_REQUEST,
            Self::Publish(PublishError::Closed) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Publish(_) | Self::Outcome(_) | Self::Random(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    pub(crate) fn response(&self) -> Response<Bytes> {
        let mut response = error(self.status(), self);
        let told = match self {
            Self::MethodNotAllowed(allow) => Some((header::ALLOW, *allow)),
            Self::Unauthorized => Some((header::WWW_AUTHENTICATE, "Session")),
            _ => None,
        };
        if let Some((name, value)) = told {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        response
    }
}

pub(crate) type Answer = Result<Response<Bytes>, Refusal>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    user: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    text: String,
}

impl Manager {
    /// A manager that lets each user have one stream: a newer one replaces it. Heartbeats go to all, at
    /// once and then every 30 s.
    pub(crate) fn new() -> Result<Self, BuildError> {
        let mut config = HubConfig::default();
        config.limits.per_client = Some(1);
        config.limits.over_client = OverClient::ReplaceOldest;
        config.initial_heartbeat = true;
        config.heartbeat_to_all = true;
        Ok(Self {
            hub: Hub::builder().config(config).build()?,
            sessions: Sessions::default(),
        })
    }

    /// Who makes a request, by the cookie of his session.
    pub(crate) fn user_of(&self, headers: &HeaderMap) -> Result<User, Refusal> {
        let (name, left) = self
            .sessions
            .user_of(headers)
            .ok_or(Refusal::Unauthorized)?;
        Ok(User { name, left })
    }

    /// Opens a user's stream, which lasts no longer than his session.
    pub(crate) async fn open<R: StreamReply>(
        &self,
        request: impl FnOnce(&ClientId) -> ClientRequest<R>,
        user: &User,
        headers: &HeaderMap,
    ) -> R {
        let request = request(&user.name).valid_for(user.left);
        let reply = request.open(&self.hub).await;
        if self.user_of(headers).is_err() {
            // He has logged out meanwhile, when there was no stream to end.
            self.hub.disconnect(&Target::client(&user.name));
        }
        reply
    }

    /// Begins a session. A real server would ask for a password first.
    pub(crate) async fn login<B: Buf + Send, E: Display + Send>(
        &self,
        headers: &HeaderMap,
        body: impl Stream<Item = Result<B, E>> + Send,
    ) -> Answer {
        let login: Login = serde_json::from_slice(&read_json(headers, body, MAX_BODY).await?)?;
        let user = ClientId::new(login.user)?;
        let response = json(StatusCode::OK, &json!({ "user": user }));
        Ok(with_cookie(response, &self.sessions.begin(user)?))
    }

    /// Ends a session, and the user's stream.
    pub(crate) fn logout(&self, headers: &HeaderMap) -> Answer {
        let (user, cookie) = self.sessions.end(headers).ok_or(Refusal::Unauthorized)?;
        let closed = self.hub.disconnect(&Target::client(&user));
        let response = json(StatusCode::OK, &json!({ "closed": closed }));
        Ok(with_cookie(response, &cookie))
    }

    /// Whether a user has a stream.
    pub(crate) fn has_connections(&self, user: &str) -> Answer {
        let has = self
            .hub
            .has_connections(&Target::client(ClientId::new(user)?));
        Ok(json(StatusCode::OK, &json!({ "has_connections": has })))
    }

    /// Sends a text to everybody.
    pub(crate) async fn broadcast<B: Buf + Send, E: Display + Send>(
        &self,
        from: &User,
        headers: &HeaderMap,
        body: impl Stream<Item = Result<B, E>> + Send,
    ) -> Answer {
        let message: Message = serde_json::from_slice(&read_json(headers, body, MAX_BODY).await?)?;
        let event = Event::json(&json!({ "from": from.name, "text": message.text })).event("news");
        let receipt = self.hub.broadcast(event).await?;
        let reached = receipt.outcome().await?.queued;
        Ok(json(StatusCode::OK, &json!({ "reached": reached })))
    }
}

fn with_cookie(mut response: Response<Bytes>, cookie: &str) -> Response<Bytes> {
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
