//! A small application on `Server`, and raw clients.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Empty, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Frame, Incoming},
    client::conn::http2::{SendRequest, handshake},
    service::Service,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sse_net::{Server, SocketInfo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Semaphore, mpsc},
};

/// How long a test waits for what comes at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Port 0 of the loopback interface.
pub(crate) const ANY_PORT: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// A server on any port, with its address.
pub(crate) fn bind() -> (Server, SocketAddr) {
    let server = Server::bind(ANY_PORT.into()).unwrap();
    let addr = server.local_addr().unwrap();
    (server, addr)
}

/// What the server serves.
#[derive(Debug, Clone)]
pub(crate) struct App {
    /// The bodies of `/stream`.
    streams: Arc<Mutex<Vec<mpsc::Sender<Bytes>>>>,
    /// Has a permit for each `/gated` that has come.
    pub(crate) came: Arc<Semaphore>,
    /// Each `/gated` waits for a permit.
    pub(crate) gate: Arc<Semaphore>,
}

type Answer = Response<Either<Full<Bytes>, Pieces>>;

impl App {
    pub(crate) fn new() -> Self {
        Self {
            streams: Arc::default(),
            came: Arc::new(Semaphore::new(0)),
            gate: Arc::new(Semaphore::new(0)),
        }
    }

    async fn answer(&self, mut request: Request<Incoming>) -> Answer {
        let whole = |text: String| Response::new(Either::Left(Full::from(text)));
        match request.uri().path() {
            "/socket" => {
                let socket = request.extensions().get::<SocketInfo>().unwrap();
                whole(format!("{} {} {}", socket.peer, socket.local, socket.tls))
            }
            "/stream" => {
                let (sender, pieces) = mpsc::channel(1);
                sender.try_send(Bytes::from_static(b"first\n")).unwrap();
                self.streams.lock().unwrap().push(sender);
                Response::new(Either::Right(Pieces(pieces)))
            }
            "/gated" => {
                self.came.add_permits(1);
                self.gate.acquire().await.unwrap().forget();
                whole("passed".into())
            }
            "/upgrade" => {
                let upgrade = hyper::upgrade::on(&mut request);
                tokio::spawn(async move {
                    let upgraded = TokioIo::new(upgrade.await.unwrap());
                    let (mut from, mut to) = tokio::io::split(upgraded);
                    tokio::io::copy(&mut from, &mut to).await
                });
                let mut response = whole(String::new());
                *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
                let echo = http::HeaderValue::from_static("echo");
                response.headers_mut().insert("upgrade", echo);
                response
            }
            // Without the hook, which would print it.
            "/panic" => std::panic::resume_unwind(Box::new("asked for")),
            path => whole(format!("{} {path}", request.method())),
        }
    }

    /// How many bodies of streams there are.
    pub(crate) fn streams(&self) -> usize {
        let streams = self.streams.lock().unwrap();
        streams.iter().filter(|sender| !sender.is_closed()).count()
    }

    /// Sends a piece to each stream.
    pub(crate) async fn push(&self, piece: &'static str) {
        let streams = self.streams.lock().unwrap().clone();
        for stream in streams {
            // A stream that has ended takes none.
            drop(stream.send(piece.into()).await);
        }
    }

    /// Ends all streams.
    pub(crate) fn end_streams(&self) {
        self.streams.lock().unwrap().clear();
    }
}

impl Service<Request<Incoming>> for App {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let app = self.clone();
        Box::pin(async move { Ok(app.answer(request).await) })
    }
}

/// The body of a stream.
#[derive(Debug)]
pub(crate) struct Pieces(mpsc::Receiver<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.0.poll_recv(cx);
        piece.map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// A connection on which `request` was sent.
pub(crate) async fn send(addr: SocketAddr, request: &str) -> TcpStream {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    socket
}

/// Everything up to the server's close.
pub(crate) async fn rest(mut socket: TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(60 * PATIENCE, socket.read_to_end(&mut bytes)).await;
    read.expect("it isn't closed").unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Reads until `text` has come.
pub(crate) async fn read_until(socket: &mut TcpStream, text: &str) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(text.as_bytes()) {
        bytes.push(socket.read_u8().await.unwrap());
    }
    String::from_utf8(bytes).unwrap()
}

/// A connection that speaks HTTP/2.
pub(crate) type Http2 = SendRequest<Empty<Bytes>>;

/// Speaks HTTP/2 on `socket`.
pub(crate) async fn http_2<T>(socket: T) -> Http2
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let client = handshake(TokioExecutor::new(), TokioIo::new(socket));
    let (http_2, connection) = client.await.unwrap();
    tokio::spawn(connection);
    http_2
}

/// Asks for `path`, and waits for the head.
pub(crate) async fn try_get(http_2: &mut Http2, path: &str) -> hyper::Result<Response<Incoming>> {
    let request = Request::get(format!("http://x{path}")).body(Empty::new());
    http_2.send_request(request.unwrap()).await
}

/// Asks for `path`, and waits for the head.
pub(crate) async fn get(http_2: &mut Http2, path: &str) -> Response<Incoming> {
    try_get(http_2, path).await.unwrap()
}

/// Asks for `path`, and waits for the whole response.
pub(crate) async fn get_text(http_2: &mut Http2, path: &str) -> String {
    let response = get(http_2, path).await;
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.into()).unwrap()
}
