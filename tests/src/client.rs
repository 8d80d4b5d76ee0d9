//! A client as small as a browser's `EventSource`, over real sockets.

mod body;
mod call;
mod exchange;
mod response;

use std::{collections::VecDeque, fmt, io, net::SocketAddr, time::Duration};

use http::{HeaderMap, StatusCode, Version, header};
use tokio::time::{Instant, timeout_at};

use self::exchange::Exchange;
pub use self::{
    call::Call,
    response::{Response, request},
};
use crate::{Dispatched, EventStream};

/// A stream over HTTP/1, read through the reference parser: what it yields are dispatched events,
/// never chunks.
///
/// It has no task of its own. It reads only while one of its methods waits, so that a client stops
/// reading by not being asked; and while it waits it holds no buffer. How it goes away: dropping
/// it closes the connection (FIN), [`reset`](Self::reset) breaks it off (RST).
#[derive(Debug)]
pub struct StreamClient {
    /// How failures name the request.
    label: String,
    exchange: Exchange,
    stream: EventStream,
    waiting: VecDeque<Dispatched>,
    yielded: u64,
    body_len: u64,
    kept: Option<Vec<u8>>,
    timeout: Duration,
}

/// How a response body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// Its own way: with the last chunk, at its length, or where only the close delimits it, by
    /// that.
    Clean,
    /// The server closed in the midst of it.
    Cut,
    /// The connection failed in the midst of it; a reset is
    /// [`ConnectionReset`](io::ErrorKind::ConnectionReset).
    Failed(io::ErrorKind),
    /// It isn't HTTP.
    Malformed(&'static str),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean => f.write_str("a clean end"),
            Self::Cut => f.write_str("a close in the midst of the body"),
            Self::Failed(kind) => write!(f, "a failure: {kind}"),
            Self::Malformed(why) => write!(f, "malformed HTTP: {why}"),
        }
    }
}

/// Why there is no next event.
enum NoEvent {
    Yet,
    More(End),
}

impl StreamClient {
    /// Opens a stream when the call is awaited; set its options before.
    pub fn open(addr: SocketAddr, path: &str) -> Call {
        Call::new(addr, path)
    }

    fn new(label: String, exchange: Exchange, timeout: Duration, keep_body: bool) -> Self {
        Self {
            label,
            exchange,
            stream: EventStream::new(),
            waiting: VecDeque::new(),
            yielded: 0,
            body_len: 0,
            kept: keep_body.then(Vec::new),
            timeout,
        }
    }

    /// The response's status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.exchange.status
    }

    /// The response's HTTP version.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.exchange.version
    }

    /// The response's headers.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.exchange.headers
    }

    /// The next event.
    ///
    /// # Panics
    ///
    /// None comes within the timeout or before the stream ends, or the response isn't one that an
    /// `EventSource` takes for a stream (WHATWG HTML, 9.2.3).
    pub async fn next_event(&mut self) -> Dispatched {
        let deadline = Instant::now() + self.timeout;
        match self.next_by(deadline).await {
            Ok(event) => event,
            Err(no_event) => self.fail("no event", &no_event),
        }
    }

    /// The next event, unless none comes within `within` or before the stream ends.
    ///
    /// # Panics
    ///
    /// The response isn't a stream.
    pub async fn try_next(&mut self, within: Duration) -> Option<Dispatched> {
        self.next_by(Instant::now() + within).await.ok()
    }

    /// The next event of this name; those before it are passed over.
    ///
    /// # Panics
    ///
    /// As [`next_event`](Self::next_event).
    pub async fn next_named(&mut self, name: &str) -> Dispatched {
        let deadline = Instant::now() + self.timeout;
        let mut passed = Vec::new();
        loop {
            match self.next_by(deadline).await {
                Ok(event) if event.event == name => return event,
                Ok(event) => passed.push(event.event),
                Err(no_event) => {
                    let what = format!("no event {name:?} (but {passed:?})");
                    self.fail(&what, &no_event);
                }
            }
        }
    }

    /// Reads to the end of the body and says how it ended. Events that come before it wait: ask
    /// for them afterwards.
    ///
    /// # Panics
    ///
    /// It doesn't end within the timeout.
    pub async fn ended(&mut self) -> End {
        let deadline = Instant::now() + self.timeout;
        loop {
            match timeout_at(deadline, self.advance()).await {
                Ok(Ok(())) => {}
                Ok(Err(end)) => return end,
                Err(_) => self.fail("no end", &NoEvent::Yet),
            }
        }
    }

    /// How the body ended, if that has been read.
    #[must_use]
    pub const fn end(&self) -> Option<End> {
        self.exchange.end()
    }

    /// The stream as read so far: its retry, last event id and comments. Events may wait that
    /// [`next_event`](Self::next_event) has not returned yet.
    #[must_use]
    pub const fn stream(&self) -> &EventStream {
        &self.stream
    }

    /// How many bytes of the body have been read, without the transfer coding.
    #[must_use]
    pub const fn body_len(&self) -> u64 {
        self.body_len
    }

    /// The bytes of the body that have been read, without the transfer coding.
    ///
    /// # Panics
    ///
    /// The stream was opened without [`Call::keep_body`].
    #[must_use]
    pub fn body(&self) -> &[u8] {
        match &self.kept {
            Some(body) => body,
            None => panic!("{}: open it with `keep_body`", self.label),
        }
    }

    /// Sends bytes that nobody asked for behind the request.
    ///
    /// # Errors
    ///
    /// The connection is gone.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.exchange.send(bytes).await
    }

    /// The client's own address.
    ///
    /// # Errors
    ///
    /// The socket has none.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.exchange.local_addr()
    }

    /// Closes the client's half of the connection (FIN), and goes on reading.
    ///
    /// # Errors
    ///
    /// The connection is gone.
    pub async fn half_close(&mut self) -> io::Result<()> {
        self.exchange.half_close().await
    }

    /// Goes away with a reset (RST).
    ///
    /// # Panics
    ///
    /// The system refuses to set `SO_LINGER`.
    pub fn reset(self) {
        if let Err(error) = self.exchange.reset() {
            panic!("{}: can't reset: {error}", self.label);
        }
    }

    async fn next_by(&mut self, deadline: Instant) -> Result<Dispatched, NoEvent> {
        self.assert_stream();
        loop {
            if let Some(event) = self.waiting.pop_front() {
                self.yielded += 1;
                return Ok(event);
            }
            match timeout_at(deadline, self.advance()).await {
                Ok(Ok(())) => {}
                Ok(Err(end)) => return Err(NoEvent::More(end)),
                Err(_) => return Err(NoEvent::Yet),
            }
        }
    }

    /// Reads what is there, once there is something.
    ///
    /// Cancel safe: it doesn't wait after it has read.
    async fn advance(&mut self) -> Result<(), End> {
        self.exchange.ready().await;
        self.exchange.read(|bytes| {
            self.body_len += bytes.len() as u64;
            if let Some(kept) = &mut self.kept {
                kept.extend_from_slice(bytes);
            }
            self.waiting.extend(self.stream.push(bytes));
        })
    }

    fn assert_stream(&self) {
        let content_type = self.headers().get(header::CONTENT_TYPE);
        let essence = content_type
            .and_then(|value| value.to_str().ok()?.split(';').next())
            .map(str::trim);
        assert!(
            self.status() == StatusCode::OK
                && essence.is_some_and(|e| e.eq_ignore_ascii_case("text/event-stream")),
            "{}: {} with content type {content_type:?} isn't an event stream",
            self.label,
            self.status(),
        );
    }

    fn fail(&self, what: &str, no_event: &NoEvent) -> ! {
        let Self { label, timeout, .. } = self;
        let so_far = format!("after {} events and {} bytes", self.yielded, self.body_len);
        match no_event {
            NoEvent::Yet => panic!("{label}: {what} within {timeout:?}, {so_far}"),
            NoEvent::More(end) => panic!("{label}: {what}, {so_far} came {end}"),
        }
    }
}
