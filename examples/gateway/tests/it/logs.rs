//! What is logged, down to the level debug, and what never is.

use std::time::Duration;

use serde_json::json;
use sse_conformance::{eventually, request};

use crate::support::{self, KEY, PASSWORD, Redis, SECRET, Server, note};

const HOUR: Duration = Duration::from_secs(3600);
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn no_token_key_or_query_is_logged() {
    let redis = Redis::start().await;
    let server = Server::with_redis(&redis.url(), &[("MONITOR", "100ms")]).await;
    let login = json!({ "user": "ada", "password": PASSWORD });
    let response = server.ask("/login", None, &login).await;
    let logged_in = response.json::<serde_json::Value>()["access_token"].clone();
    let logged_in = logged_in.as_str().unwrap();
    let (by_query, by_header) = (
        Server::token("ada", &[], HOUR),
        Server::token("bob", &[], HOUR),
    );
    let mut streams = vec![
        server.stream(&by_query).await,
        server.stream(logged_in).await,
    ];
    let header = format!("Bearer {by_header}");
    let call = sse_conformance::StreamClient::open(server.http, "/sse?marker=in-the-query");
    streams.push(call.header("authorization", &header).await);
    for stream in &mut streams {
        stream.next_named("caught-up").await;
    }
    // Whatever goes wrong may quote what it was given.
    let (expired, forged) = (
        Server::token("ada", &[], Duration::ZERO),
        format!("{by_query}x"),
    );
    for token in [&expired, &forged] {
        assert_eq!(server.stream(token).await.status(), 401);
    }
    let bearer = format!("Bearer {forged}");
    let bad = [
        ("authorization", &*bearer),
        ("content-type", "application/json"),
    ];
    request(server.http, "POST", "/ack?marker=in-the-query", &bad, "{").await;
    let wrong = json!({ "user": "ada", "password": "the-wrong-password" });
    server.ask("/login", None, &wrong).await;
    let wrong_key = "the-wrong-key-of-somebody";
    let wrong = server
        .service_with(Some(&format!("Bearer {wrong_key}")))
        .await;
    assert!(wrong.clone().push_to_users(note("ada", "1")).await.is_err());
    let mut service = server.service().await;
    let important = gateway::proto::PushToUsersRequest {
        important: true,
        ..note("ada", "\"what-it-says\"")
    };
    service.push_to_users(important).await.unwrap();
    server.ask("/logout", Some(&by_query), &json!({})).await;
    streams[0].next_named("closed").await;
    let log = server.log.clone();
    let is_monitored = || log.text().contains("waiting=");
    eventually("lines of connections", PATIENCE, is_monitored).await;
    drop(redis);
    let is_away = || log.text().contains("Redis can't be reached");
    eventually("Redis is missed", PATIENCE, is_away).await;

    let text = server.log.text();
    assert!(text.contains(" DEBUG "), "it is at the level debug");
    let said = server.said.join("\n");
    for secret in [
        SECRET,
        KEY,
        PASSWORD,
        support::REDIS_PASSWORD,
        logged_in,
        &by_query,
        &by_header,
        &expired,
        wrong_key,
        "the-wrong-password",
        "in-the-query",
        "token=",
        "what-it-says",
        // Of any token the head, and of ours the last part.
        "eyJ",
        by_query.rsplit('.').next().unwrap(),
        forged.rsplit('.').next().unwrap(),
    ] {
        assert!(!said.contains(secret), "{secret}");
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}

#[tokio::test]
async fn there_is_a_line_for_each_connection_now_and_then() {
    let server = Server::with(&[("MONITOR", "200ms")]).await;
    let mut ids = Vec::new();
    let mut streams = Vec::new();
    for user in ["ada", "bob"] {
        let mut stream = server.open(user).await;
        let opening = stream.next_event().await;
        let id = serde_json::from_str::<serde_json::Value>(&opening.data).unwrap();
        ids.push(id["connection_id"].as_str().unwrap().to_owned());
        streams.push(stream);
    }
    let log = server.log.clone();
    for (id, user) in ids.iter().zip(["ada", "bob"]) {
        let line = format!("connection connection={id} user={user} taken=");
        let thrice = || log.text().matches(&line).count() >= 3;
        eventually("three lines", PATIENCE, thrice).await;
    }
}
