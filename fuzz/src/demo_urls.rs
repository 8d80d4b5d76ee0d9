use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};
use sse_core::Hub;

use crate::{
    demo::{Afterwards, Answer, BoxBody, Call, Demo, published, with_demos},
    form::{percent_decoded, query_pairs},
    script::lines,
    stream::{Reader, assert_json_error, assert_stream_head},
    stream_request::header,
};

/// How the demo may refuse a request.
const REFUSALS: &[u16] = &[400, 404, 405, 413, 415, 422];

/// Every request to the demo is answered as its API says: never with 5xx, with JSON where it is
/// refused; a stream is that of the client and group that the URL names; the hub counts the streams
/// that are open; and each framework answers the same.
///
/// The bytes are lines: `request` (a method and a target) makes a request, with each `header` (a
/// name and a value) and the `body` that stand before it. Streams stay open till the end.
///
/// # Panics
///
/// Something of that isn't so.
pub fn demo_urls(data: &[u8]) {
    with_demos(async |demos| {
        let before = published(&demos[0].hub);
        let mut sessions = demos.each_ref().map(Session::over);
        let (mut headers, mut body) = (HeaderMap::new(), Vec::new());
        for line in lines(data) {
            match line.word {
                b"header" => headers.extend(header(&line.value)),
                b"body" => body = line.value,
                b"request" => {
                    let (headers, body) = (std::mem::take(&mut headers), std::mem::take(&mut body));
                    if let Some((method, uri)) = target(&line.value) {
                        let call = Call {
                            method,
                            uri,
                            headers,
                            body,
                        };
                        let mut told = Vec::new();
                        for session in &mut sessions {
                            told.push(session.make(call.clone()).await);
                        }
                        for other in &told[1..] {
                            assert_eq!(&told[0], other, "{} {}", call.method, call.uri);
                        }
                    }
                }
                _ => {}
            }
        }
        // What is kept could be found by a stream that resumes.
        if published(&demos[0].hub) == before {
            Afterwards::Reuse
        } else {
            Afterwards::Renew
        }
    });
}

/// A body, but for the epoch of the hub.
async fn without_epoch(hub: &Hub, body: Vec<u8>) -> Vec<u8> {
    let bounds = hub.history().await.expect("its bounds");
    let newest = bounds.expect("a history").newest.to_string();
    let (epoch, _) = newest.split_once('.').expect("a position");
    match String::from_utf8(body) {
        Ok(text) => text.replace(epoch, "~").into_bytes(),
        Err(error) => error.into_bytes(),
    }
}

fn target(line: &[u8]) -> Option<(Method, Uri)> {
    let blank = line.iter().position(|byte| *byte == b' ')?;
    let method = Method::from_bytes(&line[..blank]).ok()?;
    let uri = Uri::try_from(&line[blank + 1..]).ok()?;
    Some((method, uri))
}

/// A demo, and the streams there that were opened and haven't ended.
struct Session<'a> {
    demo: &'a Demo,
    open: Vec<Stream>,
}

#[derive(Debug)]
struct Stream {
    reader: Reader<BoxBody>,
    named: Named,
}

/// A group and a client, as a URL names them.
type Named = (Vec<u8>, Vec<u8>);

/// What has to be the same on each framework: all of an answer, but for the body of a stream, and
/// the epoch of each demo's hub.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl<'a> Session<'a> {
    const fn over(demo: &'a Demo) -> Self {
        Self {
            demo,
            open: Vec::new(),
        }
    }

    async fn make(&mut self, call: Call) -> Told {
        let (method, uri) = (call.method.clone(), call.uri.clone());
        let answer = self.demo.answer(call).await;
        let status = answer.status;
        assert!(!status.is_server_error(), "{method} {uri}: {status}");
        let told = if answer.is_stream() {
            let headers = answer.headers.clone();
            self.opened(answer, &method, &uri).await;
            Told {
                status,
                headers,
                body: Vec::new(),
            }
        } else {
            let (status, headers, body) = answer.whole().await;
            let told = Told {
                status,
                headers,
                body: without_epoch(&self.demo.hub, body).await,
            };
            if status.is_success() {
                self.done(&told, &method, &uri);
            } else {
                told.assert_refused(&method);
            }
            told
        };
        self.open.retain_mut(|stream| {
            stream.reader.read();
            !stream.reader.has_ended()
        });
        assert_eq!(self.demo.hub.info().connections, self.open.len());
        told
    }

    async fn opened(&mut self, answer: Answer, method: &Method, uri: &Uri) {
        assert_eq!(answer.status, StatusCode::OK);
        assert_stream_head(&answer.headers);
        let mut reader = Reader::new(answer.body);
        if method == Method::HEAD {
            assert!(reader.has_ended(), "a stream for the head alone");
            return;
        }
        let opening = reader.opening();
        let named = by_path(uri, "stream").unwrap_or_else(|| by_query(uri));
        assert_eq!(opening.client_id.as_bytes(), named.1);
        assert_eq!(opening.groups.len(), 1);
        assert_eq!(opening.groups[0].as_bytes(), named.0);
        if opening.resume != "fresh" {
            reader.catch_up().await;
        }
        self.open.push(Stream { reader, named });
    }

    /// A file of the page, or an answer in JSON.
    fn done(&self, told: &Told, method: &Method, uri: &Uri) {
        assert_eq!(told.status, StatusCode::OK);
        if !uri.path().starts_with("/api/") {
            let guarded = told.headers.contains_key("content-security-policy");
            assert!(guarded, "{uri}");
            return;
        }
        if method == Method::HEAD {
            return;
        }
        let answer: Value = serde_json::from_slice(&told.body).expect("JSON");
        if uri.path() == "/api/v1/sse/info" {
            assert_eq!(answer["connections"], self.open.len());
        }
        if let Some(named) = by_path(uri, "disconnect") {
            let those = self.open.iter().filter(|stream| stream.named == named);
            assert_eq!(answer, json!({ "closed": those.count() }));
        }
    }
}

impl Told {
    fn assert_refused(&self, method: &Method) {
        let status = self.status;
        assert!(REFUSALS.contains(&status.as_u16()), "{status}");
        let allow = self.headers.contains_key("allow");
        assert_eq!(allow, status == StatusCode::METHOD_NOT_ALLOWED);
        if method != Method::HEAD {
            assert_json_error(&self.headers, &self.body);
        }
    }
}

/// What stands in a path after `doing`.
fn by_path(uri: &Uri, doing: &str) -> Option<Named> {
    let rest = uri.path().strip_prefix("/api/v1/sse/")?;
    let (group, client) = rest
        .strip_prefix(doing)?
        .strip_prefix('/')?
        .split_once('/')?;
    let decoded = |segment: &str| percent_decoded(segment.as_bytes());
    Some((decoded(group), decoded(client)))
}

/// What the parameters of a query say.
fn by_query(uri: &Uri) -> Named {
    let pairs = query_pairs(uri.query().unwrap_or_default());
    let value = |wanted: &str| {
        let mut values = pairs.iter().filter(|(name, _)| name == wanted);
        let given = values.next().filter(|(_, value)| !value.is_empty());
        given.map(|(_, value)| value.clone())
    };
    let group = value("group").unwrap_or_else(|| b"default".to_vec());
    (group, value("id").expect("an id"))
}
