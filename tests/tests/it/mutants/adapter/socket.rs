use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};

use super::{
    Fault::{self, LooksOnlyWhileIdle},
    body::LATE,
};

/// A socket; for [`LooksOnlyWhileIdle`] it isn't read, over HTTP/1, while it is written to.
pub(super) struct Socket {
    inner: TcpStream,
    looks_while_busy: bool,
    written: Option<Instant>,
    again: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    pub(super) fn new(inner: TcpStream, fault: Fault) -> Self {
        Self {
            inner,
            looks_while_busy: fault != LooksOnlyWhileIdle,
            written: None,
            again: None,
        }
    }

    fn is_busy(&self) -> bool {
        let lately = self.written.is_some_and(|at| at.elapsed() < LATE);
        lately && !self.looks_while_busy
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.is_busy() {
            let again = self.again.get_or_insert_with(|| Box::pin(sleep(LATE)));
            ready!(again.as_mut().poll(cx));
            self.again = None;
        }
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        if buf.filled().starts_with(b"PRI ") {
            self.looks_while_busy = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written = Some(Instant::now());
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
