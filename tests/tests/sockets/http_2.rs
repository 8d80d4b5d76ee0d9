use std::net::{Shutdown, SocketAddr};

use http_body_util::Empty;
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http2::{SendRequest, handshake},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

/// A connection that speaks HTTP/2, with prior knowledge.
pub(crate) struct Http2 {
    sender: SendRequest<Empty<Bytes>>,
    /// The same socket once more: hyper keeps its own open as long as it can.
    socket: std::net::TcpStream,
}

impl Http2 {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let socket = TcpStream::connect(addr).await.unwrap().into_std().unwrap();
        let connected = TcpStream::from_std(socket.try_clone().unwrap()).unwrap();
        let client = handshake(TokioExecutor::new(), TokioIo::new(connected));
        let (sender, connection) = client.await.unwrap();
        tokio::spawn(connection);
        Self { sender, socket }
    }

    /// Asks for `path`, and waits for the response's head.
    pub(crate) async fn get(&mut self, path: &str) -> http::Response<Incoming> {
        let request = http::Request::get(format!("http://x{path}")).body(Empty::new());
        self.sender.send_request(request.unwrap()).await.unwrap()
    }

    /// Closes the connection (FIN).
    pub(crate) fn close(&self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }
}
