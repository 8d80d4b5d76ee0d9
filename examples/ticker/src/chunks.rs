//! A page that fills itself in: the same idea without event streams. Each piece leaves when it is there,
//! as a chunk of a response that has no length.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::Body,
    http::{HeaderName, header},
    response::IntoResponse,
};
use futures_util::stream;
use tokio::time::sleep;

/// How long a piece takes.
const EACH: Duration = Duration::from_millis(300);
const PIECES: usize = 10;

const BEFORE: &str = r#"<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>A page that fills itself in</title><link rel="stylesheet" href="/base.css"><link rel="stylesheet" href="/style.css"></head>
<body><main class="plain"><h1>A page that fills itself in</h1>
<p class="lead">One response, without a script: each line leaves the server when it is there.</p>
<ol class="chunks">
"#;
const AFTER: &str = "</ol><p id=\"done\">That was all.</p></main></body></html>\n";

const HEADERS: [(HeaderName, &str); 3] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'self'"),
    (header::CACHE_CONTROL, "no-store"),
];

pub(crate) async fn page() -> impl IntoResponse {
    let pieces = stream::unfold(0, async |number| {
        let piece = match number {
            0 => BEFORE.to_owned(),
            1..=PIECES => {
                sleep(EACH).await;
                format!("<li>Piece {number} of {PIECES}</li>\n")
            }
            _ if number == PIECES + 1 => AFTER.to_owned(),
            _ => return None,
        };
        Some((Ok::<_, Infallible>(piece), number + 1))
    });
    (HEADERS, Body::from_stream(pieces))
}
