//! Who has a stream, and who hasn't.

use serde_json::{Value, json};
use sse_conformance::{End, request};

use crate::{Framework, Server, on_each_framework};

on_each_framework! {
    the_user_is_he_of_the_session,
    a_newer_connection_replaces_the_older,
    who_logs_out_has_no_stream,
    everybody_is_told,
    what_makes_no_sense_is_refused,
}

async fn the_user_is_he_of_the_session(on: Framework) {
    let server = Server::start(on, &[]).await;
    for cookie in ["", "session=", "session=0123", "other=1; session=x;;="] {
        let headers = [("cookie", cookie)];
        let response = server.ask("GET", "/events", &headers, &Value::Null).await;
        assert_eq!(response.status, 401, "{cookie:?}");
        assert_eq!(
            response.headers["content-type"],
            "application/json; charset=utf-8"
        );
        assert_eq!(
            response.json::<Value>(),
            json!({ "error": "nobody is logged in" })
        );
    }
    let cookie = format!("theme=dark; {}; lang=en", server.login("ada").await);
    let mut stream = server.events(&cookie).await;
    let opening = stream.next_named("connected").await.data;
    let opening: Value = serde_json::from_str(&opening).unwrap();
    assert_eq!(opening["client_id"], "ada");
    let heartbeat = stream.next_event().await;
    assert_eq!(heartbeat.event, "heartbeat", "at once");
    let heartbeat: Value = serde_json::from_str(&heartbeat.data).unwrap();
    assert_eq!(heartbeat["type"], "initial");
}

async fn a_newer_connection_replaces_the_older(on: Framework) {
    let server = Server::start(on, &[]).await;
    let (ada, bob) = (server.login("ada").await, server.login("bob").await);
    let mut bobs = server.events(&bob).await;
    bobs.next_named("connected").await;
    // Of the same user, though of another session.
    let mut older = server.events(&ada).await;
    older.next_named("connected").await;
    let elsewhere = server.login("ada").await;
    assert_ne!(elsewhere, ada);
    let mut newer = server.events(&elsewhere).await;
    newer.next_named("connected").await;
    older.next_named("replaced").await;
    assert_eq!(older.ended().await, End::Clean);
    let there = async |user: &str| {
        let path = format!("/users/{user}");
        let response = server
            .ask("GET", &path, &[("cookie", &ada)], &Value::Null)
            .await;
        response.json::<Value>()["has_connections"].clone()
    };
    assert_eq!(
        there("ada").await,
        true,
        "the older's end takes nothing of the newer"
    );
    assert_eq!(there("bob").await, true);
    assert_eq!(there("eve%20x").await, false);
    let news = json!({ "text": "still there?" });
    server
        .ask("POST", "/broadcast", &[("cookie", &bob)], &news)
        .await;
    newer.next_named("news").await;
    bobs.next_named("news").await;
}

async fn who_logs_out_has_no_stream(on: Framework) {
    let server = Server::start(on, &[]).await;
    let cookie = server.login("ada").await;
    let mut stream = server.events(&cookie).await;
    stream.next_named("connected").await;
    let headers = [("cookie", &*cookie)];
    let left = server.ask("POST", "/logout", &headers, &Value::Null).await;
    assert_eq!(left.json::<Value>(), json!({ "closed": 1 }));
    let ends = left.headers["set-cookie"].to_str().unwrap();
    assert!(
        ends.starts_with("session=;") && ends.contains("Max-Age=0"),
        "{ends}"
    );
    assert_eq!(stream.ended().await, End::Clean);
    for (method, path) in [
        ("GET", "/events"),
        ("POST", "/logout"),
        ("POST", "/broadcast"),
    ] {
        let refused = server
            .ask(method, path, &headers, &json!({ "text": "x" }))
            .await;
        assert_eq!(refused.status, 401, "{method} {path}");
    }
}

async fn everybody_is_told(on: Framework) {
    let server = Server::start(on, &[]).await;
    let mut streams = Vec::new();
    for user in ["ada", "bob", "größe 🦀"] {
        let mut stream = server.events(&server.login(user).await).await;
        stream.next_named("connected").await;
        streams.push(stream);
    }
    let eve = server.login("eve").await;
    let text = "<b>hello</b>\nall";
    let (headers, news) = ([("cookie", &*eve)], json!({ "text": text }));
    let sent = server.ask("POST", "/broadcast", &headers, &news).await;
    assert_eq!(sent.json::<Value>(), json!({ "reached": 3 }));
    for stream in &mut streams {
        let news = stream.next_named("news").await.data;
        let news: Value = serde_json::from_str(&news).unwrap();
        assert_eq!(news, json!({ "from": "eve", "text": text }));
    }
}

async fn what_makes_no_sense_is_refused(on: Framework) {
    let server = Server::start(on, &[]).await;
    let cookie = server.login("ada").await;
    let json_type = ("content-type", "application/json");
    let large = json!({ "text": "x".repeat(70_000) }).to_string();
    for (method, path, content_type, body, status) in [
        ("POST", "/login", json_type, r#"{"user": ""}"#, 400),
        ("POST", "/login", json_type, r#"{"user": "a\nb"}"#, 400),
        ("POST", "/login", json_type, r#"{"user": 1}"#, 400),
        ("POST", "/login", json_type, r#"{"user": "a", "x": 1}"#, 400),
        ("POST", "/login", json_type, "", 400),
        (
            "POST",
            "/login",
            ("content-type", "text/plain"),
            r#"{"user": "a"}"#,
            415,
        ),
        ("POST", "/broadcast", json_type, r#"{"text": null}"#, 400),
        ("POST", "/broadcast", json_type, &large, 413),
        ("GET", "/login", json_type, "", 405),
        ("POST", "/events", json_type, "", 405),
        ("DELETE", "/", json_type, "", 405),
        ("GET", "/nothing", json_type, "", 404),
        ("GET", "/users/", json_type, "", 404),
        ("GET", "/users/a%00", json_type, "", 400),
        ("GET", "/users/%ff", json_type, "", 404),
        ("GET", "/users/ada/", json_type, "", 404),
        ("GET", "/events/", json_type, "", 404),
        ("POST", "/login/", json_type, r#"{"user": "a"}"#, 404),
        ("GET", "/broadcast", json_type, "", 405),
    ] {
        let headers = [("cookie", &*cookie), content_type];
        let refused = request(server.0.addr, method, path, &headers, body).await;
        assert_eq!(refused.status, status, "{method} {path} {body:.40}");
        let error = refused.json::<Value>()["error"].clone();
        assert!(error.is_string(), "{method} {path}: {}", refused.text());
    }
}
