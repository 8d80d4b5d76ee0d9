use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::json;

/// A response that says this in JSON.
#[must_use]
pub fn json(status: StatusCode, content: &impl Serialize) -> Response<Bytes> {
    let (status, body) = match serde_json::to_vec(content) {
        Ok(body) => (status, body),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
    };
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static("application/json; charset=utf-8");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    response
}

/// `{"error": …}`.
#[must_use]
pub fn error(status: StatusCode, error: impl ToString) -> Response<Bytes> {
    json(status, &json!({ "error": error.to_string() }))
}
