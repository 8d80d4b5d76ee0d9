use std::{convert::Infallible, sync::Arc};

use example_support::Asset;
use serde::de::DeserializeOwned;
use sse_warp::{Sse, SseResponse, sse};
use warp::{
    Filter, Rejection, Reply,
    http::{HeaderMap, Method},
    path::{FullPath, Tail},
    reject::Reject,
    reply::Response,
};

use crate::{
    actions,
    answer::{Answer, Refusal},
    api::{self, ACTION_METHODS, READ_METHODS, STREAM_METHODS, StreamQuery},
    app::App,
};

/// The server on warp: the files of pages, the streams and the API, over `app`.
pub fn app(
    app: App,
    files: Vec<Asset>,
) -> impl Filter<Extract = (impl Reply,), Error = Infallible> + Clone {
    let app = warp::any().map(move || app.clone());
    let streams = allow(STREAM_METHODS).and(sse()).and(app.clone());
    let post = allow(ACTION_METHODS).and(app.clone());
    let posted = post
        .clone()
        .and(warp::header::headers_cloned())
        .and(warp::body::stream());
    let get = allow(READ_METHODS).and(app);

    let stream = warp::path!("stream")
        .and(streams.clone())
        .and(raw_query())
        .then(stream);
    let stream_of = warp::path!("stream" / ..)
        .and(names())
        .and(streams)
        .and(raw_query())
        .then(stream_of);
    let send =
        warp::path!("send").and(posted.clone()).then(
            |app: App, headers: HeaderMap, body| async move {
                api::send(&app.hub, &headers, body).await
            },
        );
    let batch =
        warp::path!("batch").and(posted.clone()).then(
            |app: App, headers: HeaderMap, body| async move {
                api::batch(&app.hub, &headers, body).await
            },
        );
    let act = warp::path!("app" / ..).and(names()).and(posted).then(
        |[action]: [String; 1], app: App, headers: HeaderMap, body| async move {
            actions::act(&app, &action, &headers, body).await
        },
    );
    let disconnect = warp::path!("disconnect" / ..)
        .and(names())
        .and(post.clone())
        .and(query())
        .map(|[group, id]: [String; 2], app: App, query| {
            api::disconnect(&app.hub, &group, &id, &query)
        });
    let allow_client = warp::path!("allow" / ..)
        .and(names())
        .and(post)
        .map(|[id]: [String; 1], app: App| api::allow(&app.hub, &id));
    let info = warp::path!("info")
        .and(get.clone())
        .then(|app: App| async move { api::info(&app.hub).await });
    let groups = warp::path!("groups")
        .and(get.clone())
        .and(query())
        .map(|app: App, page| api::groups(&app.hub, &page));
    let group = warp::path!("groups" / ..)
        .and(names())
        .and(get)
        .and(query())
        .map(|[group]: [String; 1], app: App, page| api::group(&app.hub, &group, &page));

    let api = stream
        .or(stream_of)
        .or(send)
        .or(batch)
        .or(act)
        .or(disconnect)
        .or(allow_client);
    let api = api.or(info).or(groups).or(group);
    checked()
        .and(
            warp::path!("api" / "v1" / "sse" / ..)
                .and(api)
                .or(file(files)),
        )
        .recover(refused)
}

async fn stream(sse: Sse, app: App, query: Option<String>) -> Result<SseResponse, Refusal> {
    let (group, id) = api::query::<StreamQuery>(query.as_deref())?.names()?;
    let query = query.as_deref();
    app.open(|id| sse.client(id), [&group, &id], query).await
}

async fn stream_of(
    [group, id]: [String; 2],
    sse: Sse,
    app: App,
    query: Option<String>,
) -> Result<SseResponse, Refusal> {
    let query = query.as_deref();
    app.open(|id| sse.client(id), [&group, &id], query).await
}

/// The file that the path names.
fn file(files: Vec<Asset>) -> impl Filter<Extract = (Answer,), Error = Rejection> + Clone {
    let files: Arc<[Asset]> = files.into();
    warp::path::full()
        .and_then(move |path: FullPath| {
            let file = files.iter().find(|file| file.path() == path.as_str());
            std::future::ready(file.cloned().ok_or_else(warp::reject::not_found))
        })
        .and(allow(READ_METHODS))
        .map(|file: Asset| Answer(file.response()))
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

/// The names in the rest of the path; a path that has others of them is another's.
fn names<const N: usize>() -> impl Filter<Extract = ([String; N],), Error = Rejection> + Copy {
    warp::path::tail().and_then(|tail: Tail| async move {
        api::names(tail.as_str()).map_err(|refusal| match refusal {
            Refusal::NotFound => warp::reject::not_found(),
            refusal => refusal.into(),
        })
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

/// Rejects what no route may take: a query that isn't UTF-8, and a path of the API with a slash at its
/// end, which warp would overlook.
fn checked() -> impl Filter<Extract = (), Error = Rejection> + Copy {
    raw_query()
        .and(warp::path::full())
        .and_then(|query: Option<String>, path: FullPath| async move {
            api::check_query(query.as_deref())?;
            let is_of_api = path.as_str().starts_with("/api/");
            if is_of_api && path.as_str().ends_with('/') {
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
