use std::convert::Infallible;

use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use sse_core::Hub;
use sse_warp::{Sse, SseResponse, sse};
use warp::{
    Filter, Rejection, Reply,
    http::Method,
    path::{FullPath, Tail},
    reject::Reject,
    reply::Response,
};

use crate::{
    answer::{Answer, Refusal},
    api::{self, ACTION_METHODS, READ_METHODS, STREAM_METHODS, StreamQuery},
    page::{ASSETS, Asset},
};

/// The server on warp: the page, the streams and the API, over `hub`.
pub fn app(hub: Hub) -> impl Filter<Extract = (impl Reply,), Error = Infallible> + Clone {
    let hub = warp::any().map(move || hub.clone());
    let streams = allow(STREAM_METHODS).and(sse()).and(hub.clone());
    let post = allow(ACTION_METHODS).and(hub.clone());
    let get = allow(READ_METHODS).and(hub);

    let stream = warp::path!("stream")
        .and(streams.clone())
        .and(query())
        .then(stream);
    let stream_of = warp::path!("stream" / ..)
        .and(names())
        .and(streams)
        .then(stream_of);
    let send = warp::path!("send")
        .and(post.clone())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(|hub, headers, body| async move { api::send(&hub, &headers, body).await });
    let disconnect = warp::path!("disconnect" / ..)
        .and(names())
        .and(post.clone())
        .and(query())
        .map(|[group, id]: [String; 2], hub, query| api::disconnect(&hub, &group, &id, &query));
    let allow_client = warp::path!("allow" / ..)
        .and(names())
        .and(post)
        .map(|[id]: [String; 1], hub| api::allow(&hub, &id));
    let info = warp::path!("info")
        .and(get.clone())
        .then(|hub| async move { api::info(&hub).await });
    let groups = warp::path!("groups")
        .and(get.clone())
        .and(query())
        .map(|hub, page| api::groups(&hub, &page));
    let group = warp::path!("groups" / ..)
        .and(names())
        .and(get)
        .and(query())
        .map(|[group]: [String; 1], hub, page| api::group(&hub, &group, &page));

    let api = stream
        .or(stream_of)
        .or(send)
        .or(disconnect)
        .or(allow_client);
    let api = api.or(info).or(groups).or(group);
    checked()
        .and(warp::path!("api" / "v1" / "sse" / ..).and(api).or(page()))
        .recover(refused)
}

async fn stream(sse: Sse, hub: Hub, query: StreamQuery) -> Result<SseResponse, Refusal> {
    let (group, id) = query.names()?;
    Ok(sse.client(id).group(group).open(&hub).await)
}

async fn stream_of([group, id]: [String; 2], sse: Sse, hub: Hub) -> SseResponse {
    sse.client(id).group(group).open(&hub).await
}

/// The file of the page that the path names.
fn page() -> impl Filter<Extract = (Answer,), Error = Rejection> + Copy {
    warp::path::full()
        .and_then(|path: FullPath| async move {
            let asset = ASSETS.iter().find(|asset| asset.path == path.as_str());
            asset.ok_or_else(warp::reject::not_found)
        })
        .and(allow(READ_METHODS))
        .map(|asset: &Asset| asset.answer())
}

/// Lets a request of one of these methods through. As a rejection of its own it tells them.
fn allow(allow: &'static str) -> impl Filter<Extract = (), Error = Rejection> + Copy {
    warp::method()
        .and_then(move |method: Method| async move {
            if allow.split(", ").any(|allowed| allowed == method) {
                Ok(())
            } else {
                Err(Rejection::from(Refusal::MethodNotAllowed { allow }))
            }
        })
        .untuple_one()
}

/// The names in the rest of the path: `warp::path::param` takes no empty one, and decodes none.
fn names<const N: usize>() -> impl Filter<Extract = ([String; N],), Error = Rejection> + Copy {
    warp::path::tail().and_then(|tail: Tail| async move {
        let segments: Vec<_> = tail.as_str().split('/').collect();
        let Ok(segments) = <[&str; N]>::try_from(segments) else {
            return Err(warp::reject::not_found());
        };
        let mut names = [const { String::new() }; N];
        for (name, segment) in names.iter_mut().zip(segments) {
            let decoded = percent_decode_str(segment).decode_utf8();
            *name = decoded.map_err(|_| Refusal::NotUtf8("path"))?.into_owned();
        }
        Ok(names)
    })
}

/// The query, read.
fn query<T: DeserializeOwned + Send>() -> impl Filter<Extract = (T,), Error = Rejection> + Copy {
    raw_query().and_then(|query: Option<String>| async move {
        api::query(query.as_deref()).map_err(Rejection::from)
    })
}

fn raw_query() -> impl Filter<Extract = (Option<String>,), Error = Infallible> + Copy {
    let query = warp::query::raw().map(Some);
    query.or(warp::any().map(|| None)).unify()
}

/// Rejects what no route may take: a query that isn't UTF-8, and a path with a slash at its end,
/// which warp would overlook.
fn checked() -> impl Filter<Extract = (), Error = Rejection> + Copy {
    raw_query()
        .and(warp::path::full())
        .and_then(|query: Option<String>, path: FullPath| async move {
            api::check_query(query.as_deref())?;
            if path.as_str().len() > 1 && path.as_str().ends_with('/') {
                return Err(warp::reject::not_found());
            }
            Ok(())
        })
        .untuple_one()
}

async fn refused(rejection: Rejection) -> Result<Answer, Infallible> {
    let refusal = rejection.find().unwrap_or(&Refusal::NotFound);
    Ok(refusal.answer())
}

impl Reply for Answer {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl Reply for Refusal {
    fn into_response(self) -> Response {
        self.answer().into_response()
    }
}

impl Reject for Refusal {}
