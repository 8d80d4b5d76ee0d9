//! What is axum's own; what every adapter does is in `conformance.rs`.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::{ConnectInfo, Path, State, rejection::ExtensionRejection},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sse_axum::{Sse, SseError, SseResponse};
use sse_conformance::{End, StreamClient, eventually, request};
use sse_core::{Drain, Event, Hub, Subscribe, Target};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    time::timeout,
};

use crate::support::{Way, listen};

const A_SECOND: Duration = Duration::from_secs(1);

fn hub() -> Hub {
    Hub::builder().build().unwrap()
}

async fn open(State(hub): State<Hub>, Path(client): Path<String>, sse: Sse) -> SseResponse {
    sse.client(client).open(&hub).await
}

/// Says in a header which connection it is.
async fn subscribe(
    State(hub): State<Hub>,
    Path(client): Path<String>,
    sse: Sse,
) -> Result<Response, SseError> {
    let subscription = sse.client(client).subscribe(&hub).await?;
    let id = [("x-connection", subscription.id().to_string())];
    Ok((id, SseResponse::from(subscription)).into_response())
}

/// Whose stream it is stands in the body.
async fn by_body(State(hub): State<Hub>, sse: Sse, client: String) -> SseResponse {
    sse.client(client).open(&hub).await
}

type Connect = Result<ConnectInfo<SocketAddr>, ExtensionRejection>;

async fn addresses(sse: Sse, connect: Connect) -> String {
    let connect = connect.ok().map(|info| info.0);
    format!("{:?} {connect:?}", sse.peer_addr())
}

fn app(hub: &Hub) -> Router {
    Router::new()
        .route("/stream/{client}", get(open))
        .route("/subscribe/{client}", get(subscribe))
        .route("/by-body", post(by_body))
        .route("/addresses", get(addresses))
        .with_state(hub.clone())
}

#[tokio::test]
async fn a_route_for_get_answers_head_and_registers_nothing() {
    for way in Way::ALL {
        let hub = hub();
        let mut presence = hub.presence();
        let addr = way.serve(app(&hub)).await;
        let head = request(addr, "HEAD", "/stream/ada", &[], "").await;
        assert_eq!((head.status.as_u16(), &*head.body), (200, &b""[..]));
        let none = timeout(Duration::from_millis(50), presence.next()).await;
        assert!(none.is_err(), "a HEAD was announced: {none:?}");
        assert_eq!(hub.info().ended.client_gone, 0, "{way:?}");
        let stream = StreamClient::open(addr, "/stream/ada").await;
        for name in ["content-type", "cache-control", "x-accel-buffering"] {
            assert_eq!(head.headers[name], stream.headers()[name], "{name}");
        }
        let put = request(addr, "PUT", "/stream/ada", &[], "").await;
        assert_eq!(put.status, 405, "{way:?}");
    }
}

#[tokio::test]
async fn a_handler_may_return_the_error() {
    for way in Way::ALL {
        let hub = hub();
        let addr = way.serve(app(&hub)).await;
        let refused = request(addr, "GET", "/subscribe/a%0ab", &[], "").await;
        assert_eq!(refused.status, 400);
        assert_eq!(refused.headers["content-type"], "application/json");
        let told = "client id has the control character '\\n' at byte 1";
        assert_eq!(refused.json::<Value>(), json!({ "error": told }));
        let mut client = StreamClient::open(addr, "/subscribe/ada").await;
        let id = client.headers()["x-connection"].clone();
        let opening = client.next_named("connected").await.data;
        assert!(opening.contains(id.to_str().unwrap()), "{way:?}: {opening}");
    }
}

#[tokio::test]
async fn the_body_is_left_to_other_extractors() {
    for way in Way::ALL {
        let hub = hub();
        let addr = way.serve(app(&hub)).await;
        let call = StreamClient::open(addr, "/by-body").method("POST");
        let opening = call.body("ada").await.next_named("connected").await.data;
        let opening: Value = serde_json::from_str(&opening).unwrap();
        assert_eq!(opening["client_id"], "ada", "{way:?}");
    }
}

#[tokio::test]
async fn the_peer_is_who_the_server_says() {
    for way in Way::ALL {
        let addr = way.serve(app(&hub())).await;
        let mut client = TcpStream::connect(addr).await.unwrap();
        let ours = client.local_addr().unwrap();
        let get = b"GET /addresses HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        client.write_all(get).await.unwrap();
        let mut response = String::new();
        client.read_to_string(&mut response).await.unwrap();
        let told = response.split_once("\r\n\r\n").unwrap().1;
        assert_eq!(told, format!("Some({ours}) Some({ours})"), "{way:?}");
    }
    let (listener, addr) = listen();
    let app = app(&hub());
    tokio::spawn(async { axum::serve(listener, app).await });
    let told = request(addr, "GET", "/addresses", &[], "").await.text();
    assert_eq!(told, "None None", "served without it");
}

#[tokio::test]
async fn a_client_that_closes_is_gone_at_once() {
    for way in Way::ALL {
        let hub = Hub::builder().heartbeat(None).build().unwrap();
        let addr = way.serve(app(&hub)).await;
        let mut client = StreamClient::open(addr, "/stream/ada").await;
        client.next_named("connected").await;
        drop(client);
        eventually("it is gone", A_SECOND, || hub.info().connections == 0).await;
    }
}

/// Alone it would wait for ever: the streams have to be ended first.
#[tokio::test]
async fn axums_graceful_shutdown_finishes_by_itself_behind_the_hubs() {
    let hub = hub();
    let (listener, addr) = listen();
    let (stop, stopped) = oneshot::channel();
    let ending = {
        let hub = hub.clone();
        async move {
            stopped.await.unwrap();
            let drain = Drain {
                over: Duration::from_millis(200),
                ..Drain::default()
            };
            assert_eq!(hub.shutdown(drain).await.clean, 20);
        }
    };
    let server = axum::serve(listener, app(&hub)).with_graceful_shutdown(ending);
    let server = tokio::spawn(async { server.await });
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = StreamClient::open(addr, "/stream/ada").await;
        client.next_named("connected").await;
        clients.push(client);
    }
    stop.send(()).unwrap();
    for client in &mut clients {
        client.next_named("reconnect").await;
        assert_eq!(client.ended().await, End::Clean);
    }
    let finished = timeout(Duration::from_secs(5), server).await;
    finished.expect("it finishes by itself").unwrap().unwrap();
}

#[tokio::test]
async fn a_response_hands_on_the_bytes_of_an_event_as_they_are() {
    let hub = hub();
    let open = async |client| {
        let subscribe = Subscribe::client_id(client).unwrap();
        hub.subscribe(subscribe).await.unwrap()
    };
    let through_axum = SseResponse::from(open("ada").await).into_response();
    let mut through_axum = through_axum.into_body();
    let mut direct = open("bob").await.into_body();
    let mut pieces = async || {
        let axum = through_axum.frame().await.unwrap().unwrap();
        let direct = direct.frame().await.unwrap().unwrap();
        [axum, direct].map(|frame| frame.into_data().unwrap())
    };
    pieces().await; // the opening events, each its own
    for len in [1, 5_000, 500_000] {
        let event = Event::text("x".repeat(len));
        hub.broadcast(event).await.unwrap();
        let [through_axum, direct] = pieces().await;
        assert_eq!(through_axum.as_ptr(), direct.as_ptr(), "{len}");
        assert_eq!(through_axum.len(), direct.len(), "{len}");
    }
    assert!(hub.disconnect(&Target::everybody()) > 0);
}
