//! A stream lasts as long as its token.

use std::time::Duration;

use serde_json::{Value, json};
use sse_conformance::{End, StreamClient};

use crate::support::{Redis, SECRET, Server, note};

const HOUR: Duration = Duration::from_secs(3600);

/// Reads to the end; the last is to be a `closed` with this reason.
async fn ends(mut stream: StreamClient, reason: &str) {
    let closed = stream.next_named("closed").await;
    let data: Value = serde_json::from_str(&closed.data).unwrap();
    assert_eq!(data, json!({ "reason": reason }));
    assert_eq!(stream.ended().await, End::Clean);
}

async fn status(server: &Server, token: &str) -> u16 {
    server.stream(token).await.status().as_u16()
}

#[tokio::test]
async fn whoever_logs_out_ends_all_streams_of_his_token_and_no_other() {
    let server = Server::start().await;
    let (token, other) = (
        Server::token("ada", &[], HOUR),
        Server::token("ada", &[], HOUR),
    );
    let mut streams = Vec::new();
    for token in [&token, &token, &other] {
        let mut stream = server.stream(token).await;
        stream.next_named("caught-up").await;
        streams.push(stream);
    }
    let mut last = streams.pop().unwrap();
    let response = server.ask("/logout", Some(&token), &json!({})).await;
    assert_eq!(
        (response.status.as_u16(), response.json::<Value>()),
        (200, json!({ "revoked": true }))
    );
    for stream in streams {
        ends(stream, "revoked").await;
    }
    assert_eq!(status(&server, &token).await, 401);
    assert_eq!(
        server.ask("/logout", Some(&token), &json!({})).await.status,
        401
    );
    let ack = json!({ "last_event_id": "~0000000000000001.1" });
    assert_eq!(server.ask("/ack", Some(&token), &ack).await.status, 401);
    let pushed = server.service().await.push_to_users(note("ada", "1")).await;
    assert_eq!(pushed.unwrap().into_inner().queued, 1);
    assert_eq!(last.next_named("note").await.data, "1");
}

#[tokio::test]
async fn an_expired_token_ends_its_stream() {
    let server = Server::start().await;
    let token = Server::token("ada", &[], Duration::from_secs(6));
    let mut stream = server.stream(&token).await;
    stream.next_named("caught-up").await;
    ends(stream, "expired").await;
    assert_eq!(status(&server, &token).await, 401);
}

/// So much that the sockets don't hold it, and the queue does.
const EVENTS: usize = 90;
const LARGE: usize = 10_000;

#[tokio::test]
async fn what_was_queued_is_not_delivered_once_the_token_is_revoked() {
    let redis = Redis::start().await;
    let server = Server::with_redis(&redis.url(), &[]).await;
    let token = Server::token("ada", &[], HOUR);
    let mut stalled = server.stream(&token).receive_buffer(4_096).await;
    stalled.next_named("caught-up").await;
    let mut service = server.service().await;
    for number in 0..EVENTS {
        let json = format!("\"{number} {}\"", "x".repeat(LARGE));
        let pushed = service.push_to_users(note("ada", &json)).await.unwrap();
        assert_eq!(pushed.into_inner().queued, 1);
    }
    let response = server.ask("/logout", Some(&token), &json!({})).await;
    assert_eq!(response.status, 200);
    let ended = async |service: &mut crate::support::Service| {
        let stats = service
            .stats(gateway::proto::StatsRequest {})
            .await
            .unwrap();
        stats.into_inner().revoked == 1
    };
    while !ended(&mut service).await {
        tokio::task::yield_now().await;
    }
    let mut delivered = 0;
    loop {
        let event = stalled.next_event().await;
        match &*event.event {
            "note" => delivered += 1,
            "closed" => break,
            "heartbeat" => {}
            other => panic!("{other}"),
        }
    }
    assert_eq!(stalled.ended().await, End::Clean);
    assert!(delivered < EVENTS - 10, "{delivered} of {EVENTS}");
}

#[tokio::test]
async fn a_token_for_ages_is_revoked_like_any_other() {
    let redis = Redis::start().await;
    for url in [None, Some(redis.url())] {
        let server = match url {
            None => Server::start().await,
            Some(url) => Server::with_redis(&url, &[]).await,
        };
        let claims = json!({ "sub": "ada", "aud": ["push"], "exp": u64::MAX, "jti": "ages" });
        let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
        let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap();
        assert_eq!(status(&server, &token).await, 200);
        assert_eq!(
            server.ask("/logout", Some(&token), &json!({})).await.status,
            200
        );
        assert_eq!(status(&server, &token).await, 401);
    }
}

#[tokio::test]
async fn anybody_with_the_redis_revokes_a_token() {
    let redis = Redis::start().await;
    let server = Server::with_redis(&redis.url(), &[]).await;
    let (token, other) = (
        Server::token("ada", &[], HOUR),
        Server::token("bob", &[], HOUR),
    );
    let mut stream = server.stream(&token).await;
    stream.next_named("caught-up").await;
    redis.revoke(&jti(&other)).await;
    redis.revoke(&jti(&token)).await;
    ends(stream, "revoked").await;
    assert_eq!(status(&server, &token).await, 401);
    assert_eq!(status(&server, &other).await, 401);
}

/// The name of a token, as whoever revokes it reads it.
fn jti(token: &str) -> String {
    let said = jsonwebtoken::dangerous::insecure_decode::<Value>(token).unwrap();
    said.claims["jti"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_storm_of_streams_and_revocations_leaves_no_stream_of_a_revoked_token() {
    let redis = Redis::start().await;
    let server = Server::with_redis(&redis.url(), &[]).await;
    for _ in 0..5 {
        let tokens: Vec<_> = (0..10).map(|_| Server::token("ada", &[], HOUR)).collect();
        let opens = tokens.iter().flat_map(|token| {
            let open = async || server.stream(token).await;
            [open(), open()]
        });
        let names: Vec<_> = tokens.iter().map(|token| jti(token)).collect();
        let revokes = names.iter().map(|jti| redis.revoke(jti));
        let opened = futures_util::future::join(
            futures_util::future::join_all(opens),
            futures_util::future::join_all(revokes),
        );
        let (streams, _) = opened.await;
        for stream in streams {
            match stream.status().as_u16() {
                200 => ends(stream, "revoked").await,
                status => assert_eq!(status, 401),
            }
        }
    }
}
