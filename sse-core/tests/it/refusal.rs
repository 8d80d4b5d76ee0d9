//! How a client is told that its stream isn't taken now.

use http::{HeaderMap, HeaderValue, Method, header::ACCEPT};
use sse_core::*;

/// The answer to a request for a stream while the hub drains.
async fn answer(hub: &Hub, accept: &'static str) -> (http::Response<()>, String) {
    whole(request(&Method::GET, accept).open(hub).await)
}

fn request(method: &Method, accept: &'static str) -> ClientRequest {
    let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
    StreamRequest::new(method, &headers, None).client("ada")
}

/// A response whose body is no stream.
fn whole(response: http::Response<StreamBody>) -> (http::Response<()>, String) {
    let (head, body) = response.into_parts();
    let body = body.into_events().unwrap_err();
    let text = String::from_utf8(body.to_vec()).unwrap();
    (http::Response::from_parts(head, ()), text)
}

#[tokio::test]
async fn an_event_source_is_told_by_an_event_and_others_by_a_status() {
    let hub = Hub::builder().build().unwrap();
    hub.shutdown(Drain::default()).await;
    let (head, body) = answer(&hub, "text/event-stream").await;
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()["content-type"], "text/event-stream");
    let events = crate::support::parse(body.as_bytes());
    assert_eq!(events.len(), 1);
    assert!(
        events[0]
            .to_string()
            .starts_with(r#"refused {"reason":"draining","retry_ms":"#)
    );
    assert!(
        body.contains("\nretry: ") && body.ends_with("\n\n"),
        "{body}"
    );

    let (head, body) = answer(&hub, "*/*").await;
    assert_eq!(head.status(), 503);
    assert_eq!(head.headers()["content-type"], "application/json");
    let retry: u64 = head.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((2..=4).contains(&retry));
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["reason"], "draining");
    assert_eq!(body["error"], "no new stream is taken: draining");
    assert!(body["retry_ms"].as_u64().unwrap() >= 2_000);

    let config: HubConfig = serde_json::from_str(r#"{"refuse_by_status": true}"#).unwrap();
    let hub = Hub::builder().config(config).build().unwrap();
    hub.shutdown(Drain::default()).await;
    assert_eq!(answer(&hub, "text/event-stream").await.0.status(), 503);
}

#[tokio::test]
async fn an_application_refuses_what_it_cannot_judge() {
    let config: HubConfig = serde_json::from_str(r#"{"refusal_retry": "1s"}"#).unwrap();
    let hub = Hub::builder().config(config).build().unwrap();
    let (head, body) = whole(request(&Method::GET, "text/event-stream").refuse(&hub));
    assert_eq!(head.status(), 200);
    let events = crate::support::parse(body.as_bytes());
    let told = r#"refused {"reason":"unavailable","retry_ms":1"#;
    assert!(events[0].to_string().starts_with(told), "{body}");
    assert!(body.contains("\nretry: 1"), "{body}");
    let (head, body) = whole(request(&Method::GET, "*/*").refuse(&hub));
    assert_eq!(head.status(), 503);
    assert!(head.headers().contains_key("retry-after"));
    assert!(body.contains(r#""reason":"unavailable""#), "{body}");
    let (head, body) = whole(request(&Method::HEAD, "*/*").refuse(&hub));
    assert_eq!((head.status().as_u16(), &*body), (200, ""));
    assert_eq!(hub.info().refused, 3);
    assert_eq!(hub.info().connections, 0);
}
