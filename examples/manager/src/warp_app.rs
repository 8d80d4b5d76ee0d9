//! The server on warp.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use example_support::Asset;
use percent_encoding::percent_decode_str;
use sse_warp::{Sse, SseResponse, sse};
use warp::{
    Filter, Rejection, Reply,
    http::{HeaderMap, Method, Response},
    path::FullPath,
    reject::Reject,
};

use crate::{
    manager::{Answer, Manager, Refusal, User},
    page,
};

/// The page and the API. Routes that need a user have him from the authentication.
pub(crate) fn app(
    manager: Arc<Manager>,
) -> impl Filter<Extract = (impl Reply,), Error = Infallible> + Clone {
    let user = authenticated(Arc::clone(&manager));
    let manager = warp::any().map(move || Arc::clone(&manager));
    let head = warp::header::headers_cloned();

    let events = warp::path!("events")
        .and(allow("GET, HEAD"))
        .and(sse())
        .and(user.clone())
        .and(manager.clone())
        .and(head)
        .then(events);
    let login = warp::path!("login")
        .and(allow("POST"))
        .and(manager.clone())
        .and(head)
        .and(warp::body::stream())
        .then(
            |manager: Arc<Manager>, headers: HeaderMap, body| async move {
                whole(manager.login(&headers, body).await)
            },
        );
    let logout = warp::path!("logout")
        .and(allow("POST"))
        .and(manager.clone())
        .and(head)
        .map(|manager: Arc<Manager>, headers: HeaderMap| whole(manager.logout(&headers)));
    let broadcast = warp::path!("broadcast")
        .and(allow("POST"))
        .and(user.clone())
        .and(manager.clone())
        .and(head)
        .and(warp::body::stream())
        .then(
            |user: User, manager: Arc<Manager>, headers: HeaderMap, body| async move {
                whole(manager.broadcast(&user, &headers, body).await)
            },
        );
    let has_connections = warp::path!("users" / String)
        .and(allow("GET, HEAD"))
        .and(user)
        .and(manager)
        .map(|user: String, _: User, manager: Arc<Manager>| {
            // As it stands in the URL.
            let user = percent_decode_str(&user).decode_utf8();
            whole(match user {
                Ok(user) => manager.has_connections(&user),
                Err(_) => Err(Refusal::NotFound),
            })
        });
    let api = events
        .or(login)
        .or(logout)
        .or(broadcast)
        .or(has_connections);
    without_slash().and(api.or(file())).recover(refused)
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

async fn events(sse: Sse, user: User, manager: Arc<Manager>, headers: HeaderMap) -> SseResponse {
    manager.open(|user| sse.client(user), &user, &headers).await
}

/// The user, or a rejection.
fn authenticated(
    manager: Arc<Manager>,
) -> impl Filter<Extract = (User,), Error = Rejection> + Clone {
    warp::header::headers_cloned().and_then(move |headers: HeaderMap| {
        let user = manager.user_of(&headers);
        std::future::ready(user.map_err(Rejection::from))
    })
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
