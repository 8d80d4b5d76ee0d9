//! The server on poem.

use std::sync::Arc;

use bytes::Bytes;
use poem::{
    Body, Endpoint, EndpointExt, IntoResponse, Request, Response, Route, RouteMethod,
    error::{MethodNotAllowedError, NotFoundError, ParsePathError, ResponseError},
    get, handler,
    http::{self, HeaderMap, StatusCode},
    post,
    web::{Data, Path},
};
use sse_poem::{Sse, SseResponse};

use crate::{
    manager::{Answer, Manager, Refusal, User},
    page,
};

/// The page and the API. Routes that need a user are behind the authentication.
pub(crate) fn app(manager: Arc<Manager>) -> impl Endpoint {
    let stream = get(events.around(authenticated)).head(events.around(authenticated));
    let route = Route::new()
        .at("/login", allow("POST", post(login)))
        .at("/logout", allow("POST", post(logout)))
        .at("/events", allow("GET, HEAD", stream))
        .at(
            "/broadcast",
            allow("POST", post(broadcast.around(authenticated))),
        )
        .at(
            "/users/:user",
            allow("GET, HEAD", get(has_connections.around(authenticated))),
        );
    page::files()
        .into_iter()
        .fold(route, |route, file| {
            let path = file.path().to_owned();
            let file = poem::endpoint::make_sync(move |_| response(file.response()));
            route.at(path, allow("GET, HEAD", get(file)))
        })
        .data(manager)
        .catch_error(async |_: ParsePathError| Refusal::NotFound.as_response())
        .catch_error(async |_: NotFoundError| Refusal::NotFound.as_response())
}

/// Hands the user on to the handler, or refuses the request.
async fn authenticated<E: Endpoint>(next: Arc<E>, mut request: Request) -> poem::Result<E::Output> {
    let manager = request
        .data::<Arc<Manager>>()
        .ok_or(Refusal::Unauthorized)?;
    let user = manager.user_of(request.headers())?;
    request.set_data(user);
    next.call(request).await
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
async fn events(
    sse: Sse,
    headers: &HeaderMap,
    Data(user): Data<&User>,
    Data(manager): Data<&Arc<Manager>>,
) -> SseResponse {
    manager.open(|user| sse.client(user), user, headers).await
}

#[handler]
async fn login(
    headers: &HeaderMap,
    body: Body,
    Data(manager): Data<&Arc<Manager>>,
) -> Result<Response, Refusal> {
    answer(manager.login(headers, body.into_bytes_stream()).await)
}

#[handler]
fn logout(headers: &HeaderMap, Data(manager): Data<&Arc<Manager>>) -> Result<Response, Refusal> {
    answer(manager.logout(headers))
}

#[handler]
fn has_connections(
    Path(user): Path<String>,
    Data(manager): Data<&Arc<Manager>>,
) -> Result<Response, Refusal> {
    answer(manager.has_connections(&user))
}

#[handler]
async fn broadcast(
    headers: &HeaderMap,
    body: Body,
    Data(user): Data<&User>,
    Data(manager): Data<&Arc<Manager>>,
) -> Result<Response, Refusal> {
    let body = body.into_bytes_stream();
    answer(manager.broadcast(user, headers, body).await)
}
