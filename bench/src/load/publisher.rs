use std::{
    io::{self, ErrorKind, Read, Write},
    net::SocketAddr,
};

use mio::net::TcpStream;

/// A connection that publishes one event after the other.
#[derive(Debug)]
pub(super) struct Publisher {
    pub(super) socket: TcpStream,
    request: Vec<u8>,
    written: usize,
    answer: Vec<u8>,
    pub(super) is_idle: bool,
    /// How many it has published.
    pub(super) published: u64,
}

impl Publisher {
    pub(super) fn connect(server: SocketAddr) -> io::Result<Self> {
        let socket = std::net::TcpStream::connect(server)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: TcpStream::from_std(socket),
            request: Vec::new(),
            written: 0,
            answer: Vec::new(),
            is_idle: true,
            published: 0,
        })
    }

    /// Publishes `data` for whom `query` says.
    pub(super) fn publish(&mut self, query: &str, data: &str) -> io::Result<()> {
        let len = data.len();
        self.request = format!(
            "POST /publish{query} HTTP/1.1\r\nhost: localhost\r\n\
             content-type: text/plain\r\ncontent-length: {len}\r\n\r\n{data}"
        )
        .into_bytes();
        (self.written, self.is_idle) = (0, false);
        self.go_on()
    }

    /// Writes what is left of the request, and reads the answer; idle again once it has come.
    pub(super) fn go_on(&mut self) -> io::Result<()> {
        while self.written < self.request.len() {
            match self.socket.write(&self.request[self.written..]) {
                Ok(len) => self.written += len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        let mut buffer = [0; 1024];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => self.answer.extend_from_slice(&buffer[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if self.answer.ends_with(b"\r\n\r\n") {
            if !self.answer.starts_with(b"HTTP/1.1 204") {
                let answer = String::from_utf8_lossy(&self.answer).into_owned();
                return Err(io::Error::other(answer));
            }
            self.answer.clear();
            self.is_idle = true;
            self.published += 1;
        }
        Ok(())
    }
}
