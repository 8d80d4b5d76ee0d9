//! A client of a proxy, over each protocol that it serves.

use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sse_conformance::{Dispatched, EventStream};
use tokio::{
    net::TcpSocket,
    task::{AbortHandle, JoinHandle},
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, pki_types::ServerName},
};

use super::PATIENCE;

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Http1,
    Http1Tls,
    Http2Tls,
}

impl Wire {
    pub(crate) const ALL: [Self; 3] = [Self::Http1, Self::Http1Tls, Self::Http2Tls];
}

/// Where a client connects to a proxy, and what it speaks there.
#[derive(Debug, Clone)]
pub(crate) struct Entrance {
    pub(crate) addr: SocketAddr,
    pub(crate) wire: Wire,
    /// What trusts the proxy's certificate.
    pub(crate) tls: ClientConfig,
}

/// An open connection; it ends when it is dropped, with its streams.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: Sender,
    task: AbortHandle,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Empty<Bytes>>),
    Http2(http2::SendRequest<Empty<Bytes>>),
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Connection {
    pub(crate) async fn open(to: &Entrance) -> io::Result<Self> {
        Self::open_from(Ipv4Addr::LOCALHOST, to).await
    }

    /// The same from this address of the machine's.
    pub(crate) async fn open_from(from: Ipv4Addr, to: &Entrance) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        let socket = socket.connect(to.addr).await?;
        socket.set_nodelay(true)?;
        if to.wire == Wire::Http1 {
            return Self::http_1(TokioIo::new(socket)).await;
        }
        let mut tls = to.tls.clone();
        let protocol: &[u8] = match to.wire {
            Wire::Http2Tls => b"h2",
            _ => b"http/1.1",
        };
        tls.alpn_protocols.push(protocol.to_vec());
        let name = ServerName::try_from("localhost").unwrap();
        let socket = TlsConnector::from(Arc::new(tls))
            .connect(name, socket)
            .await?;
        assert_eq!(socket.get_ref().1.alpn_protocol(), Some(protocol));
        let io = TokioIo::new(socket);
        if to.wire == Wire::Http1Tls {
            return Self::http_1(io).await;
        }
        let made = http2::handshake(TokioExecutor::new(), io).await;
        let (sender, connection) = made.map_err(io::Error::other)?;
        let task = tokio::spawn(connection);
        Ok(Self::new(Sender::Http2(sender), &task))
    }

    async fn http_1<I>(io: I) -> io::Result<Self>
    where
        I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::handshake(io).await.map_err(io::Error::other)?;
        let task = tokio::spawn(connection);
        Ok(Self::new(Sender::Http1(sender), &task))
    }

    fn new<T>(sender: Sender, task: &JoinHandle<T>) -> Self {
        let task = task.abort_handle();
        Self { sender, task }
    }

    /// Asks for something.
    pub(crate) async fn get(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> hyper::Result<Response<Incoming>> {
        let mut request = Request::get(match self.sender {
            Sender::Http1(_) => path.to_owned(),
            Sender::Http2(_) => format!("https://localhost{path}"),
        });
        if matches!(self.sender, Sender::Http1(_)) {
            request = request.header(header::HOST, "localhost");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::new()).unwrap();
        match &mut self.sender {
            Sender::Http1(sender) => sender.send_request(request).await,
            Sender::Http2(sender) => sender.send_request(request).await,
        }
    }

    /// Asks for a stream.
    pub(crate) async fn stream(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> hyper::Result<Stream> {
        let accept = [("accept", "text/event-stream")];
        let response = self.get(path, &[&accept, headers].concat()).await?;
        Ok(Stream::of(response))
    }
}

/// A stream, read through the reference parser.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    events: EventStream,
    waiting: VecDeque<Dispatched>,
}

impl Stream {
    fn of(response: Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        Self {
            status: head.status,
            headers: head.headers,
            body,
            events: EventStream::new(),
            waiting: VecDeque::new(),
        }
    }

    /// Whether an `EventSource` takes it for a stream (WHATWG HTML, 9.2.3).
    pub(crate) fn is_one(&self) -> bool {
        let content_type = self.headers.get(header::CONTENT_TYPE);
        self.status == StatusCode::OK && content_type.is_some_and(|it| it == "text/event-stream")
    }

    /// The next event; none at the end, however it ends.
    pub(crate) async fn next(&mut self) -> Option<Dispatched> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            let frame = self.body.frame().await?.ok()?;
            let piece = frame.into_data().unwrap_or_default();
            self.waiting.extend(self.events.push(&piece));
        }
    }

    /// The next event of this name, which has to come.
    pub(crate) async fn next_named(&mut self, name: &str) -> Dispatched {
        let wait = async {
            loop {
                match self.next().await {
                    Some(event) if event.event == name => return event,
                    Some(_) => {}
                    None => panic!("no event {name:?} before the end"),
                }
            }
        };
        let event = timeout(PATIENCE, wait).await;
        event.unwrap_or_else(|_| panic!("no event {name:?}"))
    }

    /// When to come back, if that has been said.
    pub(crate) fn retry(&self) -> Option<Duration> {
        self.events.retry()
    }
}
