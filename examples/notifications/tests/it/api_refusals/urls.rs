//! What the API refuses for its path, its query or its method.

use sse_conformance::request;

use super::{SEND, Watched, assert_refused};
use crate::frameworks::Framework;

on_each_framework! {
    names_in_a_url_are_checked,
    a_page_that_makes_no_sense_is_a_400,
    unknown_paths_are_404_and_wrong_methods_405,
}

async fn names_in_a_url_are_checked(on: Framework) {
    let watched = Watched::start(on).await;
    let long = "x".repeat(257);
    for (method, path, error) in [
        ("GET", "/stream", "id: missing"),
        ("GET", "/stream?group=g", "id: missing"),
        ("POST", "/stream?group=g&id=", "id: missing"),
        ("GET", "/stream?id=a&id=b", "query: duplicate field `id`"),
        (
            "GET",
            "/stream?id=a%0Ab",
            r"client id has the control character '\n' at byte 1",
        ),
        (
            "GET",
            "/stream?id=LONG",
            "client id has 257 bytes, more than 256",
        ),
        (
            "GET",
            "/stream?id=a&group=LONG",
            "group name has 257 bytes, more than 256",
        ),
        (
            "GET",
            "/stream/LONG/a",
            "group name has 257 bytes, more than 256",
        ),
        (
            "POST",
            "/stream/g/LONG",
            "client id has 257 bytes, more than 256",
        ),
        ("GET", "/stream//a", "group name is empty"),
        (
            "GET",
            "/stream/g/a%00",
            r"client id has the control character '\0' at byte 1",
        ),
        ("GET", "/stream/g/%FF", "path"),
        ("GET", "/stream?id=%FF", "query: not UTF-8"),
        ("POST", "/disconnect//a", "group name is empty"),
        ("POST", "/disconnect/%FF/a", "path"),
        (
            "POST",
            "/disconnect/g/LONG",
            "client id has 257 bytes, more than 256",
        ),
        (
            "GET",
            "/groups/LONG",
            "group name has 257 bytes, more than 256",
        ),
        (
            "GET",
            "/groups/%1b",
            r"group name has the control character '\u{1b}' at byte 0",
        ),
        ("GET", "/groups/%FF", "path"),
    ] {
        let whole = format!("/api/v1/sse{}", path.replace("LONG", &long));
        let response = request(watched.addr(), method, &whole, &[], "").await;
        assert_refused(&response, 400, error, path);
    }
    watched.unharmed().await;
}

async fn a_page_that_makes_no_sense_is_a_400(on: Framework) {
    let watched = Watched::start(on).await;
    let limit = "query: limit: not a number from 1 to 1000";
    for (query, error) in [
        ("limit=0", limit),
        ("limit=1001", limit),
        ("limit=-1", limit),
        ("limit=1.5", limit),
        ("limit=ten", limit),
        ("limit=", limit),
        ("limit=99999999999999999999999", limit),
        ("limit=1&limit=2", "query: duplicate field `limit`"),
        ("after=a&after=b", "query: duplicate field `after`"),
    ] {
        for list in ["groups", "groups/g"] {
            let path = format!("/api/v1/sse/{list}?{query}");
            let response = request(watched.addr(), "GET", &path, &[], "").await;
            assert_refused(&response, 400, error, &path);
        }
    }
    watched.unharmed().await;
}

async fn unknown_paths_are_404_and_wrong_methods_405(on: Framework) {
    let watched = Watched::start(on).await;
    for path in [
        "/nothing",
        "/Cargo.toml",
        "/..%2fCargo.toml",
        "/api",
        "/api/v1/sse",
        "/api/v1/sse/",
        "/api/v1/sse/nothing",
        "/api/v2/sse/info",
        "/api/v1/sse/stream/g",
        "/api/v1/sse/stream/g/",
        "/api/v1/sse/stream/g/a/b",
        "/api/v1/sse/INFO",
        "/api/v1/sse/info/",
        "/api/v1/sse/groups/",
        "/api/v1/sse/stream//",
        "/app.js/",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let response = request(watched.addr(), method, path, &[], "").await;
            assert_refused(&response, 404, "not found", path);
        }
    }
    for (path, allowed, methods) in [
        ("/", "GET, HEAD", ["POST", "DELETE"]),
        ("/app.js", "GET, HEAD", ["POST", "PUT"]),
        (
            "/api/v1/sse/stream?id=a",
            "GET, HEAD, POST",
            ["PUT", "DELETE"],
        ),
        (
            "/api/v1/sse/stream/g/a",
            "GET, HEAD, POST",
            ["PATCH", "DELETE"],
        ),
        (SEND, "POST", ["GET", "PUT"]),
        ("/api/v1/sse/disconnect/g/ada", "POST", ["GET", "DELETE"]),
        ("/api/v1/sse/info", "GET, HEAD", ["POST", "OPTIONS"]),
        ("/api/v1/sse/groups", "GET, HEAD", ["POST", "PUT"]),
        ("/api/v1/sse/groups/g", "GET, HEAD", ["POST", "DELETE"]),
    ] {
        for method in methods {
            let response = request(watched.addr(), method, path, &[], r#"{"data": 1}"#).await;
            assert_refused(&response, 405, "method not allowed", path);
            assert_eq!(response.headers["allow"], allowed, "{method} {path}");
        }
    }
    watched.unharmed().await;
}
