use std::{sync::Arc, time::Duration};

use http::Response;
use serde::Deserialize;
use sse_core::{ClientRequest, ConnectionHandle, GroupName, Hub, StreamReply};

use crate::{
    answer::Refusal,
    api,
    auth::Secret,
    follows::Follows,
    friends::{self, Friends},
};

/// What all handlers share.
#[derive(Debug, Clone)]
pub struct App {
    pub(crate) hub: Hub,
    pub(crate) friends: Arc<Friends>,
    pub(crate) follows: Arc<Follows>,
    secret: Option<Secret>,
}

#[derive(Debug, Deserialize)]
struct TokenQuery {
    token: Option<String>,
}

impl App {
    /// An application over `hub`, whose streams want a token that is signed with `secret`, if there is one.
    pub fn new(hub: Hub, secret: Option<Secret>) -> Self {
        Self {
            hub,
            friends: Arc::default(),
            follows: Arc::default(),
            secret,
        }
    }

    /// Tells friends who comes and goes; who is back within `grace` wasn't away.
    pub fn tell_friends(&self, grace: Duration) {
        let told = friends::tell(self.hub.clone(), Arc::clone(&self.friends), grace);
        tokio::spawn(told);
    }

    /// Opens a stream of `client` in `group`, where the token of the query allows it.
    ///
    /// It is in the groups of what the client follows, too.
    pub(crate) async fn open<R: StreamReply>(
        &self,
        request: impl FnOnce(&str) -> ClientRequest<R>,
        [group, client]: [&str; 2],
        query: Option<&str>,
    ) -> Result<R, Refusal> {
        let mut request = request(client).group(group);
        if let Some(secret) = &self.secret {
            let TokenQuery { token } = api::query(query)?;
            // No longer than the token.
            request = request.valid_for(secret.check(token.as_deref(), client)?);
        }
        let before = self.follows.of(client);
        let request = before.iter().fold(request, ClientRequest::group);
        let reply = match request
            .reply_with::<Response<_>>()
            .subscribe(&self.hub)
            .await
        {
            Ok(subscription) => {
                self.follow(&subscription.handle(), client, &before).await;
                subscription.into_response()
            }
            Err(error) => error.to_response(),
        };
        Ok(reply.into())
    }

    /// Has a stream follow what its client follows by now, and no more what it followed when it was opened.
    async fn follow(&self, stream: &ConnectionHandle, client: &str, before: &[GroupName]) {
        let now = self.follows.of(client);
        for item in now.iter().filter(|item| !before.contains(item)) {
            drop(stream.join(item).await);
        }
        for item in before.iter().filter(|item| !now.contains(item)) {
            drop(stream.leave(item).await);
        }
    }
}
