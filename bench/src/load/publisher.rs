use std::{
    io::{self, ErrorKind, Read, Write},
    net::SocketAddr,
};

use memchr::memmem;
use mio::net::TcpStream;

/// What answers a publication that was accepted.
const ACCEPTED: &[u8] = b"HTTP/1.1 204";
const END: &[u8] = b"\r\n\r\n";

/// A connection that publishes one event after the other, some of them before the first is answered
/// (RFC 9112, 9.3.2).
#[derive(Debug)]
pub(super) struct Publisher {
    pub(super) socket: TcpStream,
    requests: Vec<u8>,
    written: usize,
    answers: Vec<u8>,
    /// How many may be unanswered, and how many are.
    ahead: usize,
    unanswered: usize,
}

impl Publisher {
    pub(super) fn connect(server: SocketAddr, ahead: usize) -> io::Result<Self> {
        let socket = std::net::TcpStream::connect(server)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: TcpStream::from_std(socket),
            requests: Vec::new(),
            written: 0,
            answers: Vec::new(),
            ahead,
            unanswered: 0,
        })
    }

    pub(super) fn has_room(&self) -> bool {
        self.unanswered < self.ahead
    }

    pub(super) fn is_idle(&self) -> bool {
        self.unanswered == 0
    }

    /// Publishes `data` for whom `query` says.
    pub(super) fn publish(&mut self, query: &str, data: &str) -> io::Result<()> {
        let len = data.len();
        write!(
            self.requests,
            "POST /publish{query} HTTP/1.1\r\nhost: localhost\r\n\
             content-type: text/plain\r\ncontent-length: {len}\r\n\r\n{data}"
        )?;
        self.unanswered += 1;
        self.write()
    }

    /// Writes what is left of the requests, and reads the answers.
    pub(super) fn go_on(&mut self) -> io::Result<()> {
        self.write()?;
        let mut buffer = [0; 4096];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => self.answers.extend_from_slice(&buffer[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        while let Some(end) = memmem::find(&self.answers, END) {
            if !self.answers.starts_with(ACCEPTED) {
                let answer = String::from_utf8_lossy(&self.answers).into_owned();
                return Err(io::Error::other(answer));
            }
            self.answers.drain(..end + END.len());
            self.unanswered -= 1;
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        while self.written < self.requests.len() {
            match self.socket.write(&self.requests[self.written..]) {
                Ok(len) => self.written += len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.requests.clear();
        self.written = 0;
        Ok(())
    }
}
