//! What isn't valid over HTTP is answered with a clear status and JSON.

use serde_json::{Value, json};
use sse_conformance::{StreamClient, request};

use crate::support::{PASSWORD, Server};

const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);

fn error(body: &Value) -> &str {
    body["error"].as_str().unwrap()
}

#[tokio::test]
async fn whoever_logs_in_gets_a_token_for_a_stream() {
    let server = Server::start().await;
    let login = json!({ "user": "ada", "password": PASSWORD });
    let response = server.ask("/login", None, &login).await;
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.headers["cache-control"], "no-store");
    let answer: Value = response.json();
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 12 * 3600);
    let token = answer["access_token"].as_str().unwrap();
    let mut by_query = server.stream(token).await;
    by_query.next_named("caught-up").await;
    let header = format!("Bearer {token}");
    let mut by_header = StreamClient::open(server.http, "/sse")
        .header("authorization", header)
        .await;
    by_header.next_named("caught-up").await;
    // By the groups of the file.
    let to_staff = gateway::proto::PushToGroupRequest {
        group: "staff".to_owned(),
        event: "note".to_owned(),
        json_data: "1".to_owned(),
        ..Default::default()
    };
    let pushed = server
        .service()
        .await
        .push_to_group(to_staff)
        .await
        .unwrap();
    assert_eq!(pushed.into_inner().queued, 2);
    assert_eq!(by_query.next_event().await.data, "1");
    assert_eq!(by_header.next_event().await.data, "1");
}

#[tokio::test]
async fn a_wrong_password_and_a_wrong_user_are_the_same() {
    let server = Server::start().await;
    let mut answers = Vec::new();
    for (user, password) in [
        ("ada", "wrong"),
        ("ada", ""),
        ("nobody", PASSWORD),
        ("", PASSWORD),
        ("ADA", PASSWORD),
    ] {
        let login = json!({ "user": user, "password": password });
        let response = server.ask("/login", None, &login).await;
        assert_eq!(response.status, 401, "{user} {password}");
        answers.push(response.text());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

/// Method, path, headers and body; and the status.
type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, u16);

#[tokio::test]
async fn bad_requests_are_told_what_is_wrong() {
    let server = Server::start().await;
    let token = Server::token("ada", &[], HOUR);
    let bearer = format!("Bearer {token}");
    let auth = ("authorization", &*bearer);
    let json = ("content-type", "application/json");
    let position = r#"{"last_event_id":"~0000000000000001.1"}"#;
    let large = format!(r#"{{"last_event_id":"{}"}}"#, "x".repeat(20_000));
    let cases: &[Case<'_>] = &[
        ("POST", "/login", &[json], "", 400),
        ("POST", "/login", &[json], "{", 400),
        ("POST", "/login", &[json], "[]", 422),
        ("POST", "/login", &[json], r#"{"user":"ada"}"#, 422),
        (
            "POST",
            "/login",
            &[json],
            r#"{"user":"a","password":"b","x":1}"#,
            422,
        ),
        (
            "POST",
            "/login",
            &[("content-type", "text/plain")],
            "{}",
            415,
        ),
        ("POST", "/ack", &[json, auth], &large, 413),
        ("GET", "/login", &[], "", 405),
        ("POST", "/sse", &[json], "{}", 405),
        ("PUT", "/ack", &[], "", 405),
        ("GET", "/nothing", &[], "", 404),
        ("GET", "/sse/", &[], "", 404),
        ("GET", "/sse", &[], "", 401),
        ("GET", "/sse?token=", &[], "", 401),
        ("GET", "/sse?token=x.y.z", &[], "", 401),
        ("GET", "/sse?token=%ff", &[], "", 400),
        ("GET", "/sse", &[("authorization", "Bearer x")], "", 401),
        ("POST", "/ack", &[json], position, 401),
        ("POST", "/ack", &[json, auth], position, 200),
        (
            "POST",
            "/ack",
            &[json, auth],
            r#"{"last_event_id":"17"}"#,
            422,
        ),
        (
            "POST",
            "/ack",
            &[json, auth],
            r#"{"last_event_id":""}"#,
            422,
        ),
        ("POST", "/ack", &[json, auth], r#"{"last_event_id":7}"#, 422),
        ("POST", "/logout", &[], "", 401),
    ];
    for (method, path, headers, body, status) in cases {
        let response = request(server.http, method, path, headers, *body).await;
        let text = response.text();
        assert_eq!(
            response.status, *status,
            "{method} {path} {body:.60}: {text}"
        );
        if *status == 200 {
            continue;
        }
        let answer: Value = response.json();
        assert!(!error(&answer).is_empty(), "{method} {path}: {text}");
        match status {
            405 => assert!(response.headers.contains_key("allow"), "{method} {path}"),
            401 if *path != "/login" => {
                assert_eq!(response.headers["www-authenticate"], "Bearer");
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn only_the_head_of_a_stream_can_be_asked_for() {
    let server = Server::start().await;
    let token = Server::token("ada", &[], HOUR);
    let path = format!("/sse?token={token}");
    let head = request(server.http, "HEAD", &path, &[], "").await;
    assert_eq!(head.status, 200);
    assert_eq!(head.headers["content-type"], "text/event-stream");
    let head = request(server.http, "HEAD", "/sse?token=x", &[], "").await;
    assert_eq!(head.status, 401);
}

#[tokio::test]
async fn many_who_log_in_at_once_are_served_or_told_to_come_again() {
    let server = Server::start().await;
    let login = json!({ "user": "ada", "password": PASSWORD });
    let logins = (0..60).map(|_| server.ask("/login", None, &login));
    let mut served = 0;
    for response in futures_util::future::join_all(logins).await {
        match response.status.as_u16() {
            200 => served += 1,
            503 => assert_eq!(response.headers["retry-after"], "2"),
            status => panic!("{status}"),
        }
    }
    assert!(served > 0);
}

#[tokio::test]
async fn pages_of_other_origins_are_refused_unless_they_are_listed() {
    const APP: (&str, &str) = ("origin", "https://app.example");
    let folder = tempfile::tempdir().unwrap();
    crate::support::write_settings(folder.path());
    let path = folder.path().join("gateway.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("#allow_origins", "allow_origins")).unwrap();
    let (strict, open) = (Server::start().await, Server::start_in(folder, &[]).await);
    let path = format!("/sse?token={}", Server::token("ada", &[], HOUR));
    let ask = async |server: &Server, origin: (&str, &str)| {
        StreamClient::open(server.http, &path)
            .header(origin.0, origin.1)
            .await
    };
    assert_eq!(ask(&strict, APP).await.status(), 403);
    assert_eq!(
        ask(&open, ("origin", "https://other.example"))
            .await
            .status(),
        403
    );
    let allowed = ask(&open, APP).await;
    assert_eq!(allowed.status(), 200);
    assert_eq!(allowed.headers()["access-control-allow-origin"], APP.1);
    let preflight = [APP, ("access-control-request-method", "POST")];
    let preflight = request(open.http, "OPTIONS", "/ack", &preflight, "").await;
    assert_eq!(preflight.status, 204);
    let headers = preflight.headers["access-control-allow-headers"]
        .to_str()
        .unwrap();
    assert!(headers.contains("authorization"));
}
