//! The demo on each framework, called without a socket.

use std::{cell::RefCell, io, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Full};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use poem::Endpoint;
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
pub(crate) type BoxBody = http_body_util::combinators::UnsyncBoxBody<Bytes, io::Error>;

type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// The demo on a framework, and the hub that it is over.
pub(crate) struct Demo {
    pub(crate) hub: Hub,
    answer: Box<dyn Fn(Call) -> Answering + Send + Sync>,
}

/// The demo on each framework.
pub(crate) type Demos = [Demo; 3];

/// Whether the next input may have the same demo.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Afterwards {
    /// Nothing of this input can show in what follows.
    Reuse,
    /// The hub remembers something of it.
    Renew,
}

thread_local! {
    static DEMOS: RefCell<Option<Demos>> = const { RefCell::new(None) };
}

/// How many publications the demo has taken, duplicates left out.
pub(crate) fn published(hub: &Hub) -> u64 {
    let published = hub.info().published;
    published.unicast + published.group + published.broadcast
}

/// Runs `target` with the demo on each framework, after which nothing may be registered any more.
///
/// They are made once as long as it can be: poem compiles a regular expression for each of its
/// routes, which takes ten times as long as an input.
pub(crate) fn with_demos(target: impl AsyncFnOnce(&Demos) -> Afterwards) {
    let kept = DEMOS.take();
    let kept = run(async {
        let demos = kept.unwrap_or_else(|| [Demo::on_poem(), Demo::on_warp(), Demo::on_axum()]);
        let afterwards = target(&demos).await;
        for demo in &demos {
            assert_nothing_left(&demo.hub).await;
        }
        if afterwards == Afterwards::Reuse {
            return Some(demos);
        }
        drop(demos);
        assert_no_task_left().await;
        None
    });
    DEMOS.set(kept);
}

fn app(hub: &Hub) -> notifications::App {
    notifications::App::new(hub.clone(), None)
}

/// The only place that knows how the demo is made and called.
impl Demo {
    fn on_poem() -> Self {
        let hub = Hub::builder().build().expect("a hub");
        let endpoint = Arc::new(notifications::poem_app(app(&hub), Vec::new()));
        let answer = move |call: Call| -> Answering {
            let endpoint = Arc::clone(&endpoint);
            Box::pin(async move {
                let mut request = poem::Request::builder()
                    .method(call.method)
                    .uri(call.uri)
                    .body(call.body);
                *request.headers_mut() = call.headers;
                let (head, body) = endpoint.get_response(request).await.into_parts();
                Answer {
                    status: head.status,
                    headers: head.headers,
                    body: http_body_util::combinators::BoxBody::from(body).boxed_unsync(),
                }
            })
        };
        Self {
            hub,
            answer: Box::new(answer),
        }
    }

    fn on_axum() -> Self {
        let hub = Hub::builder().build().expect("a hub");
        let router = notifications::axum_app(app(&hub), Vec::new());
        let service = TowerToHyperService::new(router);
        let answer = move |call: Call| -> Answering {
            let mut request = http::Request::new(Full::<Bytes>::from(call.body));
            *request.method_mut() = call.method;
            *request.uri_mut() = call.uri;
            *request.headers_mut() = call.headers;
            let answering = service.call(request);
            Box::pin(async move {
                let (mut head, body) = answering.await.expect("a response").into_parts();
                // For the others the server says it.
                head.headers.remove(http::header::CONTENT_LENGTH);
                Answer {
                    status: head.status,
                    headers: head.headers,
                    body: body.map_err(io::Error::other).boxed_unsync(),
                }
            })
        };
        Self {
            hub,
            answer: Box::new(answer),
        }
    }

    fn on_warp() -> Self {
        let hub = Hub::builder().build().expect("a hub");
        let service = TowerToHyperService::new(warp::service(notifications::warp_app(
            app(&hub),
            Vec::new(),
        )));
        let answer = move |call: Call| -> Answering {
            let mut request = http::Request::new(Full::<Bytes>::from(call.body));
            *request.method_mut() = call.method;
            *request.uri_mut() = if call.uri.path_and_query().is_some() {
                call.uri
            } else {
                // As `sse_warp::service` does, which takes hyper's own bodies only.
                Uri::from_static("*")
            };
            *request.headers_mut() = call.headers;
            let answering = service.call(request);
            Box::pin(async move {
                let (head, body) = answering.await.expect("a response").into_parts();
                Answer {
                    status: head.status,
                    headers: head.headers,
                    body: body.map_err(io::Error::other).boxed_unsync(),
                }
            })
        };
        Self {
            hub,
            answer: Box::new(answer),
        }
    }

    pub(crate) async fn answer(&self, call: Call) -> Answer {
        let head_only = call.method == Method::HEAD;
        let mut answer = (self.answer)(call).await;
        if head_only && !answer.is_stream() {
            // Frameworks leave to the server what a HEAD isn't answered with; its length either may
            // say or not (RFC 9110, 8.6).
            answer.headers.remove("content-length");
            answer.body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        }
        answer
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
