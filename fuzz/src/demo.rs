//! The demo's endpoint, called without a socket.

use std::cell::RefCell;

use http::{HeaderMap, Method, StatusCode, Uri};
use http_body_util::BodyExt;
use poem::{Endpoint, EndpointExt, Request, Response, endpoint::BoxEndpoint};
use sse_core::Hub;

use crate::{
    runtime::{assert_no_task_left, assert_nothing_left, run},
    stream::{assert_json, assert_json_error},
};

/// Where the demo takes what is to be sent.
pub(crate) const SEND: &str = "/api/v1/sse/send";

/// A request to the demo.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// What the demo answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: BoxBody,
}

/// A body that may go on for ever.
pub(crate) type BoxBody = http_body_util::combinators::BoxBody<bytes::Bytes, std::io::Error>;

/// The demo, and the hub that it is over.
pub(crate) struct Demo {
    pub(crate) hub: Hub,
    endpoint: BoxEndpoint<'static, Response>,
}

/// Whether the next input may have the same demo.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Afterwards {
    /// Nothing of this input can show in what follows.
    Reuse,
    /// The hub remembers something of it.
    Renew,
}

thread_local! {
    static DEMO: RefCell<Option<Demo>> = const { RefCell::new(None) };
}

/// Runs `target` with the demo, after which nothing may be registered any more.
///
/// A demo is made once as long as it can be: poem compiles a regular expression for each of its
/// routes, which takes ten times as long as an input.
pub(crate) fn with_demo(target: impl AsyncFnOnce(&Demo) -> Afterwards) {
    let kept = DEMO.take();
    let kept = run(async {
        let demo = kept.unwrap_or_else(Demo::new);
        let afterwards = target(&demo).await;
        assert_nothing_left(&demo.hub).await;
        if afterwards == Afterwards::Reuse {
            return Some(demo);
        }
        drop(demo);
        assert_no_task_left().await;
        None
    });
    DEMO.set(kept);
}

/// The only place that knows how the demo is made and called.
impl Demo {
    fn new() -> Self {
        let hub = Hub::builder().build().expect("a hub");
        let endpoint = notifications::app(hub.clone()).map_to_response().boxed();
        Self { hub, endpoint }
    }

    pub(crate) async fn answer(&self, call: Call) -> Answer {
        let mut request = Request::builder()
            .method(call.method)
            .uri(call.uri)
            .body(call.body);
        *request.headers_mut() = call.headers;
        let response = self.endpoint.get_response(request).await;
        let (head, body) = response.into_parts();
        Answer {
            status: head.status,
            headers: head.headers,
            body: body.into(),
        }
    }
}

impl Answer {
    pub(crate) fn is_stream(&self) -> bool {
        self.headers
            .get("content-type")
            .is_some_and(|value| value == "text/event-stream")
    }

    /// The whole of a body that ends.
    pub(crate) async fn whole(self) -> (StatusCode, HeaderMap, Vec<u8>) {
        let body = self.body.collect().await.expect("a body");
        (self.status, self.headers, body.to_bytes().to_vec())
    }

    /// Asserts that it is 200 with JSON; returns what is said.
    pub(crate) async fn sent(self) -> serde_json::Value {
        assert_eq!(self.status, StatusCode::OK);
        let (_, headers, body) = self.whole().await;
        assert_json(&headers);
        serde_json::from_slice(&body).expect("JSON")
    }

    /// Asserts that it is refused with 4xx and JSON; returns what is said.
    pub(crate) async fn refused(self) -> String {
        assert!(self.status.is_client_error(), "{}", self.status);
        let (_, headers, body) = self.whole().await;
        assert_json_error(&headers, &body)
    }
}
