//! Which pages of other origins may use the server (Fetch, 3.3).

use std::{convert::Infallible, error::Error, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{Either, Full};
use hyper::{
    body::{Body, Incoming},
    service::{Service, service_fn},
};

use crate::error;

/// The headers that a page may set: what it posts, and where it goes on.
const ALLOWED_HEADERS: &str = "authorization, content-type, last-event-id";
const ALLOWED_METHODS: &str = "GET, HEAD, POST";

const NOT_ALLOWED: &str = "not for pages of this origin";

/// For how long a browser remembers a preflight's answer, in seconds.
const MAX_AGE: &str = "600";

/// Which origins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// Everybody's pages; never with credentials, or each of them could act for whoever is logged in.
    Any,
    /// The pages of these, with the cookie of the session if `credentials`.
    These {
        /// Each as a browser tells it.
        origins: Vec<HeaderValue>,
        /// Whether they may act for whoever is logged in.
        credentials: bool,
    },
}

/// Why these can't be the origins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginsError {
    /// A text is none.
    #[error("{0:?} is no origin such as https://app.example")]
    NoOrigin(String),
    /// Everybody's pages are never to act for anybody.
    #[error("any page could act for whoever is logged in: credentials want a list of origins")]
    AnyWithCredentials,
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It is answered, with these headers besides.
    Answer(HeaderMap),
    /// The same, but for nobody: the cookie isn't looked at, for it isn't its user who asks.
    AnswerNobody(HeaderMap),
    /// The question whether it may be asked, answered with these.
    Preflight(HeaderMap),
    Forbidden,
}

impl Origins {
    /// Origins such as `https://app.example`, or `any` among them.
    ///
    /// # Errors
    ///
    /// [`OriginsError`].
    pub fn new(texts: &[String], credentials: bool) -> Result<Self, OriginsError> {
        if texts.iter().any(|text| text == "any") {
            return match credentials {
                true => Err(OriginsError::AnyWithCredentials),
                false => Ok(Self::Any),
            };
        }
        let origins: Result<_, _> = texts.iter().map(|text| origin(text)).collect();
        Ok(Self::These {
            origins: origins?,
            credentials,
        })
    }

    /// Puts the rule before a service, whatever framework it is of.
    pub fn before<S, B>(
        self,
        service: S,
    ) -> impl Service<
        Request<Incoming>,
        Response = Response<Either<B, Full<Bytes>>>,
        Error = Infallible,
        Future: Send,
    > + Clone
    + Send
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>
            + Clone
            + Send
            + Sync,
        B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send,
    {
        let origins = Arc::new(self);
        service_fn(move |mut request: Request<Incoming>| {
            let verdict = origins.judge(&request);
            if matches!(verdict, Verdict::AnswerNobody(_)) {
                request.headers_mut().remove(header::COOKIE);
            }
            let service = service.clone();
            async move {
                Ok(match verdict {
                    Verdict::Answer(headers) | Verdict::AnswerNobody(headers) => {
                        let mut response = service.call(request).await?.map(Either::Left);
                        response.headers_mut().extend(headers);
                        response
                    }
                    Verdict::Preflight(headers) => {
                        let mut response = Response::new(Either::Right(Full::default()));
                        *response.status_mut() = StatusCode::NO_CONTENT;
                        *response.headers_mut() = headers;
                        response
                    }
                    Verdict::Forbidden => error(StatusCode::FORBIDDEN, NOT_ALLOWED)
                        .map(|body| Either::Right(Full::new(body))),
                })
            }
        })
    }

    fn judge<T>(&self, request: &Request<T>) -> Verdict {
        let (method, headers) = (request.method(), request.headers());
        let mut answer = HeaderMap::new();
        if matches!(self, Self::These { .. }) {
            // A cache keeps the answers to different origins apart.
            answer.insert(header::VARY, HeaderValue::from_static("origin"));
        }
        let Some(origin) = headers.get(header::ORIGIN) else {
            return match is_from_elsewhere(headers) {
                true => Verdict::AnswerNobody(answer),
                false => Verdict::Answer(answer),
            };
        };
        if is_own(origin, request) {
            return Verdict::Answer(answer);
        }
        match self {
            Self::Any => {
                let any = HeaderValue::from_static("*");
                answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
            }
            Self::These {
                origins,
                credentials,
            } => {
                if !origins.contains(origin) {
                    return Verdict::Forbidden;
                }
                answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                if *credentials {
                    let allowed = HeaderValue::from_static("true");
                    answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, allowed);
                }
            }
        }
        let asks = headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if method != Method::OPTIONS || !asks {
            return match self {
                Self::These {
                    credentials: true, ..
                } => Verdict::Answer(answer),
                _ => Verdict::AnswerNobody(answer),
            };
        }
        const TOLD: [(HeaderName, &str); 3] = [
            (header::ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS),
            (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
        ];
        let told = TOLD.map(|(name, value)| (name, HeaderValue::from_static(value)));
        answer.extend(told);
        Verdict::Preflight(answer)
    }
}

/// An origin as a browser tells it: a scheme and an authority (RFC 6454, 6.2).
fn origin(text: &str) -> Result<HeaderValue, OriginsError> {
    let uri = text.parse::<http::Uri>().ok();
    let normal = uri.and_then(|uri| {
        let (scheme, host) = (uri.scheme_str()?, uri.host()?.to_ascii_lowercase());
        let usual = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let port = uri.port_u16().filter(|port| *port != usual);
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        Some(format!("{scheme}://{host}{port}"))
    });
    match normal {
        Some(origin) if origin == text => HeaderValue::from_str(text).ok(),
        _ => None,
    }
    .ok_or_else(|| OriginsError::NoOrigin(text.to_owned()))
}

/// Whether a request without an origin comes from another site's page all the same, as by a link or an image
/// (Fetch Metadata, 2.3).
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    site.is_some_and(|site| site != "same-origin" && site != "none")
}

/// Whether it is the origin of the server's own pages. Over HTTP/2 the host is in the URI.
fn is_own<T>(origin: &HeaderValue, request: &Request<T>) -> bool {
    let in_uri = request
        .uri()
        .authority()
        .map(|host| host.as_str().as_bytes());
    let in_head = request.headers().get(header::HOST);
    let host = in_uri.or_else(|| in_head.map(HeaderValue::as_bytes));
    let authority = |scheme: &str| origin.as_bytes().strip_prefix(scheme.as_bytes());
    let authority = authority("http://").or_else(|| authority("https://"));
    authority.is_some() && authority == host
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request of this method with these headers.
    fn asked<const N: usize>(method: Method, headers: [(&str, &str); N]) -> Request<()> {
        let request = Request::builder().method(method);
        let request = headers.into_iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        request.body(()).unwrap()
    }

    fn headers<const N: usize>(of: [(&'static str, &'static str); N]) -> HeaderMap {
        let header = |(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        of.into_iter().map(header).collect()
    }

    fn told(verdict: Verdict) -> HeaderMap {
        match verdict {
            Verdict::Answer(headers)
            | Verdict::AnswerNobody(headers)
            | Verdict::Preflight(headers) => headers,
            Verdict::Forbidden => panic!("forbidden"),
        }
    }

    const OTHER: (&str, &str) = ("origin", "https://app.example");

    #[test]
    fn the_servers_own_pages_are_not_asked() {
        let these = Origins::These {
            origins: Vec::new(),
            credentials: false,
        };
        let vary = || Verdict::Answer(headers([("vary", "origin")]));
        let own = ("origin", "https://push.example");
        let host = ("host", "push.example");
        assert_eq!(these.judge(&asked(Method::POST, [host, own])), vary());
        // As it is over HTTP/2.
        let mut http_2 = asked(Method::POST, [own]);
        *http_2.uri_mut() = "https://push.example/login".parse().unwrap();
        assert_eq!(these.judge(&http_2), vary());
        for other in ["https://push.example.org", "null", "http://", ""] {
            let asked = asked(Method::GET, [host, ("origin", other)]);
            assert_eq!(these.judge(&asked), Verdict::Forbidden, "{other:?}");
        }
        let without_host = asked(Method::GET, [("origin", "http://")]);
        assert_eq!(these.judge(&without_host), Verdict::Forbidden);
    }

    #[test]
    fn who_comes_from_elsewhere_without_saying_so_acts_for_nobody() {
        let these = Origins::These {
            origins: Vec::new(),
            credentials: true,
        };
        for (site, expected) in [
            ("same-origin", true),
            ("none", true),
            ("same-site", false),
            ("cross-site", false),
        ] {
            let verdict = these.judge(&asked(Method::GET, [("sec-fetch-site", site)]));
            assert_eq!(matches!(verdict, Verdict::Answer(_)), expected, "{site}");
        }
    }

    #[test]
    fn any_origin_has_no_credentials() {
        let verdict = Origins::Any.judge(&asked(Method::GET, [OTHER]));
        assert!(matches!(verdict, Verdict::AnswerNobody(_)), "{verdict:?}");
        let told = told(verdict);
        assert_eq!(told, headers([("access-control-allow-origin", "*")]));
        let listed = Origins::These {
            origins: vec![HeaderValue::from_static(OTHER.1)],
            credentials: false,
        };
        let verdict = listed.judge(&asked(Method::GET, [OTHER]));
        assert!(matches!(verdict, Verdict::AnswerNobody(_)), "{verdict:?}");
    }

    #[test]
    fn a_preflight_is_told_what_is_allowed() {
        let these = Origins::These {
            origins: vec![HeaderValue::from_static(OTHER.1)],
            credentials: true,
        };
        let asks = ("access-control-request-method", "POST");
        let verdict = these.judge(&asked(Method::OPTIONS, [OTHER, asks]));
        assert!(matches!(verdict, Verdict::Preflight(_)), "{verdict:?}");
        let expected = [
            ("vary", "origin"),
            ("access-control-allow-origin", OTHER.1),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-methods", ALLOWED_METHODS),
            ("access-control-allow-headers", ALLOWED_HEADERS),
            ("access-control-max-age", MAX_AGE),
        ];
        assert_eq!(told(verdict), headers(expected));
        let plain = these.judge(&asked(Method::OPTIONS, [OTHER]));
        assert!(matches!(plain, Verdict::Answer(_)), "{plain:?}");
    }
}
