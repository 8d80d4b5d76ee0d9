//! The page and the API, on warp.

use std::{convert::Infallible, sync::Arc};

use bytes::{Buf, Bytes};
use example_support::{Asset, json, read_json};
use futures_util::Stream;
use http::{HeaderMap, Method, Response, StatusCode};
use serde::{Deserialize, Serialize, de::DeserializeOwned, de::IgnoredAny};
use serde_json::json;
use sse_warp::{Sse, sse};
use warp::{Filter, Rejection, Reply, path::FullPath, reject::Reject};

use crate::{Chat, Nickname, auth, chat::Said, page, refusal::Refusal};

/// How many bytes the body of a request may have.
const MAX_BODY: usize = 64 * 1024;

type Answer = Result<Response<Bytes>, Refusal>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Join {
    nickname: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    id: u64,
}

/// The page and the API of a room. What needs a token is behind the authentication.
pub fn app(chat: Chat) -> impl Filter<Extract = (impl Reply,), Error = Infallible> + Clone {
    let token = authenticated(chat.clone());
    let chat = warp::any().map(move || chat.clone());
    let head = warp::header::headers_cloned();

    let events = warp::path!("events")
        .and(allow("GET, HEAD"))
        .and(sse())
        .and(token.clone())
        .and(chat.clone())
        .then(events);
    let join = warp::path!("join")
        .and(allow("POST"))
        .and(chat.clone())
        .and(head)
        .and(warp::body::stream())
        .then(|chat, headers, body| async move { whole(join(chat, headers, body).await) });
    let leave = warp::path!("leave")
        .and(allow("POST"))
        .and(token.clone())
        .and(chat.clone())
        .then(|token, chat| async move { whole(leave(token, chat).await) });
    let send =
        warp::path!("send")
            .and(allow("POST"))
            .and(token.clone())
            .and(chat.clone())
            .and(head)
            .and(warp::body::stream())
            .then(|token, chat, headers, body| async move {
                whole(send(token, chat, headers, body).await)
            });
    let read =
        warp::path!("read")
            .and(allow("POST"))
            .and(token)
            .and(chat)
            .and(head)
            .and(warp::body::stream())
            .then(|token, chat, headers, body| async move {
                whole(read(token, chat, headers, body).await)
            });
    let api = events.or(join).or(leave).or(send).or(read);
    without_slash().and(api.or(file())).recover(refused)
}

async fn events(sse: Sse, token: String, chat: Chat) -> warp::reply::Response {
    match chat.open(sse, &token).await {
        Ok(stream) => stream.into_response(),
        Err(refusal) => refusal.response().into_response(),
    }
}

async fn join(chat: Chat, headers: HeaderMap, body: impl Body) -> Answer {
    let Join { nickname } = object(&headers, body).await?;
    let nickname = Nickname::new(&nickname)?;
    let token = chat.join(nickname.clone()).await?;
    Ok(ok(&json!({ "nickname": nickname, "token": token })))
}

async fn leave(token: String, chat: Chat) -> Answer {
    chat.leave(token).await?;
    Ok(ok(&json!({})))
}

async fn send(token: String, chat: Chat, headers: HeaderMap, body: impl Body) -> Answer {
    let said: Said = object(&headers, body).await?;
    Ok(ok(&chat.send(token, said).await?))
}

async fn read(token: String, chat: Chat, headers: HeaderMap, body: impl Body) -> Answer {
    let Read { id } = object(&headers, body).await?;
    let unread = chat.read(&token, id).await?;
    Ok(ok(&json!({ "unread": unread })))
}

/// The body of a request as it comes.
trait Body: Stream<Item = Result<Self::Piece, warp::Error>> + Send {
    type Piece: Buf + Send;
}

impl<S: Stream<Item = Result<B, warp::Error>> + Send, B: Buf + Send> Body for S {
    type Piece = B;
}

/// Reads a body that is an object in JSON.
async fn object<T: DeserializeOwned>(headers: &HeaderMap, body: impl Body) -> Result<T, Refusal> {
    let body = read_json(headers, body, MAX_BODY).await?;
    // A list would do for a structure.
    if !body.trim_ascii_start().starts_with(b"{") {
        serde_json::from_slice::<IgnoredAny>(&body)?;
        return Err(Refusal::NotAnObject);
    }
    Ok(serde_json::from_slice(&body)?)
}

fn ok(content: &impl Serialize) -> Response<Bytes> {
    json(StatusCode::OK, content)
}

/// The token of somebody who has joined, or a rejection.
fn authenticated(chat: Chat) -> impl Filter<Extract = (String,), Error = Rejection> + Clone {
    let query = warp::query::raw().map(Some);
    let query = query.or(warp::any().map(|| None)).unify();
    warp::header::headers_cloned().and(query).and_then(
        move |headers: HeaderMap, query: Option<String>| {
            let token = auth::token(&headers, query.as_deref());
            let member = chat.member(token.as_deref());
            let token = member.map(|_| token.unwrap_or_default());
            std::future::ready(token.map_err(Rejection::from))
        },
    )
}

/// Rejects a path with a slash at its end, which warp would overlook.
fn without_slash() -> impl Filter<Extract = (), Error = Rejection> + Copy {
    warp::path::full()
        .and_then(|path: FullPath| async move {
            match path.as_str() {
                "/" => Ok(()),
                path if path.ends_with('/') => Err(warp::reject::not_found()),
                _ => Ok(()),
            }
        })
        .untuple_one()
}

/// The file of the page that the path names.
fn file() -> impl Filter<Extract = (Response<Bytes>,), Error = Rejection> + Clone {
    let files = Arc::new(page::files());
    warp::path::full()
        .and_then(move |path: FullPath| {
            let file = files.iter().find(|file| file.path() == path.as_str());
            std::future::ready(file.cloned().ok_or_else(warp::reject::not_found))
        })
        .and(allow("GET, HEAD"))
        .map(|file: Asset| file.response())
}

/// Lets a request of one of these methods through.
fn allow(allow: &'static str) -> impl Filter<Extract = (), Error = Rejection> + Copy {
    warp::method()
        .and_then(move |method: Method| async move {
            if allow.split(", ").any(|allowed| allowed == method) {
                Ok(())
            } else {
                Err(Rejection::from(Refusal::MethodNotAllowed(allow)))
            }
        })
        .untuple_one()
}

fn whole(answer: Answer) -> Response<Bytes> {
    answer.unwrap_or_else(|refusal| refusal.response())
}

async fn refused(rejection: Rejection) -> Result<Response<Bytes>, Infallible> {
    Ok(rejection.find().unwrap_or(&Refusal::NotFound).response())
}

impl Reject for Refusal {}
