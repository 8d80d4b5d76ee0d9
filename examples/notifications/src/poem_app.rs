use percent_encoding::percent_decode_str;
use poem::{
    Body, Endpoint, EndpointExt, IntoResponse, Request, Response, Route, RouteMethod,
    error::{MethodNotAllowedError, ReadBodyError},
    get, handler,
    http::{StatusCode, header},
    post,
    web::{Data, Json, Path, Query},
};
use serde::Serialize;
use sse_core::Hub;
use sse_poem::{Sse, SseResponse};

use crate::{
    answer::{Refusal, error},
    api::{self, MAX_BODY, PageQuery, StreamQuery},
    page::{ASSETS, Asset, CONTENT_SECURITY_POLICY},
};

/// The server on poem: the page, the streams and the API, over `hub`.
pub fn app(hub: Hub) -> impl Endpoint {
    let streams = |route: RouteMethod| allow("GET, HEAD, POST", route);
    let api = Route::new()
        .at("/stream", streams(get(stream).post(stream).head(stream)))
        .at(
            "/stream/:group/:id",
            streams(get(stream_of).post(stream_of).head(stream_of)),
        )
        .at("/send", allow("POST", post(send)))
        .at("/disconnect/:group/:id", allow("POST", post(disconnect)))
        .at("/info", allow("GET, HEAD", get(info)))
        .at("/groups", allow("GET, HEAD", get(list_groups)))
        .at("/groups/:group", allow("GET, HEAD", get(list_group)));
    ASSETS
        .into_iter()
        .fold(Route::new().nest("/api/v1/sse", api), |route, asset| {
            let page = get(poem::endpoint::make_sync(move |_| page(asset)));
            route.at(asset.path, allow("GET, HEAD", page))
        })
        .data(hub)
        .before(|request| async move { utf8_query(request) })
        .catch_all_error(|refused: poem::Error| async move {
            if refused.is_from_response() {
                return refused.into_response();
            }
            json(refused.status(), error(&refused.to_string()))
        })
}

/// Refuses a query that isn't UTF-8, which would be changed silently (percent-encoded or not).
fn utf8_query(request: Request) -> poem::Result<Request> {
    let query = request.uri().query().unwrap_or_default();
    if percent_decode_str(query).decode_utf8().is_ok() {
        return Ok(request);
    }
    let refusal = Refusal::BadRequest("query: not UTF-8".to_owned());
    Err(poem::Error::from_response(refuse(&refusal)))
}

/// Says which methods there are where a request has another (RFC 9110, 15.5.6).
fn allow(methods: &'static str, route: RouteMethod) -> impl Endpoint<Output = Response> {
    route.catch_error(move |refused: MethodNotAllowedError| async move {
        let refused = error(&refused.to_string());
        json(StatusCode::METHOD_NOT_ALLOWED, refused)
            .with_header(header::ALLOW, methods)
            .into_response()
    })
}

#[handler]
async fn stream(
    sse: Sse,
    names: poem::Result<Query<StreamQuery>>,
    Data(hub): Data<&Hub>,
) -> Response {
    match query(names).and_then(StreamQuery::names) {
        Ok((id, group)) => open(sse, &id, &group, hub).await.into_response(),
        Err(refusal) => refuse(&refusal),
    }
}

#[handler]
async fn stream_of(
    sse: Sse,
    Path((group, id)): Path<(String, String)>,
    Data(hub): Data<&Hub>,
) -> SseResponse {
    open(sse, &id, &group, hub).await
}

async fn open(sse: Sse, id: &str, group: &str, hub: &Hub) -> SseResponse {
    sse.client(id).group(group).open(hub).await
}

#[handler]
async fn send(request: &Request, body: Body, Data(hub): Data<&Hub>) -> Response {
    if !api::is_json(request.content_type()) {
        return refuse(&Refusal::NotJson);
    }
    let sent = match body.into_bytes_limit(MAX_BODY).await {
        Ok(body) => api::send(hub, &body).await,
        Err(ReadBodyError::PayloadTooLarge) => Err(Refusal::TooLarge(MAX_BODY)),
        Err(error) => Err(Refusal::BadRequest(error.to_string())),
    };
    answer(sent)
}

#[handler]
fn disconnect(Path((group, id)): Path<(String, String)>, Data(hub): Data<&Hub>) -> Response {
    answer(api::disconnect(hub, &group, &id))
}

#[handler]
fn info(Data(hub): Data<&Hub>) -> Response {
    json(StatusCode::OK, hub.info())
}

#[handler]
fn list_groups(page: poem::Result<Query<PageQuery>>, Data(hub): Data<&Hub>) -> Response {
    answer(query(page).map(|page| api::groups(hub, &page)))
}

#[handler]
fn list_group(
    Path(name): Path<String>,
    page: poem::Result<Query<PageQuery>>,
    Data(hub): Data<&Hub>,
) -> Response {
    answer(query(page).and_then(|page| api::group(hub, &name, &page)))
}

fn query<T>(parsed: poem::Result<Query<T>>) -> Result<T, Refusal> {
    let parsed = parsed.map(|Query(query)| query);
    parsed.map_err(|error| Refusal::BadRequest(format!("query: {error}")))
}

fn page(asset: Asset) -> Response {
    Response::builder()
        .content_type(asset.content_type)
        .header(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY)
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::CACHE_CONTROL, "no-cache")
        .body(asset.content)
}

fn answer(result: Result<impl Serialize + Send, Refusal>) -> Response {
    match result {
        Ok(answer) => json(StatusCode::OK, answer),
        Err(refusal) => refuse(&refusal),
    }
}

fn refuse(refusal: &Refusal) -> Response {
    json(refusal.status(), refusal.json())
}

fn json(status: StatusCode, answer: impl Serialize + Send) -> Response {
    Json(answer).with_status(status).into_response()
}
