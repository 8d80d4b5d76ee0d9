//! With a Redis that comes and goes.

use std::time::Duration;

use serde_json::{Value, json};
use sse_conformance::{StreamClient, eventually};
use tonic::Code;

use crate::support::{Redis, Server, note};

const HOUR: Duration = Duration::from_secs(3600);
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn without_one_it_says_so() {
    let server = Server::start().await;
    let line = "Without Redis: revoked tokens and important events are forgotten at the end";
    assert_eq!(server.said[2], line);
    let redis = Redis::start().await;
    let server = Server::with_redis(&redis.url(), &[]).await;
    assert_eq!(
        server.said[2],
        "Revoked tokens and important events are kept in Redis"
    );
}

#[tokio::test]
async fn while_it_is_away_streams_go_on_and_new_ones_are_to_come_back() {
    let redis = Redis::start().await;
    let server = Server::with_redis(&redis.url(), &[]).await;
    let token = Server::token("ada", &[], HOUR);
    let mut stream = server.stream(&token).await;
    stream.next_named("caught-up").await;
    let stopped = redis.stop().await;
    let log = server.log.clone();
    let is_away = || log.text().contains("Redis can't be reached");
    eventually("Redis is missed", PATIENCE, is_away).await;

    let mut service = server.service().await;
    let pushed = service.push_to_users(note("ada", "1")).await.unwrap();
    assert_eq!(pushed.into_inner().queued, 1);
    assert_eq!(stream.next_event().await.data, "1");
    let important = gateway::proto::PushToUsersRequest {
        important: true,
        ..note("ada", "2")
    };
    let status = service.push_to_users(important).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);

    let path = format!("/sse?token={token}");
    let mut page = StreamClient::open(server.http, &path)
        .header("accept", "text/event-stream")
        .await;
    let refused = page.next_event().await;
    let data: Value = serde_json::from_str(&refused.data).unwrap();
    assert_eq!(
        (&*refused.event, &data["reason"]),
        ("refused", &json!("unavailable"))
    );
    let other = StreamClient::open(server.http, &path)
        .header("accept", "*/*")
        .await;
    assert_eq!(other.status(), 503);
    assert!(other.headers().contains_key("retry-after"));
    for path in ["/logout", "/ack"] {
        let body = json!({ "last_event_id": "~0000000000000001.1" });
        let response = server.ask(path, Some(&token), &body).await;
        assert_eq!(response.status, 503, "{}", response.text());
        assert!(response.headers.contains_key("retry-after"));
    }

    // It is there again, and somebody revokes the token before the gateway knows.
    let redis = stopped.start().await;
    let said = jsonwebtoken::dangerous::insecure_decode::<Value>(&token).unwrap();
    redis.revoke(said.claims["jti"].as_str().unwrap()).await;
    let closed = stream.next_named("closed").await;
    assert_eq!(closed.data, r#"{"reason":"revoked"}"#);
    let mut bob = server.open("bob").await;
    bob.next_named("caught-up").await;
}

#[tokio::test]
async fn it_may_come_after_the_gateway() {
    let stopped = crate::support::Stopped::not_yet();
    let server = Server::with_redis(&stopped.url(), &[]).await;
    let token = Server::token("ada", &[], HOUR);
    let path = format!("/sse?token={token}");
    let early = StreamClient::open(server.http, &path)
        .header("accept", "*/*")
        .await;
    assert_eq!(early.status(), 503);
    let _redis = stopped.start().await;
    let mut status = 503;
    while status == 503 {
        status = server.stream(&token).await.status().as_u16();
        if status == 503 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_redis_that_forgets_all_has_revoked_nothing() {
    let redis = Redis::start().await;
    let server = Server::with_redis(&redis.url(), &[]).await;
    let mut stream = server.open("ada").await;
    stream.next_named("caught-up").await;
    let mut connection = redis.connection().await;
    let () = redis::cmd("FLUSHALL")
        .query_async(&mut connection)
        .await
        .unwrap();
    server
        .service()
        .await
        .push_to_users(note("ada", "1"))
        .await
        .unwrap();
    assert_eq!(stream.next_event().await.data, "1");
    // Nor has another gateway taken over.
    let mut bob = server.open("bob").await;
    bob.next_named("caught-up").await;
    let important = gateway::proto::PushToUsersRequest {
        important: true,
        ..note("bob", "2")
    };
    let pushed = server.service().await.push_to_users(important).await;
    assert_eq!(pushed.unwrap().into_inner().queued, 1);
    let mut again = server.open("bob").await;
    assert_eq!(again.next_named("note").await.data, "2");
}
