use std::collections::BTreeSet;

use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use sse_core::{Event, Hub, LastEventId, StreamBody, StreamRequest};

use crate::{
    form::query_pairs,
    names::broken_rule,
    runtime::with_hub,
    script::lines,
    stream::{Reader, assert_json_error, assert_stream_head},
};

/// Every request for a stream is answered: with a stream that starts as promised, with a bare head,
/// or with 400 and why. Then nothing of it is left.
///
/// The bytes are lines: `method`, `header` (a name and a value), `query`, `client`, and any number
/// of `group`.
///
/// # Panics
///
/// Something of that isn't so.
pub fn stream_request(data: &[u8]) {
    let asked = Asked::read(data);
    let query = asked.query.as_deref();
    let mut request =
        StreamRequest::new(&asked.method, &asked.headers, query).client(&asked.client);
    let read = StreamRequest::new(&asked.method, &asked.headers, query);
    assert_eq!(read.last_event_id(), asked.last_event_id().as_ref());
    for group in &asked.groups {
        request = request.group(group);
    }
    with_hub(async |hub| {
        let response = request.open(hub).await;
        match asked.broken_rule() {
            Some(rule) => assert_refused(response, &rule),
            None if asked.method == Method::HEAD => assert_bare_head(response),
            None => asked.assert_stream(hub, response).await,
        }
    });
}

/// What a request says.
#[derive(Debug, Default)]
struct Asked {
    method: Method,
    headers: HeaderMap,
    query: Option<String>,
    client: String,
    groups: Vec<String>,
}

impl Asked {
    fn read(data: &[u8]) -> Self {
        let mut asked = Self::default();
        for line in lines(data) {
            match line.word {
                b"method" => asked.method = Method::from_bytes(&line.value).unwrap_or_default(),
                b"header" => asked.headers.extend(header(&line.value)),
                b"query" => asked.query = Some(line.text()),
                b"client" => asked.client = line.text(),
                b"group" => asked.groups.push(line.text()),
                _ => {}
            }
        }
        asked
    }

    /// The first header wins, also one that is empty; or else the first of the two parameters.
    fn last_event_id(&self) -> Option<LastEventId> {
        if let Some(header) = self.headers.get("Last-Event-ID") {
            return LastEventId::parse(header.as_bytes());
        }
        let is_one = |name: &str| name == "lastEventId" || name == "last_event_id";
        let pairs = query_pairs(self.query.as_deref().unwrap_or_default());
        let (_, value) = pairs.into_iter().find(|(name, _)| is_one(name))?;
        LastEventId::parse(String::from_utf8_lossy(&value).as_bytes())
    }

    fn broken_rule(&self) -> Option<String> {
        let groups = self.groups.iter().map(|group| ("group name", group));
        std::iter::once(("client id", &self.client))
            .chain(groups)
            .find_map(|(what, name)| broken_rule(what, name))
            .map(|rule| rule.to_string())
    }

    async fn assert_stream(&self, hub: &Hub, response: Response<StreamBody>) {
        assert_eq!(response.status(), StatusCode::OK);
        assert_stream_head(response.headers());
        let mut reader = Reader::new(response.into_body());
        let opening = reader.opening();
        assert_eq!(opening.client_id, self.client);
        let groups: BTreeSet<&String> = self.groups.iter().collect();
        assert_eq!(opening.groups.iter().collect::<BTreeSet<_>>(), groups);
        assert_eq!(opening.groups.len(), groups.len());
        self.assert_resume(&opening.resume, &mut reader).await;
        let info = hub.info();
        let counts = (info.connections, info.clients, info.groups);
        assert_eq!(counts, (1, 1, groups.len()));

        // Each of its names leads to it, and nothing else is said meanwhile.
        let sent = hub.send_to(&self.client, Event::text("to you")).await;
        drop(sent.expect("a valid name"));
        for group in &groups {
            let sent = hub.send_group(*group, Event::text(*group)).await;
            drop(sent.expect("a valid name"));
        }
        let read: Vec<String> = reader.read().into_iter().map(|event| event.data).collect();
        let to_you = "to you".to_owned();
        let sent: Vec<&String> = std::iter::once(&to_you).chain(groups).collect();
        assert_eq!(read.iter().collect::<Vec<_>>(), sent);
    }

    /// Whoever says that it saw something is told that the hub, which is new, doesn't know it.
    async fn assert_resume(&self, resume: &str, reader: &mut Reader<StreamBody>) {
        let (expected, cause) = match self.last_event_id() {
            None => return assert_eq!(resume, "fresh"),
            Some(LastEventId::Position(_)) => ("gap", "epoch"),
            Some(LastEventId::Event(_)) => ("replaying", "unknown"),
            Some(_) => ("gap", "unknown"),
        };
        assert_eq!(resume, expected);
        let told = reader.catch_up().await;
        let names: Vec<&str> = told.iter().map(|event| &*event.event).collect();
        assert_eq!(names, ["gap", "caught-up"]);
        let gap: Value = serde_json::from_str(&told[0].data).expect("its JSON");
        assert_eq!(gap["cause"], cause);
        assert_eq!(told[1].data, r#"{"replayed":0,"skipped":0}"#);
    }
}

/// A name and a value, separated by a blank; none if it can't be a header.
pub(crate) fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let blank = line.iter().position(|byte| *byte == b' ')?;
    let name = HeaderName::from_bytes(&line[..blank]).ok()?;
    let value = HeaderValue::from_bytes(&line[blank + 1..]).ok()?;
    Some((name, value))
}

fn assert_refused(response: Response<StreamBody>, rule: &str) {
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let (head, body) = response.into_parts();
    assert_eq!(assert_json_error(&head.headers, &whole(body)), rule);
}

fn assert_bare_head(response: Response<StreamBody>) {
    assert_eq!(response.status(), StatusCode::OK);
    assert_stream_head(response.headers());
    assert!(whole(response.into_body()).is_empty());
}

/// A body that is there at once.
fn whole(body: StreamBody) -> Vec<u8> {
    let body = body.collect().now_or_never().expect("it is there at once");
    let Ok(body) = body;
    body.to_bytes().to_vec()
}
