use std::{net::SocketAddr, time::Duration};

use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::{Call, End, exchange::Exchange};

/// A whole response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, without the transfer coding.
    pub body: Vec<u8>,
}

impl Response {
    /// The body as text, malformed UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body, read as JSON.
    ///
    /// # Panics
    ///
    /// It isn't JSON, or not of this form.
    #[must_use]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{} with {:?}: {error}", self.status, self.text()),
        }
    }
}

/// Makes a request and reads the whole response. A body is JSON, unless `headers` has another
/// `content-type`.
///
/// # Panics
///
/// There is no response, or it doesn't end cleanly, within 10 s.
pub async fn request(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Vec<u8>>,
) -> Response {
    let mut call = Call::new(addr, path).method(method).body(body);
    for (name, value) in headers {
        call = call.header(name, value);
    }
    call.default_header(header::ACCEPT, "*/*");
    if call.has_body() {
        call.default_header(header::CONTENT_TYPE, "application/json");
    }
    let label = call.label();
    let exchange = match call.exchange().await {
        Ok(exchange) => exchange,
        Err(error) => panic!("{label} at {addr}: no response: {error}"),
    };
    whole(exchange, &label, call.limit()).await
}

async fn whole(mut exchange: Exchange, label: &str, limit: Duration) -> Response {
    let mut body = Vec::new();
    let read = async {
        loop {
            exchange.ready().await;
            if let Err(end) = exchange.read(|bytes| body.extend_from_slice(bytes)) {
                return end;
            }
        }
    };
    let end = timeout(limit, read).await;
    let (status, len) = (exchange.status, body.len());
    match end {
        Ok(End::Clean) => Response {
            status,
            headers: std::mem::take(&mut exchange.headers),
            body,
        },
        Ok(end) => panic!("{label}: {status}, and after {len} bytes {end}"),
        Err(_) => panic!("{label}: {status}, and no end within {limit:?} and {len} bytes"),
    }
}
