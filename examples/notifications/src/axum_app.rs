use axum::{
    Router,
    body::Body,
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, Uri, request::Parts},
    middleware::map_request,
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use example_support::Asset;
use sse_axum::{Sse, SseResponse};

use crate::{
    actions,
    answer::{Answer, Refusal},
    api::{self, ACTION_METHODS, READ_METHODS, STREAM_METHODS, StreamQuery},
    app::App,
};

/// The server on axum: the files of pages, the streams and the API, over `app`.
pub fn app(app: App, files: Vec<Asset>) -> Router {
    let streams = allow(STREAM_METHODS, get(stream_of).post(stream_of));
    let ends = allow(ACTION_METHODS, post(disconnect));
    let api = Router::new()
        .route("/stream", allow(STREAM_METHODS, get(stream).post(stream)))
        .route("/stream/{group}/{id}", streams.clone())
        .route("/send", allow(ACTION_METHODS, post(send)))
        .route("/batch", allow(ACTION_METHODS, post(batch)))
        .route("/app/{action}", allow(ACTION_METHODS, post(act)))
        .route("/disconnect/{group}/{id}", ends.clone())
        .route("/allow/{id}", allow(ACTION_METHODS, post(allow_client)))
        .route("/info", allow(READ_METHODS, get(info)))
        .route("/groups", allow(READ_METHODS, get(list_groups)))
        .route("/groups/{group}", allow(READ_METHODS, get(list_group)))
        // Which a parameter doesn't match: an empty group.
        .route("/stream//{id}", streams)
        .route("/disconnect//{id}", ends);
    files
        .into_iter()
        .fold(Router::new().nest("/api/v1/sse", api), |router, file| {
            let path = file.path().to_owned();
            let file = get(async move || Answer(file.response()));
            router.route(&path, allow(READ_METHODS, file))
        })
        .fallback(async || Refusal::NotFound)
        .layer(map_request(checked))
        .with_state(app)
}

/// Says which methods there are where a request has another.
fn allow(allow: &'static str, route: MethodRouter<App>) -> MethodRouter<App> {
    route.fallback(async move || Refusal::MethodNotAllowed { allow })
}

/// Refuses what no route may take: a query that isn't UTF-8.
async fn checked(request: Request) -> Result<Request, Refusal> {
    api::check_query(request.uri().query())?;
    Ok(request)
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        self.0.map(Body::from)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.answer().into_response()
    }
}

/// The names behind the first segment of a path, the empty one too.
struct Names<const N: usize>([String; N]);

impl<S: Sync, const N: usize> FromRequestParts<S> for Names<N> {
    type Rejection = Refusal;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let tail = head.uri.path().splitn(3, '/').nth(2);
        api::names(tail.unwrap_or_default()).map(Self)
    }
}

async fn stream(State(app): State<App>, uri: Uri, sse: Sse) -> Result<SseResponse, Refusal> {
    let (group, id) = api::query::<StreamQuery>(uri.query())?.names()?;
    app.open(|id| sse.client(id), [&group, &id], uri.query())
        .await
}

async fn stream_of(
    State(app): State<App>,
    Names([group, id]): Names<2>,
    uri: Uri,
    sse: Sse,
) -> Result<SseResponse, Refusal> {
    app.open(|id| sse.client(id), [&group, &id], uri.query())
        .await
}

async fn act(
    State(app): State<App>,
    Names([action]): Names<1>,
    headers: HeaderMap,
    body: Body,
) -> Result<Answer, Refusal> {
    actions::act(&app, &action, &headers, body.into_data_stream()).await
}

async fn batch(State(app): State<App>, headers: HeaderMap, body: Body) -> Result<Answer, Refusal> {
    api::batch(&app.hub, &headers, body.into_data_stream()).await
}

async fn send(State(app): State<App>, headers: HeaderMap, body: Body) -> Result<Answer, Refusal> {
    api::send(&app.hub, &headers, body.into_data_stream()).await
}

async fn disconnect(
    State(app): State<App>,
    Names([group, id]): Names<2>,
    uri: Uri,
) -> Result<Answer, Refusal> {
    api::disconnect(&app.hub, &group, &id, &api::query(uri.query())?)
}

async fn allow_client(State(app): State<App>, Names([id]): Names<1>) -> Result<Answer, Refusal> {
    api::allow(&app.hub, &id)
}

async fn info(State(app): State<App>) -> Result<Answer, Refusal> {
    api::info(&app.hub).await
}

async fn list_groups(State(app): State<App>, uri: Uri) -> Result<Answer, Refusal> {
    Ok(api::groups(&app.hub, &api::query(uri.query())?))
}

async fn list_group(
    State(app): State<App>,
    Names([group]): Names<1>,
    uri: Uri,
) -> Result<Answer, Refusal> {
    api::group(&app.hub, &group, &api::query(uri.query())?)
}
