use std::{
    io::{self, Read},
    net::SocketAddr,
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use socket2::SockRef;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{End, body::Body};

/// How much is read at once, into a buffer on the stack: a client that waits holds none.
const READ: usize = 16 * 1024;
/// The longest response head.
const MAX_HEAD: usize = 64 * 1024;
/// How often [`Exchange`]'s drop reads what is still there.
const LAST_READS: usize = 64;

/// A request that was made, and its response as far as it has come.
#[derive(Debug)]
pub(super) struct Exchange {
    socket: TcpStream,
    pub(super) version: Version,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// What came of the body together with the head.
    early: Vec<u8>,
    body: Body,
    end: Option<End>,
}

impl Exchange {
    /// Reads the head of the response to a request that was sent on `socket`.
    pub(super) async fn begin(socket: TcpStream, method: &Method) -> io::Result<Self> {
        let mut received = Vec::new();
        loop {
            socket.readable().await?;
            if try_read(&socket, |bytes| received.extend_from_slice(bytes))? == Some(0) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            while let Some((len, version, status, headers)) = parse_head(&received)? {
                received.drain(..len);
                if status.is_informational() {
                    continue;
                }
                let mut body = Body::of(method, version, status, &headers).map_err(invalid)?;
                // A body of no bytes is over with its head.
                let end = if received.is_empty() {
                    body.decode(&[], |_| {})
                } else {
                    None
                };
                return Ok(Self {
                    socket,
                    version,
                    status,
                    headers,
                    end,
                    early: received,
                    body,
                });
            }
            if received.len() > MAX_HEAD {
                return Err(invalid("an endless head"));
            }
        }
    }

    /// The address at this end.
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Closes this half of the connection.
    pub(super) async fn half_close(&mut self) -> io::Result<()> {
        self.socket.shutdown().await
    }

    /// Waits until [`read`](Self::read) may have something.
    ///
    /// Cancel safe: nothing is taken from the socket here.
    pub(super) async fn ready(&mut self) {
        if self.end.is_none()
            && self.early.is_empty()
            && let Err(error) = self.socket.readable().await
        {
            self.end = Some(End::Failed(error.kind()));
        }
    }

    /// Hands the content that is there to `take`, if any; an error is the body's end.
    pub(super) fn read(&mut self, take: impl FnMut(&[u8])) -> Result<(), End> {
        if let Some(end) = self.end {
            return Err(end);
        }
        if !self.early.is_empty() {
            let early = std::mem::take(&mut self.early);
            self.end = self.body.decode(&early, take);
            return Ok(());
        }
        let (body, mut end) = (&mut self.body, None);
        match try_read(&self.socket, |bytes| end = body.decode(bytes, take)) {
            Ok(Some(0)) => self.end = Some(self.body.at_close()),
            Ok(_) => self.end = end,
            Err(error) => self.end = Some(End::Failed(error.kind())),
        }
        Ok(())
    }

    /// How the body ended, if that has been read.
    pub(super) const fn end(&self) -> Option<End> {
        self.end
    }

    /// Sends bytes behind the request.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).await
    }

    /// Makes the close a reset.
    pub(super) fn reset(self) -> io::Result<()> {
        self.socket.set_zero_linger()
    }
}

impl Drop for Exchange {
    /// Reads what has come: closing a socket over unread bytes would send a reset, not a FIN.
    fn drop(&mut self) {
        // Past tokio, which may not have seen yet that the socket is readable.
        let socket = SockRef::from(&self.socket);
        let mut buffer = [0; READ];
        for _ in 0..LAST_READS {
            if !matches!((&*socket).read(&mut buffer), Ok(1..)) {
                break;
            }
        }
    }
}

/// Hands what is there to `take` and says how much; 0 at the end, nothing if there is none yet.
fn try_read(socket: &TcpStream, take: impl FnOnce(&[u8])) -> io::Result<Option<usize>> {
    let mut buffer = [0; READ];
    match socket.try_read(&mut buffer) {
        Ok(len) => {
            if len > 0 {
                take(&buffer[..len]);
            }
            Ok(Some(len))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

type Head = (usize, Version, StatusCode, HeaderMap);

/// The head that `received` starts with and its length, once it is whole.
fn parse_head(received: &[u8]) -> io::Result<Option<Head>> {
    let mut slots = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut slots);
    let len = match head.parse(received).map_err(invalid)? {
        httparse::Status::Complete(len) => len,
        httparse::Status::Partial => return Ok(None),
    };
    let version = match head.version {
        Some(0) => Version::HTTP_10,
        _ => Version::HTTP_11,
    };
    let status = StatusCode::from_u16(head.code.unwrap_or_default()).map_err(invalid)?;
    let mut headers = HeaderMap::with_capacity(head.headers.len());
    for header in head.headers {
        let name = HeaderName::try_from(header.name).map_err(invalid)?;
        let value = HeaderValue::from_bytes(header.value).map_err(invalid)?;
        headers.append(name, value);
    }
    Ok(Some((len, version, status, headers)))
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
