use std::{io, net::SocketAddr, pin::Pin, time::Duration};

use http::{
    HeaderMap, HeaderValue, Method, Version,
    header::{self, HeaderName},
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::{StreamClient, exchange::Exchange};

/// A request that is yet to be made: awaiting it opens the stream.
///
/// By default `GET`, HTTP/1.1, without a body, with `Host` and `Accept: text/event-stream`.
///
/// # Panics
///
/// Awaiting it panics where there is no response within the timeout; [`try_open`](Self::try_open)
/// doesn't.
#[derive(Debug, Clone)]
#[must_use = "nothing is sent until it is awaited"]
pub struct Call {
    addr: SocketAddr,
    method: Method,
    path: String,
    version: Version,
    headers: HeaderMap,
    body: Vec<u8>,
    timeout: Duration,
    receive_buffer: Option<u32>,
    keep_body: bool,
}

impl Call {
    pub(super) fn new(addr: SocketAddr, path: &str) -> Self {
        Self {
            addr,
            method: Method::GET,
            path: path.to_owned(),
            version: Version::HTTP_11,
            headers: HeaderMap::new(),
            body: Vec::new(),
            timeout: Duration::from_secs(10),
            receive_buffer: None,
            keep_body: false,
        }
    }

    /// The request's method.
    ///
    /// # Panics
    ///
    /// `method` is none.
    pub fn method(mut self, method: &str) -> Self {
        self.method = match method.parse() {
            Ok(method) => method,
            Err(error) => panic!("{method:?}: {error}"),
        };
        self
    }

    /// Adds a header. One that is sent by default gives way.
    ///
    /// # Panics
    ///
    /// It can't stand in a request.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let (Ok(header), Ok(value)) = (
            HeaderName::try_from(name),
            HeaderValue::from_bytes(value.as_ref()),
        ) else {
            panic!("header {name:?} can't stand in a request");
        };
        self.headers.append(header, value);
        self
    }

    /// Adds a body, with its `Content-Length`.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Speaks HTTP/1.0: the response has no chunks and ends when the server closes.
    pub const fn http_10(mut self) -> Self {
        self.version = Version::HTTP_10;
        self
    }

    /// How long anything may take that waits: the response's head, and then each event or the end
    /// that is asked for; 10 s by default.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the socket's receive buffer (`SO_RCVBUF`, which Linux doubles), so that a client that
    /// stops reading is felt after few bytes.
    pub const fn receive_buffer(mut self, bytes: u32) -> Self {
        self.receive_buffer = Some(bytes);
        self
    }

    /// Keeps the bytes of the response body for [`StreamClient::body`].
    pub const fn keep_body(mut self) -> Self {
        self.keep_body = true;
        self
    }

    /// Opens the stream.
    ///
    /// # Errors
    ///
    /// No connection, no response within the timeout ([`io::ErrorKind::TimedOut`]), or none that
    /// is HTTP ([`io::ErrorKind::InvalidData`]).
    pub async fn try_open(mut self) -> io::Result<StreamClient> {
        self.default_header(header::ACCEPT, "text/event-stream");
        let exchange = self.exchange().await?;
        let label = self.label();
        Ok(StreamClient::new(
            label,
            exchange,
            self.timeout,
            self.keep_body,
        ))
    }

    /// How failures name the request.
    pub(super) fn label(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub(super) const fn limit(&self) -> Duration {
        self.timeout
    }

    pub(super) const fn has_body(&self) -> bool {
        !self.body.is_empty()
    }

    pub(super) fn default_header(&mut self, name: HeaderName, value: &'static str) {
        let value = HeaderValue::from_static(value);
        self.headers.entry(name).or_insert(value);
    }

    /// Sends the request and reads the response's head.
    pub(super) async fn exchange(&self) -> io::Result<Exchange> {
        let exchange = async {
            let mut socket = self.connect().await?;
            socket.write_all(&self.head()).await?;
            socket.write_all(&self.body).await?;
            Exchange::begin(socket, &self.method).await
        };
        timeout(self.timeout, exchange).await?
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let socket = match self.addr {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        let stream = socket.connect(self.addr).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn head(&self) -> Vec<u8> {
        let (method, path, version) = (&self.method, &self.path, self.version);
        let mut head = format!("{method} {path} {version:?}\r\n").into_bytes();
        let mut line = |name: &str, value: &[u8]| {
            head.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        };
        if !self.headers.contains_key(header::HOST) {
            line("host", self.addr.to_string().as_bytes());
        }
        if self.has_body() && !self.headers.contains_key(header::CONTENT_LENGTH) {
            line("content-length", self.body.len().to_string().as_bytes());
        }
        for (name, value) in &self.headers {
            line(name.as_str(), value.as_bytes());
        }
        head.extend(b"\r\n");
        head
    }
}

impl IntoFuture for Call {
    type Output = StreamClient;
    type IntoFuture = Pin<Box<dyn Future<Output = StreamClient> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (label, addr) = (self.label(), self.addr);
            match self.try_open().await {
                Ok(client) => client,
                Err(error) => panic!("{label} at {addr}: no response: {error}"),
            }
        })
    }
}
