use std::time::Duration;

use axum::{
    Router,
    body::Body,
    http::{Response, StatusCode},
    response::IntoResponse,
    routing::{MethodRouter, get},
};
use bytes::Bytes;
use example_support::{Asset, error};
use sse_core::Hub;

use crate::{chunks, own, shared};

fn files() -> [Asset; 4] {
    [
        Asset::base_style(),
        Asset::new("/", include_str!("../page/index.html")),
        Asset::new("/style.css", include_str!("../page/style.css")),
        Asset::new("/app.js", include_str!("../page/app.js")),
    ]
}

/// The pages and the streams, over `hub`; streams of their own tell the time so often.
pub(crate) fn app(hub: Hub, every: Duration) -> Router {
    let router = Router::new()
        .route("/time", read(get(own::stream)))
        .route("/sse", read(get(shared::stream)))
        .route("/chunks", read(get(chunks::page)));
    files()
        .into_iter()
        .fold(router, |router, file| {
            let path = file.path().to_owned();
            let file = get(async move || answer(file.response()));
            router.route(&path, read(file))
        })
        .fallback(async || answer(error(StatusCode::NOT_FOUND, "not found")))
        .with_state(App { hub, every })
}

/// What the handlers share.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) hub: Hub,
    /// How often a stream of its own tells the time.
    pub(crate) every: Duration,
}

/// A route that is only read.
fn read(route: MethodRouter<App>) -> MethodRouter<App> {
    route.fallback(async || {
        let refused = error(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
        ([("allow", "GET, HEAD")], answer(refused))
    })
}

pub(crate) fn answer(response: Response<Bytes>) -> impl IntoResponse {
    response.map(Body::from)
}
