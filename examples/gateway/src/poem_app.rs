//! The gateway's HTTP side, on poem.

use std::sync::Arc;

use bytes::Bytes;
use poem::{
    Body, Endpoint, EndpointExt, IntoResponse, Response, Route, RouteMethod,
    error::{MethodNotAllowedError, NotFoundError, ResponseError},
    get, handler,
    http::{self, HeaderMap, StatusCode, Uri},
    post,
    web::Data,
};
use sse_poem::{Sse, SseResponse};

use crate::{
    answer::{Answer, Refusal},
    api,
    gateway::Gateway,
    page,
};

/// The page, the streams, and what clients ask.
pub fn app(gateway: Arc<Gateway>) -> impl Endpoint {
    let route = Route::new()
        .at("/sse", allow("GET, HEAD", get(stream).head(stream)))
        .at("/login", allow("POST", post(login)))
        .at("/logout", allow("POST", post(logout)))
        .at("/ack", allow("POST", post(ack)));
    page::files()
        .into_iter()
        .fold(route, |route, file| {
            let path = file.path().to_owned();
            let file = poem::endpoint::make_sync(move |_| response(file.response()));
            route.at(path, allow("GET, HEAD", get(file)))
        })
        .data(gateway)
        .catch_error(async |_: NotFoundError| Refusal::NotFound.as_response())
}

/// Says which methods there are where a request has another.
fn allow(allow: &'static str, route: RouteMethod) -> impl Endpoint<Output = Response> {
    route.catch_error(move |_: MethodNotAllowedError| async move {
        Refusal::MethodNotAllowed(allow).as_response()
    })
}

impl ResponseError for Refusal {
    fn status(&self) -> StatusCode {
        self.status()
    }

    fn as_response(&self) -> Response {
        response(self.response())
    }
}

fn response(whole: http::Response<Bytes>) -> Response {
    let (head, body) = whole.into_parts();
    (head.status, head.headers, Body::from(body)).into_response()
}

fn answer(answer: Answer) -> Result<Response, Refusal> {
    answer.map(response)
}

#[handler]
async fn stream(
    sse: Sse,
    uri: &Uri,
    headers: &HeaderMap,
    Data(gateway): Data<&Arc<Gateway>>,
) -> Result<SseResponse, Refusal> {
    let token = api::token(headers, uri.query())?;
    gateway.open(&token, |user| sse.client(user)).await
}

#[handler]
async fn login(
    headers: &HeaderMap,
    body: Body,
    Data(gateway): Data<&Arc<Gateway>>,
) -> Result<Response, Refusal> {
    answer(gateway.login(headers, body.into_bytes_stream()).await)
}

#[handler]
async fn logout(
    headers: &HeaderMap,
    Data(gateway): Data<&Arc<Gateway>>,
) -> Result<Response, Refusal> {
    answer(gateway.logout(headers).await)
}

#[handler]
async fn ack(
    headers: &HeaderMap,
    body: Body,
    Data(gateway): Data<&Arc<Gateway>>,
) -> Result<Response, Refusal> {
    answer(gateway.ack(headers, body.into_bytes_stream()).await)
}
