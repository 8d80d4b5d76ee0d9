use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream whose end reads as [`ConnectionReset`](io::ErrorKind::ConnectionReset).
///
/// hyper tells a server that its peer has sent a FIN in the middle of a response as an error of
/// the connection, after which only reading is over. A serve loop that goes on to await the
/// connection, as `poem::Server` does to end it gracefully, then waits for the next write; on an
/// idle event stream that may be half a minute away, and never comes without heartbeats. An error
/// of the socket ends the connection in both directions, at once.
///
/// A client that only half-closes is treated as gone, which hyper does anyway.
#[derive(Debug)]
pub struct CloseAware<T> {
    inner: T,
}

impl<T> CloseAware<T> {
    /// Wraps `inner`. With TLS it belongs outside: the end of the TLS stream is what counts.
    pub const fn new(inner: T) -> Self {
        Self { inner }
    }

    /// The stream within.
    pub const fn get_ref(&self) -> &T {
        &self.inner
    }

    /// The stream within.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for CloseAware<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        let at_end = buf.filled().len() == before && buf.remaining() > 0;
        Poll::Ready(if at_end {
            Err(io::ErrorKind::ConnectionReset.into())
        } else {
            Ok(())
        })
    }
}

#[deny(clippy::missing_trait_methods)]
impl<T: AsyncWrite + Unpin> AsyncWrite for CloseAware<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn passes_everything_on_and_ends_with_an_error() {
        let (mut peer, stream) = duplex(64);
        let mut stream = CloseAware::new(stream);
        stream.write_all(b"pong").await.unwrap();
        peer.write_all(b"ping").await.unwrap();
        let mut bytes = [0; 4];
        peer.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"pong");
        drop(peer);

        stream.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"ping");
        let end = stream.read(&mut bytes).await.unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn an_empty_buffer_is_not_the_end() {
        let (_peer, stream) = duplex(64);
        let mut stream = CloseAware::new(stream);
        let mut empty = ReadBuf::new(&mut []);
        let read = std::future::poll_fn(|cx| Pin::new(&mut stream).poll_read(cx, &mut empty));
        read.await.unwrap();
    }
}
