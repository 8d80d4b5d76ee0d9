use bytes::Bytes;
use http::{HeaderValue, Response, header};

use crate::answer::Answer;

/// A file of the page, compiled in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asset {
    pub(crate) path: &'static str,
    content_type: &'static str,
    content: &'static str,
}

impl Asset {
    pub(crate) fn answer(&self) -> Answer {
        let mut response = Response::new(Bytes::from_static(self.content.as_bytes()));
        for (name, value) in [
            (header::CONTENT_TYPE, self.content_type),
            // The page needs nothing from elsewhere, and nothing else may come into it.
            (header::CONTENT_SECURITY_POLICY, "default-src 'self'"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::CACHE_CONTROL, "no-cache"),
        ] {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        Answer(response)
    }
}

pub(crate) const ASSETS: [Asset; 6] = [
    Asset {
        path: "/",
        content_type: "text/html; charset=utf-8",
        content: include_str!("../page/index.html"),
    },
    Asset {
        path: "/style.css",
        content_type: "text/css; charset=utf-8",
        content: include_str!("../page/style.css"),
    },
    Asset {
        path: "/app.js",
        content_type: "text/javascript; charset=utf-8",
        content: include_str!("../page/app.js"),
    },
    Asset {
        path: "/streams.js",
        content_type: "text/javascript; charset=utf-8",
        content: include_str!("../page/streams.js"),
    },
    Asset {
        path: "/lib.js",
        content_type: "text/javascript; charset=utf-8",
        content: include_str!("../page/lib.js"),
    },
    Asset {
        path: "/icon.svg",
        content_type: "image/svg+xml",
        content: include_str!("../page/icon.svg"),
    },
];
