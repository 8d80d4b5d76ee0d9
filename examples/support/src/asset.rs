use std::{borrow::Cow, fs, io, path::Path};

use bytes::Bytes;
use http::{HeaderValue, Response, header};

const HTML: &str = "text/html; charset=utf-8";

/// A file of a page.
#[derive(Debug, Clone)]
pub struct Asset {
    path: Cow<'static, str>,
    content: Bytes,
}

impl Asset {
    /// What the examples' pages look like.
    #[must_use]
    pub fn base_style() -> Self {
        Self::new("/base.css", include_str!("../page/base.css"))
    }

    /// The file at `path`, compiled in.
    #[must_use]
    pub const fn new(path: &'static str, content: &'static str) -> Self {
        Self {
            path: Cow::Borrowed(path),
            content: Bytes::from_static(content.as_bytes()),
        }
    }

    /// All files below `folder`, as they are now, at `path`; an `index.html` is where its folder is, with a
    /// slash.
    ///
    /// # Errors
    ///
    /// One can't be read, or has a name of other than letters, digits, `-`, `_` and dots.
    pub fn folder(folder: &Path, path: &str) -> io::Result<Vec<Self>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // Routers take some others for patterns.
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if !name.chars().all(is_plain) {
                let why = format!("{name:?} is no name for a file of a page");
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
            if entry.file_type()?.is_dir() {
                files.extend(Self::folder(&entry.path(), &format!("{path}/{name}"))?);
                continue;
            }
            let name = if name == "index.html" { "" } else { &name };
            files.push(Self {
                path: format!("{path}/{name}").into(),
                content: fs::read(entry.path())?.into(),
            });
        }
        Ok(files)
    }

    /// Where it is on the server.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The response that brings it.
    #[must_use]
    pub fn response(&self) -> Response<Bytes> {
        let mut response = Response::new(self.content.clone());
        for (name, value) in [
            (header::CONTENT_TYPE, self.content_type()),
            // The page needs nothing from elsewhere, and nothing else may come into it.
            (header::CONTENT_SECURITY_POLICY, "default-src 'self'"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::CACHE_CONTROL, "no-cache"),
        ] {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        response
    }

    /// By the ending of its path.
    fn content_type(&self) -> &'static str {
        match self.path.rsplit('.').next() {
            Some("css") => "text/css; charset=utf-8",
            Some("js" | "mjs") => "text/javascript; charset=utf-8",
            Some("json" | "map") => "application/json",
            Some("svg") => "image/svg+xml",
            Some("png") => "image/png",
            Some("woff2") => "font/woff2",
            Some("html") => HTML,
            _ if self.path.ends_with('/') => HTML,
            _ => "application/octet-stream",
        }
    }
}
