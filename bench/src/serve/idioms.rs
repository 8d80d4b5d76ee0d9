//! What users write without this library, as the documentation of each framework tells them.

use std::{convert::Infallible, error::Error, net::SocketAddr, time::Duration};

use futures_util::{Stream, StreamExt};
use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio_stream::wrappers::BroadcastStream;

/// What was published since; a reader that was too slow for the channel misses some and goes on.
fn events(receiver: Receiver<String>) -> impl Stream<Item = String> {
    BroadcastStream::new(receiver).filter_map(async |data| data.ok())
}

pub(super) async fn warp(addr: SocketAddr, capacity: usize) -> Result<(), Box<dyn Error>> {
    use warp::{Filter, http::StatusCode, sse};

    let (sender, _) = broadcast::channel(capacity);
    let sender = warp::any().map(move || Sender::clone(&sender));
    let stream = warp::path("events")
        .and(warp::get())
        .and(sender.clone())
        .map(|sender: Sender<String>| {
            let events = events(sender.subscribe());
            let events = events.map(|data| Ok::<_, Infallible>(sse::Event::default().data(data)));
            sse::reply(sse::keep_alive().stream(events))
        });
    let publish = warp::path("publish")
        .and(warp::post())
        .and(warp::body::bytes())
        .and(sender)
        .map(|data: bytes::Bytes, sender: Sender<String>| {
            // An error says that nobody listens.
            drop(sender.send(String::from_utf8_lossy(&data).into_owned()));
            StatusCode::NO_CONTENT
        });
    warp::serve(stream.or(publish)).run(addr).await;
    Ok(())
}

pub(super) async fn poem(addr: SocketAddr, capacity: usize) -> Result<(), Box<dyn Error>> {
    use poem::{
        EndpointExt, Route, Server, get, handler,
        http::StatusCode,
        listener::TcpListener,
        post,
        web::{
            Data,
            sse::{Event, SSE},
        },
    };

    #[handler]
    fn stream(Data(sender): Data<&Sender<String>>) -> SSE {
        let events = events(sender.subscribe());
        SSE::new(events.map(Event::message)).keep_alive(Duration::from_secs(15))
    }

    #[handler]
    fn publish(data: String, Data(sender): Data<&Sender<String>>) -> StatusCode {
        drop(sender.send(data));
        StatusCode::NO_CONTENT
    }

    let app = Route::new()
        .at("/events", get(stream))
        .at("/publish", post(publish))
        .data(broadcast::channel::<String>(capacity).0);
    Ok(Server::new(TcpListener::bind(addr)).run(app).await?)
}

pub(super) async fn axum(addr: SocketAddr, capacity: usize) -> Result<(), Box<dyn Error>> {
    use axum::{
        Router,
        extract::State,
        http::StatusCode,
        response::{
            Sse,
            sse::{Event, KeepAlive},
        },
        routing::{get, post},
    };

    async fn stream(
        State(sender): State<Sender<String>>,
    ) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
        let events = events(sender.subscribe());
        Sse::new(events.map(|data| Ok(Event::default().data(data))))
            .keep_alive(KeepAlive::default())
    }

    async fn publish(State(sender): State<Sender<String>>, data: String) -> StatusCode {
        drop(sender.send(data));
        StatusCode::NO_CONTENT
    }

    let app = Router::new()
        .route("/events", get(stream))
        .route("/publish", post(publish))
        .with_state(broadcast::channel(capacity).0);
    let listener = tokio::net::TcpListener::bind(addr).await?;
    Ok(axum::serve(listener, app).await?)
}
