//! What pages and clients ask, whatever the framework.

use std::{borrow::Cow, fmt::Display};

use bytes::Buf;
use example_support::{json, read_json};
use futures_util::Stream;
use http::{HeaderMap, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::json;

use crate::{
    answer::{Answer, Refusal},
    gateway::Gateway,
    mailbox::Acknowledged,
};

/// How many bytes the body of a request may have.
const MAX_BODY: usize = 16 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoginRequest {
    user: String,
    password: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AckRequest {
    last_event_id: String,
}

#[derive(Deserialize)]
struct TokenQuery<'a> {
    #[serde(borrow, default)]
    token: Option<Cow<'a, str>>,
}

/// The token of a request: by the header, or else by the query, for an `EventSource` sets no header.
pub(crate) fn token(headers: &HeaderMap, query: Option<&str>) -> Result<String, Refusal> {
    if let Some(token) = bearer(headers) {
        return Ok(token.to_owned());
    }
    let query = query.unwrap_or_default();
    if percent_decode_str(query).decode_utf8().is_err() {
        return Err(Refusal::Query);
    }
    let query = serde_urlencoded::from_str::<TokenQuery<'_>>(query);
    let token = query.ok().and_then(|query| query.token);
    token.map(Cow::into_owned).ok_or(Refusal::Unauthorized)
}

/// The token of the header (RFC 6750, 2.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let credentials = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = credentials.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn token_of_header(headers: &HeaderMap) -> Result<&str, Refusal> {
    bearer(headers).ok_or(Refusal::Unauthorized)
}

impl Gateway {
    /// Gives a token to whoever knows a password.
    pub(crate) async fn login<B: Buf + Send, E: Display + Send>(
        &self,
        headers: &HeaderMap,
        body: impl Stream<Item = Result<B, E>> + Send,
    ) -> Answer {
        let users = self.users.as_ref().ok_or(Refusal::NoUsers)?;
        let body = read_json(headers, body, MAX_BODY).await?;
        let LoginRequest { user, password } = serde_json::from_slice(&body)?;
        let login = users.log_in(&user, password).await?;
        let lasts = self.tokens.lasts();
        let token = self.tokens.issue(&login.user, &login.groups, lasts)?;
        // As an OAuth 2.0 server tells it (RFC 6749, 5.1).
        let told =
            json!({ "access_token": token, "token_type": "Bearer", "expires_in": lasts.as_secs() });
        let mut response = json(StatusCode::OK, &told);
        let no_store = header::HeaderValue::from_static("no-store");
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, no_store);
        Ok(response)
    }

    /// Revokes the token of the request.
    pub(crate) async fn logout(&self, headers: &HeaderMap) -> Answer {
        let permit = self.permit(token_of_header(headers)?).await?;
        self.revoke(&permit).await?;
        Ok(json(StatusCode::OK, &json!({ "revoked": true })))
    }

    /// Acknowledges what a client was sent up to its last event id.
    pub(crate) async fn ack<B: Buf + Send, E: Display + Send>(
        &self,
        headers: &HeaderMap,
        body: impl Stream<Item = Result<B, E>> + Send,
    ) -> Answer {
        let permit = self.permit(token_of_header(headers)?).await?;
        let body = read_json(headers, body, MAX_BODY).await?;
        let AckRequest { last_event_id } = serde_json::from_slice(&body)?;
        let position = last_event_id.parse().map_err(|_| Refusal::NoPosition)?;
        let Acknowledged { acknowledged, left } = self.acknowledge(&permit.user, position).await?;
        let told = json!({ "acknowledged": acknowledged, "left": left });
        Ok(json(StatusCode::OK, &told))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn found(header: Option<&str>, query: &str) -> Option<String> {
        let header = header.map(|header| HeaderValue::from_str(header).unwrap());
        let headers = header.map(|header| (header::AUTHORIZATION, header));
        token(&HeaderMap::from_iter(headers), Some(query)).ok()
    }

    #[test]
    fn the_header_wins_over_the_query() {
        let token = |text: &str| Some(text.to_owned());
        assert_eq!(found(Some("Bearer a"), "token=b"), token("a"));
        assert_eq!(found(Some("bEARER  a "), ""), token("a"));
        assert_eq!(found(Some("Basic a"), "x=1&token=b%20c&y"), token("b c"));
        assert_eq!(found(None, "token=b"), token("b"));
        for query in ["", "Token=b", "token", "token=%ff", "x=%ff&token=b"] {
            assert_eq!(found(None, query).unwrap_or_default(), "", "{query}");
        }
    }
}
