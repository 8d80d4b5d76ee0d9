/// A file of the page, compiled in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asset {
    pub(crate) path: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) content: &'static str,
}

/// The page needs nothing from elsewhere, and nothing else may come into it.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'self'";

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
