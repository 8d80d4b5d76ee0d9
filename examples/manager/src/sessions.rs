use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use cookie::{Cookie, SameSite};
use http::{HeaderMap, header};
use parking_lot::Mutex;
use sse_core::ClientId;

const COOKIE: &str = "session";

/// How long a session lasts.
const LASTS: Duration = Duration::from_secs(12 * 3600);

/// How many sessions there may be; the oldest makes room.
const MOST: usize = 10_000;

/// Who is logged in, by the cookie that he was given.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    sessions: HashMap<String, Session>,
    /// Oldest first; of those that have ended, too.
    order: VecDeque<String>,
}

#[derive(Debug)]
struct Session {
    user: ClientId,
    until: Instant,
}

impl Sessions {
    /// Begins a session of `user`; the `Set-Cookie` for it.
    pub(crate) fn begin(&self, user: ClientId) -> Result<String, getrandom::Error> {
        let mut token = [0; 16];
        getrandom::fill(&mut token)?;
        let token = format!("{:032x}", u128::from_be_bytes(token));
        let until = Instant::now() + LASTS;
        let mut state = self.0.lock();
        state.make_room();
        state.order.push_back(token.clone());
        state
            .sessions
            .insert(token.clone(), Session { user, until });
        Ok(set_cookie(token, LASTS))
    }

    /// Whose request it is, and for how long his session lasts yet.
    pub(crate) fn user_of(&self, headers: &HeaderMap) -> Option<(ClientId, Duration)> {
        let state = self.0.lock();
        let now = Instant::now();
        let session = tokens(headers).find_map(|token| state.sessions.get(&token))?;
        let left = session.until.saturating_duration_since(now);
        (!left.is_zero()).then(|| (session.user.clone(), left))
    }

    /// Ends the session of a request; whose it was, and the `Set-Cookie` that ends it.
    pub(crate) fn end(&self, headers: &HeaderMap) -> Option<(ClientId, String)> {
        let mut state = self.0.lock();
        let session = tokens(headers).find_map(|token| state.sessions.remove(&token))?;
        Some((session.user, set_cookie(String::new(), Duration::ZERO)))
    }
}

impl State {
    /// Forgets those that are over, and the oldest where there are too many.
    fn make_room(&mut self) {
        let now = Instant::now();
        while let Some(token) = self.order.front() {
            let session = self.sessions.get(token);
            let is_over = session.is_none_or(|session| session.until <= now);
            if !is_over && self.sessions.len() < MOST {
                break;
            }
            if let Some(token) = self.order.pop_front() {
                self.sessions.remove(&token);
            }
        }
    }
}

/// What the request's cookies say of a session.
fn tokens(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let texts = headers.get_all(header::COOKIE).into_iter();
    let cookies = texts.flat_map(|text| Cookie::split_parse(text.to_str().unwrap_or_default()));
    let session = |cookie: &Cookie<'_>| cookie.name() == COOKIE;
    cookies
        .flatten()
        .filter(session)
        .map(|cookie| cookie.value().to_owned())
}

/// No script reads it, and no form of another site sends it. Behind TLS it should be `Secure` too.
fn set_cookie(token: String, lasts: Duration) -> String {
    let cookie = Cookie::build((COOKIE, token))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .build();
    format!("{cookie}; Max-Age={}", lasts.as_secs())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn with(cookie: &[u8]) -> HeaderMap {
        let cookie = HeaderValue::from_bytes(cookie).unwrap();
        HeaderMap::from_iter([(header::COOKIE, cookie)])
    }

    #[test]
    fn the_oldest_makes_room_and_those_that_ended_take_none() {
        let sessions = Sessions::default();
        let begin = |user: &str| {
            let cookie = sessions.begin(ClientId::new(user).unwrap()).unwrap();
            with(cookie.split(';').next().unwrap().as_bytes())
        };
        let first = begin("first");
        for _ in 0..2 * MOST {
            let brief = begin("brief");
            assert!(sessions.end(&brief).is_some());
            assert!(sessions.user_of(&brief).is_none());
        }
        assert!(sessions.user_of(&first).is_some());
        for n in 1..MOST {
            begin(&format!("user-{n}"));
        }
        assert!(sessions.user_of(&first).is_some());
        begin("one-more");
        assert!(sessions.user_of(&first).is_none());
    }

    #[test]
    fn no_cookie_is_too_odd() {
        let sessions = Sessions::default();
        for cookie in [
            &b"session"[..],
            b"session=",
            b"=;=;session=x",
            b"\xff\xfe=1",
        ] {
            assert!(sessions.user_of(&with(cookie)).is_none(), "{cookie:?}");
        }
    }
}
