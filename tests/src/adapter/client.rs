use std::{
    collections::VecDeque,
    net::{Shutdown, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, request::Builder};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, time::timeout};

use crate::{Dispatched, End, EventStream, StreamClient};

/// How long anything may take that a client waits for.
const PATIENCE: Duration = Duration::from_secs(5);

type Headers<'a> = &'a [(&'a str, &'a [u8])];

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Http10,
    Http11,
    /// With prior knowledge.
    Http2,
}

impl Version {
    pub(super) const ALL: [Self; 3] = [Self::Http10, Self::Http11, Self::Http2];
}

/// A client of a stream, over any version of HTTP.
pub(super) enum Client {
    Http1(StreamClient),
    Http2(Http2Client),
}

impl Client {
    pub(super) async fn open(addr: SocketAddr, version: Version, path: &str) -> Self {
        Self::open_with(addr, version, path, &[]).await
    }

    pub(super) async fn open_with(
        addr: SocketAddr,
        version: Version,
        path: &str,
        headers: Headers<'_>,
    ) -> Self {
        let call = StreamClient::open(addr, path).keep_body().timeout(PATIENCE);
        let call = headers
            .iter()
            .fold(call, |call, (name, value)| call.header(name, value));
        match version {
            Version::Http10 => Self::Http1(call.http_10().await),
            Version::Http11 => Self::Http1(call.await),
            Version::Http2 => {
                Self::Http2(Http2Client::open_with(addr, Method::GET, path, headers, "").await)
            }
        }
    }

    /// Opens the stream with POST, and a body.
    pub(super) async fn post(addr: SocketAddr, version: Version, path: &str, body: &str) -> Self {
        let call = StreamClient::open(addr, path).method("POST").body(body);
        let call = call.timeout(PATIENCE);
        match version {
            Version::Http10 => Self::Http1(call.http_10().await),
            Version::Http11 => Self::Http1(call.await),
            Version::Http2 => {
                Self::Http2(Http2Client::open_with(addr, Method::POST, path, &[], body).await)
            }
        }
    }

    /// The client's own address.
    pub(super) fn local_addr(&self) -> SocketAddr {
        let addr = match self {
            Self::Http1(client) => client.local_addr(),
            Self::Http2(client) => client.socket.local_addr(),
        };
        addr.expect("a connected socket has an address")
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Http1(client) => client.status(),
            Self::Http2(client) => client.response.status(),
        }
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        match self {
            Self::Http1(client) => client.headers(),
            Self::Http2(client) => client.response.headers(),
        }
    }

    /// The body as far as it has been read.
    pub(super) fn body(&self) -> &[u8] {
        match self {
            Self::Http1(client) => client.body(),
            Self::Http2(client) => &client.body,
        }
    }

    /// The next event, unless none comes within `within` or before the end.
    pub(super) async fn try_next(&mut self, within: Duration) -> Option<Dispatched> {
        match self {
            Self::Http1(client) => client.try_next(within).await,
            Self::Http2(client) => timeout(within, client.next()).await.ok().flatten(),
        }
    }

    pub(super) async fn next(&mut self) -> Dispatched {
        let next = self.try_next(PATIENCE).await;
        next.unwrap_or_else(|| panic!("no event came within {PATIENCE:?}"))
    }

    /// Reads until the body has `len` bytes.
    pub(super) async fn read_body(&mut self, len: usize) -> &[u8] {
        let read = timeout(PATIENCE, async {
            while self.body().len() < len {
                self.try_next(Duration::from_millis(5)).await;
            }
        });
        let whole = read.await.is_ok();
        let body = self.body();
        assert!(
            whole,
            "{} bytes came within {PATIENCE:?}, not {len}",
            body.len()
        );
        body
    }

    /// Reads to the end of the body; whether it ended the way that its version has for that.
    pub(super) async fn ended_cleanly(&mut self) -> bool {
        match self {
            Self::Http1(client) => client.ended().await == End::Clean,
            Self::Http2(client) => timeout(PATIENCE, client.ended()).await.unwrap_or(false),
        }
    }
}

/// A client of a stream over HTTP/2.
pub(super) struct Http2Client {
    response: Response<Incoming>,
    stream: EventStream,
    waiting: VecDeque<Dispatched>,
    body: Vec<u8>,
    failed: bool,
    /// The same socket once more: hyper keeps its own open as long as it can.
    socket: std::net::TcpStream,
    /// Without it the connection would end after its last stream.
    sender: http2::SendRequest<Full<Bytes>>,
}

impl Http2Client {
    pub(super) async fn open(addr: SocketAddr, method: Method, path: &str) -> Self {
        Self::open_with(addr, method, path, &[], "").await
    }

    async fn open_with(
        addr: SocketAddr,
        method: Method,
        path: &str,
        headers: Headers<'_>,
        body: &str,
    ) -> Self {
        let opened = timeout(PATIENCE, Self::request(addr, method, path, headers, body)).await;
        match opened {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => panic!("no response over HTTP/2: {error}"),
            Err(_) => panic!("no response over HTTP/2 within {PATIENCE:?}"),
        }
    }

    async fn request(
        addr: SocketAddr,
        method: Method,
        path: &str,
        headers: Headers<'_>,
        body: &str,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let socket = TcpStream::connect(addr).await?.into_std()?;
        let own = TcpStream::from_std(socket.try_clone()?)?;
        own.set_nodelay(true)?;
        let (mut sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(own)).await?;
        // How it ends, the stream tells.
        tokio::spawn(async move { drop(connection.await) });
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{addr}{path}"))
            .header("accept", "text/event-stream");
        let with = |request: Builder, (name, value): &(&str, &[u8])| request.header(*name, *value);
        let request = headers.iter().fold(request, with);
        let request = request.body(Full::from(body.to_owned()))?;
        Ok(Self {
            response: sender.send_request(request).await?,
            stream: EventStream::new(),
            waiting: VecDeque::new(),
            body: Vec::new(),
            failed: false,
            socket,
            sender,
        })
    }

    /// Closes the TCP connection (FIN), and nothing before it.
    ///
    /// # Panics
    ///
    /// It is closed already.
    pub(super) fn close_connection(&self) {
        let closed = self.socket.shutdown(Shutdown::Write);
        closed.expect("the connection is open");
    }

    /// Resets the stream, and returns what keeps its connection open.
    pub(super) fn reset_stream(self) -> impl Send {
        self.sender
    }

    async fn next(&mut self) -> Option<Dispatched> {
        while self.waiting.is_empty() {
            self.read().await?;
        }
        self.waiting.pop_front()
    }

    async fn ended(&mut self) -> bool {
        while self.read().await.is_some() {}
        !self.failed
    }

    /// Reads a frame; none at the end.
    async fn read(&mut self) -> Option<()> {
        match self.response.body_mut().frame().await? {
            Ok(frame) => {
                let data = frame.into_data().unwrap_or_default();
                self.body.extend_from_slice(&data);
                self.waiting.extend(self.stream.push(&data));
                Some(())
            }
            Err(_) => {
                self.failed = true;
                None
            }
        }
    }
}
