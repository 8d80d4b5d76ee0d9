//! How the extractor and the replies compose with warp's own filters.

use std::net::SocketAddr;

use crate::support::{Way, stream, with};
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sse_conformance::{Response, StreamClient, request};
use sse_core::{Event, Hub, Subscribe, Target};
use sse_warp::{Sse, SseError, SseResponse};
use warp::{Filter, Rejection, Reply, http::StatusCode, path::FullPath, reply::with_status};

fn hub() -> Hub {
    Hub::builder().build().unwrap()
}

async fn ask(addr: SocketAddr, method: &str, path: &str) -> Response {
    request(addr, method, path, &[], "").await
}

#[tokio::test]
async fn other_methods_are_rejected_and_may_have_routes_of_their_own() {
    let hub = hub();
    let deleted = warp::path!("stream" / String).and(warp::delete());
    let deleted = deleted.map(|client| format!("deleted {client}"));
    let addr = Way::WarpServe.serve(stream(&hub).or(deleted).boxed()).await;
    for method in ["PUT", "PATCH", "OPTIONS"] {
        let response = ask(addr, method, "/stream/ada").await;
        assert_eq!(response.status, 405, "{method}");
    }
    assert_eq!(
        ask(addr, "DELETE", "/stream/ada").await.text(),
        "deleted ada"
    );
    assert_eq!(ask(addr, "GET", "/nothing").await.status, 404);
    assert_eq!(hub.info().connections, 0);
}

#[tokio::test]
async fn a_head_has_the_headers_of_a_stream_and_registers_nothing() {
    let hub = hub();
    let addr = Way::WarpServe.serve(stream(&hub)).await;
    let head = ask(addr, "HEAD", "/stream/ada").await;
    assert_eq!((head.status.as_u16(), &*head.body), (200, &b""[..]));
    assert_eq!(hub.info().ended.client_gone, 0);
    let get = StreamClient::open(addr, "/stream/ada").await;
    for name in ["content-type", "cache-control", "x-accel-buffering"] {
        assert_eq!(head.headers[name], get.headers()[name], "{name}");
    }
}

#[tokio::test]
async fn a_target_without_a_path_reaches_the_filters_as_one_that_no_path_matches() {
    let path = warp::path::full()
        .map(|path: FullPath| with_status(path.as_str().to_owned(), StatusCode::NOT_FOUND));
    let addr = Way::SseNet.serve(path.boxed()).await;
    for method in ["CONNECT", "GET"] {
        let response = ask(addr, method, "example.org:80").await;
        assert_eq!((response.status.as_u16(), &*response.text()), (404, "*"));
    }
}

#[tokio::test]
async fn the_body_is_left_to_other_filters() {
    let hub = hub();
    let by_body = |sse: Sse, body: Bytes, hub: Hub| async move {
        let client = String::from_utf8(body.to_vec()).unwrap();
        sse.client(client).open(&hub).await
    };
    let before = warp::path!("before")
        .and(warp::body::bytes())
        .and(sse_warp::sse())
        .map(|body: Bytes, sse: Sse| (sse, body))
        .untuple_one()
        .and(with(&hub))
        .then(by_body);
    let after = warp::path!("after")
        .and(sse_warp::sse())
        .and(warp::body::bytes())
        .and(with(&hub))
        .then(by_body);
    let addr = Way::WarpServe.serve(before.or(after).boxed()).await;
    for path in ["/before", "/after"] {
        let call = StreamClient::open(addr, path).method("POST").body("ada");
        let opening = call.await.next_named("connected").await.data;
        let opening: Value = serde_json::from_str(&opening).unwrap();
        assert_eq!(opening["client_id"], "ada", "{path}");
    }
}

#[tokio::test]
async fn the_peer_is_who_the_server_says() {
    let route = warp::path!("peer")
        .and(sse_warp::sse())
        .and(warp::addr::remote())
        .map(|sse: Sse, remote| format!("{:?} {remote:?}", sse.peer_addr()))
        .boxed();
    let call = || warp::test::request().path("/peer");
    assert_eq!(call().filter(&route).await.unwrap(), "None None");
    for way in Way::ALL {
        let addr = way.serve(route.clone()).await;
        let told = ask(addr, "GET", "/peer").await.text();
        let (peer, remote) = told.split_once(' ').unwrap();
        assert!(peer.starts_with("Some(127.0.0.1:"), "{way:?}: {told}");
        match way {
            Way::WarpServe => assert_eq!(remote, peer),
            Way::SseNet => assert_eq!(remote, "None"),
        }
    }
    let [peer, local] = ["192.0.2.1:1", "192.0.2.2:2"].map(|addr| addr.parse().unwrap());
    let call = call().extension(sse_net::SocketInfo::new(peer, local));
    assert_eq!(call.filter(&route).await.unwrap(), "Some(192.0.2.1:1) None");
}

async fn subscribe(client: String, sse: Sse, hub: Hub) -> Result<SseResponse, SseError> {
    let subscription = sse.client(client).subscribe(&hub).await?;
    let last = subscription.last_event_id().cloned();
    hub.send_to("ada", Event::text(format!("{last:?}")))
        .await
        .unwrap();
    Ok(subscription.into())
}

async fn reject(client: String, sse: Sse, hub: Hub) -> Result<SseResponse, Rejection> {
    Ok(subscribe(client, sse, hub).await?)
}

async fn recover(rejection: Rejection) -> Result<SseResponse, Rejection> {
    rejection.find().map(SseError::to_reply).ok_or(rejection)
}

#[tokio::test]
async fn an_error_is_a_reply_and_a_rejection() {
    let hub = hub();
    let request = |path| {
        warp::path(path)
            .and(warp::path!(String))
            .and(sse_warp::sse())
    };
    let replied = request("reply").and(with(&hub)).then(subscribe);
    let rejected = request("reject").and(with(&hub)).and_then(reject);
    let recovered = request("recover").and(with(&hub)).and_then(reject);
    let recovered = recovered.recover(recover);
    let routes = replied.or(rejected).or(recovered).boxed();
    let addr = Way::WarpServe.serve(routes).await;
    for way in ["reply", "reject", "recover"] {
        let path = format!("/{way}/ada?lastEventId=7");
        let mut client = StreamClient::open(addr, &path).await;
        client.next_named("connected").await;
        let message = client.next_named("message").await;
        assert_eq!(message.data, r#"Some(Event("7"))"#);
    }
    let long = "x".repeat(257);
    for way in ["reply", "recover"] {
        let response = ask(addr, "GET", &format!("/{way}/{long}")).await;
        assert_eq!(response.status, 400, "{way}");
        assert_eq!(response.headers["content-type"], "application/json");
        let length = response.body.len().to_string();
        assert_eq!(response.headers["content-length"], *length, "{way}");
        let error = "client id has 257 bytes, more than 256";
        assert_eq!(response.json::<Value>(), json!({"error": error}), "{way}");
        let head = ask(addr, "HEAD", &format!("/{way}/ada")).await;
        assert_eq!(head.status, 200, "{way}");
        assert_eq!(head.headers["content-type"], "text/event-stream");
    }
    let response = ask(addr, "GET", &format!("/reject/{long}")).await;
    assert_eq!(response.status, 500, "nothing recovers it");
}

#[tokio::test]
async fn a_reply_hands_on_the_bytes_of_an_event_as_they_are() {
    let hub = hub();
    let open = async |client| {
        let subscribe = Subscribe::new(client);
        hub.subscribe(subscribe).await.unwrap()
    };
    let subscription = open(sse_core::ClientId::new("ada").unwrap()).await;
    let mut through_warp = SseResponse::from(subscription).into_response().into_body();
    let subscription = open(sse_core::ClientId::new("bob").unwrap()).await;
    let mut direct = subscription.into_body();
    let mut pieces = async || -> [Bytes; 2] {
        let warp = through_warp.frame().await.unwrap().unwrap();
        let direct = direct.frame().await.unwrap().unwrap();
        [warp, direct].map(|frame| frame.into_data().unwrap())
    };
    pieces().await; // the opening events, each its own
    for len in [1, 5_000, 500_000] {
        let event = Event::text("x".repeat(len));
        hub.broadcast(event).await.unwrap();
        let [through_warp, direct] = pieces().await;
        let place = |bytes: &Bytes| (bytes.as_ptr(), bytes.len());
        assert_eq!(place(&through_warp), place(&direct), "{len}");
    }
    assert!(hub.disconnect(&Target::everybody()) > 0);
    assert!(through_warp.frame().await.is_none());
}

#[tokio::test]
async fn a_reply_under_test_returns_with_the_end_of_the_stream() {
    let hub = hub();
    let routes = stream(&hub);
    let reply = warp::test::request().path("/stream/ada").reply(&routes);
    let end = async {
        while hub.disconnect(&Target::everybody()) == 0 {
            tokio::task::yield_now().await;
        }
    };
    let (reply, ()) = tokio::join!(reply, end);
    let body = std::str::from_utf8(reply.body()).unwrap();
    let (id, opening) = body.split_once('\n').unwrap();
    assert!(id.starts_with("id: ~"), "{id}");
    assert!(opening.starts_with("event: connected"), "{opening}");
}
