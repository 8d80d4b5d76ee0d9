//! The floor: one thread that writes the same ready-made bytes to every socket, and does nothing
//! else. It answers only what the load generator asks.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Read, Write},
    net::SocketAddr,
};

use bytes::Bytes;
use mio::{
    Events, Interest, Poll, Token,
    net::{TcpListener, TcpStream},
};

const LISTENER: Token = Token(usize::MAX);
const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
    transfer-encoding: chunked\r\n\r\n1\r\n\n\r\n";
const ACCEPTED: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

struct Connection {
    socket: TcpStream,
    read: Vec<u8>,
    waiting: VecDeque<Bytes>,
    /// How much of the first that waits has been written.
    written: usize,
    is_stream: bool,
}

pub(super) fn serve(addr: SocketAddr) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&addr.into())?;
    socket.listen(8192)?;
    let mut listener = TcpListener::from_std(socket.into());
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut events = Events::with_capacity(1024);
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                accept(&poll, &listener, &mut connections)?;
                continue;
            }
            let at = event.token().0;
            let Some(connection) = &mut connections[at] else {
                continue;
            };
            let alive = connection.read();
            let is_open = alive.is_ok_and(|open| open) && connection.write().is_ok();
            // What was published together leaves together.
            let mut published = Vec::new();
            while let Some(data) = connection.take_publication() {
                published.extend_from_slice(&chunk(&data));
            }
            if !is_open {
                connections[at] = None;
            }
            if !published.is_empty() {
                let published = Bytes::from(published);
                for connection in connections.iter_mut().flatten() {
                    if connection.is_stream {
                        connection.send(published.clone());
                    }
                }
            }
        }
    }
}

/// `data` as an event, in a chunk (RFC 9112, 7.1).
fn chunk(data: &[u8]) -> Vec<u8> {
    let len = "data: ".len() + data.len() + "\n\n".len();
    let mut chunk = format!("{len:x}\r\ndata: ").into_bytes();
    chunk.extend_from_slice(data);
    chunk.extend_from_slice(b"\n\n\r\n");
    chunk
}

fn accept(
    poll: &Poll,
    listener: &TcpListener,
    connections: &mut Vec<Option<Connection>>,
) -> io::Result<()> {
    loop {
        let mut socket = match listener.accept() {
            Ok((socket, _)) => socket,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut socket, Token(connections.len()), interest)?;
        connections.push(Some(Connection {
            socket,
            read: Vec::new(),
            waiting: VecDeque::new(),
            written: 0,
            is_stream: false,
        }));
    }
}

impl Connection {
    /// Reads what there is; `false` at the end.
    fn read(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 8192];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(len) => self.read.extend_from_slice(&buffer[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
        }
    }

    /// Answers what was asked; the body of a whole request to publish.
    fn take_publication(&mut self) -> Option<Vec<u8>> {
        let end = self.read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        if self.read.starts_with(b"GET ") {
            self.read = Vec::new();
            self.is_stream = true;
            self.send(Bytes::from_static(STREAM));
            return None;
        }
        let head = std::str::from_utf8(&self.read[..end]).ok()?;
        let (_, len) = head.split_once("content-length: ")?;
        let len: usize = len.lines().next()?.parse().ok()?;
        let body = self.read.get(end..end + len)?.to_vec();
        self.read.drain(..end + len);
        self.send(Bytes::from_static(ACCEPTED));
        Some(body)
    }

    fn send(&mut self, bytes: Bytes) {
        self.waiting.push_back(bytes);
        // What went wrong shows with the next read.
        let _ = self.write();
    }

    /// Writes what the socket takes.
    fn write(&mut self) -> io::Result<()> {
        while let Some(first) = self.waiting.front() {
            match self.socket.write(&first[self.written..]) {
                Ok(len) if self.written + len == first.len() => {
                    self.waiting.pop_front();
                    self.written = 0;
                }
                Ok(len) => self.written += len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
