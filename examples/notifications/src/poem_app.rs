use example_support::Asset;
use poem::{
    Body, Endpoint, EndpointExt, IntoResponse, Request, Response, Route, RouteMethod,
    error::{MethodNotAllowedError, NotFoundError, ParsePathError, ResponseError},
    get, handler,
    http::{HeaderMap, StatusCode, Uri},
    post,
    web::{Data, Path},
};
use sse_poem::{Sse, SseResponse};

use crate::{
    actions,
    answer::{Answer, Refusal},
    api::{self, ACTION_METHODS, READ_METHODS, STREAM_METHODS, StreamQuery},
    app::App,
};

/// The server on poem: the files of pages, the streams and the API, over `app`.
pub fn app(app: App, files: Vec<Asset>) -> impl Endpoint {
    let streams = |route: RouteMethod| allow(STREAM_METHODS, route);
    let api = Route::new()
        .at("/stream", streams(get(stream).post(stream).head(stream)))
        .at(
            "/stream/:group/:id",
            streams(get(stream_of).post(stream_of).head(stream_of)),
        )
        .at("/send", allow(ACTION_METHODS, post(send)))
        .at("/batch", allow(ACTION_METHODS, post(batch)))
        .at("/app/:action", allow(ACTION_METHODS, post(act)))
        .at(
            "/disconnect/:group/:id",
            allow(ACTION_METHODS, post(disconnect)),
        )
        .at("/allow/:id", allow(ACTION_METHODS, post(allow_client)))
        .at("/info", allow(READ_METHODS, get(info)))
        .at("/groups", allow(READ_METHODS, get(list_groups)))
        .at("/groups/:group", allow(READ_METHODS, get(list_group)));
    files
        .into_iter()
        .fold(Route::new().nest("/api/v1/sse", api), |route, file| {
            let path = file.path().to_owned();
            let file = get(poem::endpoint::make_sync(move |_| Answer(file.response())));
            route.at(path, allow(READ_METHODS, file))
        })
        .data(app)
        .before(|request: Request| async move {
            api::check_query(request.uri().query())?;
            Ok(request)
        })
        .catch_error(|_: ParsePathError| async { Refusal::NotUtf8("path").answer() })
        .catch_error(|_: NotFoundError| async { Refusal::NotFound.answer() })
}

/// Says which methods there are where a request has another.
fn allow(allow: &'static str, route: RouteMethod) -> impl Endpoint<Output = Response> {
    route.catch_error(move |_: MethodNotAllowedError| async move {
        Refusal::MethodNotAllowed { allow }.answer()
    })
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let (head, body) = self.0.into_parts();
        (head.status, head.headers, Body::from(body)).into_response()
    }
}

impl ResponseError for Refusal {
    fn status(&self) -> StatusCode {
        self.status()
    }

    fn as_response(&self) -> Response {
        self.answer().into_response()
    }
}

#[handler]
async fn stream(sse: Sse, uri: &Uri, Data(app): Data<&App>) -> Result<SseResponse, Refusal> {
    let (group, id) = api::query::<StreamQuery>(uri.query())?.names()?;
    app.open(|id| sse.client(id), [&group, &id], uri.query())
        .await
}

#[handler]
async fn stream_of(
    sse: Sse,
    Path((group, id)): Path<(String, String)>,
    uri: &Uri,
    Data(app): Data<&App>,
) -> Result<SseResponse, Refusal> {
    app.open(|id| sse.client(id), [&group, &id], uri.query())
        .await
}

#[handler]
async fn act(
    Path(action): Path<String>,
    headers: &HeaderMap,
    body: Body,
    Data(app): Data<&App>,
) -> Result<Answer, Refusal> {
    actions::act(app, &action, headers, body.into_bytes_stream()).await
}

#[handler]
async fn batch(headers: &HeaderMap, body: Body, Data(app): Data<&App>) -> Result<Answer, Refusal> {
    api::batch(&app.hub, headers, body.into_bytes_stream()).await
}

#[handler]
async fn send(headers: &HeaderMap, body: Body, Data(app): Data<&App>) -> Result<Answer, Refusal> {
    api::send(&app.hub, headers, body.into_bytes_stream()).await
}

#[handler]
fn disconnect(
    Path((group, id)): Path<(String, String)>,
    uri: &Uri,
    Data(app): Data<&App>,
) -> Result<Answer, Refusal> {
    api::disconnect(&app.hub, &group, &id, &api::query(uri.query())?)
}

#[handler]
fn allow_client(Path(id): Path<String>, Data(app): Data<&App>) -> Result<Answer, Refusal> {
    api::allow(&app.hub, &id)
}

#[handler]
async fn info(Data(app): Data<&App>) -> Result<Answer, Refusal> {
    api::info(&app.hub).await
}

#[handler]
fn list_groups(uri: &Uri, Data(app): Data<&App>) -> Result<Answer, Refusal> {
    Ok(api::groups(&app.hub, &api::query(uri.query())?))
}

#[handler]
fn list_group(
    Path(group): Path<String>,
    uri: &Uri,
    Data(app): Data<&App>,
) -> Result<Answer, Refusal> {
    api::group(&app.hub, &group, &api::query(uri.query())?)
}
