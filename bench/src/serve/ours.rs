//! This library.

use std::{error::Error, net::SocketAddr};

use axum::extract::State;
use poem::{
    Endpoint, EndpointExt, Route, get, handler,
    http::StatusCode,
    listener::TcpAcceptor,
    post,
    web::{Data, Query},
};
use serde::Deserialize;
use sse_core::{Event, Hub, HubConfig, PublishError};
use sse_net::Server;
use sse_poem::CloseAware;
use warp::Filter;

/// Whose a stream is, or whom an event is for.
#[derive(Debug, Deserialize)]
struct Names {
    client: Option<String>,
    group: Option<String>,
}

/// A hub in which so many events wait for each connection.
pub(super) fn hub(history: bool, queue: usize) -> Result<Hub, Box<dyn Error>> {
    let mut config = HubConfig::default();
    config.queue_events = queue;
    config.queue_bytes = 64 * 1024 * 1024;
    if !history {
        config.history_events = 0;
    }
    Ok(Hub::builder().config(config).build()?)
}

async fn publish(hub: &Hub, to: Names, data: String) -> StatusCode {
    let event = Event::text(data);
    let published = match to {
        Names {
            client: Some(client),
            ..
        } => hub.send_to(client, event).await,
        Names {
            group: Some(group), ..
        } => hub.send_group(group, event).await,
        _ => hub.broadcast(event).await,
    };
    match published {
        Ok(_) => StatusCode::NO_CONTENT,
        Err(PublishError::Busy) => StatusCode::SERVICE_UNAVAILABLE,
        Err(_) => StatusCode::BAD_REQUEST,
    }
}

#[handler]
async fn poem_events(
    sse: sse_poem::Sse,
    Query(names): Query<Names>,
    Data(hub): Data<&Hub>,
) -> sse_poem::SseResponse {
    let stream = sse.client(names.client.as_deref().unwrap_or("anyone"));
    let stream = names
        .group
        .into_iter()
        .fold(stream, sse_poem::SseClient::group);
    stream.open(hub).await
}

#[handler]
async fn poem_publish(Query(to): Query<Names>, data: String, Data(hub): Data<&Hub>) -> StatusCode {
    publish(hub, to, data).await
}

fn poem_app(hub: Hub) -> impl Endpoint {
    Route::new()
        .at("/events", get(poem_events))
        .at("/publish", post(poem_publish))
        .data(hub)
}

fn warp_app(
    hub: Hub,
) -> impl Filter<Extract = (impl warp::Reply,), Error = warp::Rejection> + Clone {
    let hub = warp::any().map(move || hub.clone());
    let events = warp::path!("events")
        .and(sse_warp::sse())
        .and(warp::query())
        .and(hub.clone())
        .then(async |sse: sse_warp::Sse, names: Names, hub: Hub| {
            let stream = sse.client(names.client.as_deref().unwrap_or("anyone"));
            let stream = names
                .group
                .into_iter()
                .fold(stream, sse_warp::SseClient::group);
            stream.open(&hub).await
        });
    let publish = warp::path!("publish")
        .and(warp::post())
        .and(warp::query())
        .and(warp::body::bytes())
        .and(hub)
        .then(async |to: Names, data: bytes::Bytes, hub: Hub| {
            let data = String::from_utf8_lossy(&data).into_owned();
            publish(&hub, to, data).await
        });
    events.or(publish)
}

async fn axum_events(
    State(hub): State<Hub>,
    axum::extract::Query(names): axum::extract::Query<Names>,
    sse: sse_axum::Sse,
) -> sse_axum::SseResponse {
    let stream = sse.client(names.client.as_deref().unwrap_or("anyone"));
    let stream = names
        .group
        .into_iter()
        .fold(stream, sse_axum::SseClient::group);
    stream.open(&hub).await
}

async fn axum_publish(
    State(hub): State<Hub>,
    axum::extract::Query(to): axum::extract::Query<Names>,
    data: String,
) -> StatusCode {
    publish(&hub, to, data).await
}

fn axum_app(hub: Hub) -> axum::Router {
    axum::Router::new()
        .route("/events", axum::routing::get(axum_events))
        .route("/publish", axum::routing::post(axum_publish))
        .with_state(hub)
}

pub(super) async fn poem_on_own_loop(addr: SocketAddr, hub: Hub) -> Result<(), Box<dyn Error>> {
    let never = Server::bind(addr)?
        .serve(sse_poem::service(poem_app(hub)))
        .await;
    match never {}
}

pub(super) async fn poem_on_its_own(addr: SocketAddr, hub: Hub) -> Result<(), Box<dyn Error>> {
    let listener = TcpAcceptor::from_tokio(sse_net::listen(addr)?)?;
    let server = poem::Server::new_with_acceptor(CloseAware::new(listener));
    Ok(server.run(poem_app(hub)).await?)
}

pub(super) async fn warp_on_own_loop(addr: SocketAddr, hub: Hub) -> Result<(), Box<dyn Error>> {
    let never = Server::bind(addr)?
        .serve(sse_warp::service(warp_app(hub)))
        .await;
    match never {}
}

pub(super) async fn warp_on_its_own(addr: SocketAddr, hub: Hub) -> Result<(), Box<dyn Error>> {
    let server = warp::serve(warp_app(hub)).incoming(sse_net::listen(addr)?);
    server.run().await;
    Ok(())
}

pub(super) async fn axum_on_own_loop(addr: SocketAddr, hub: Hub) -> Result<(), Box<dyn Error>> {
    let never = Server::bind(addr)?
        .serve(sse_axum::service(axum_app(hub)))
        .await;
    match never {}
}

pub(super) async fn axum_on_its_own(addr: SocketAddr, hub: Hub) -> Result<(), Box<dyn Error>> {
    Ok(axum::serve(sse_net::listen(addr)?, axum_app(hub)).await?)
}
