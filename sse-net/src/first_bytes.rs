use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// What an HTTP/2 client sends first (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream that fails unless its first bytes say in time which HTTP it is.
///
/// hyper-util reads the whole preface, or the first byte that isn't of it, before either of
/// hyper's protocols has the connection, and until then no timeout of theirs runs.
#[derive(Debug)]
pub(crate) struct FirstBytes<T> {
    inner: T,
    /// Until the protocol is known; without a limit it is never asked.
    late: Option<Pin<Box<Sleep>>>,
    /// How much of the preface has come.
    matched: usize,
}

impl<T> FirstBytes<T> {
    pub(crate) fn new(inner: T, deadline: Option<Instant>) -> Self {
        Self {
            inner,
            late: deadline.map(|deadline| Box::pin(sleep_until(deadline))),
            matched: 0,
        }
    }

    /// Notes what was read; nothing is the end.
    fn note(&mut self, read: &[u8]) {
        let so_far = self.matched + read.len();
        let expected = PREFACE.get(self.matched..so_far);
        if read.is_empty() || expected != Some(read) || so_far == PREFACE.len() {
            self.late = None;
        }
        self.matched = so_far;
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for FirstBytes<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        if let Some(late) = &mut self.late {
            match read {
                Poll::Ready(_) => self.note(&buf.filled()[before..]),
                Poll::Pending if late.as_mut().poll(cx).is_ready() => {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                Poll::Pending => {}
            }
        }
        read
    }
}

#[deny(clippy::missing_trait_methods)]
impl<T: AsyncWrite + Unpin> AsyncWrite for FirstBytes<T> {
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
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// What a read after `sent`, a piece each second, comes to once the limit has passed.
    async fn outcome(sent: &[&[u8]]) -> Option<io::ErrorKind> {
        let (mut peer, stream) = duplex(64);
        let mut stream = FirstBytes::new(stream, Some(Instant::now() + LIMIT));
        let mut piece = [0; 64];
        for bytes in sent {
            peer.write_all(bytes).await.unwrap();
            assert_eq!(stream.read(&mut piece).await.unwrap(), bytes.len());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let read = tokio::time::timeout(LIMIT * 2, stream.read(&mut piece)).await;
        read.ok().map(|read| read.unwrap_err().kind())
    }

    #[test]
    fn vectored_writes_go_through() {
        let (stream, _peer) = duplex(64);
        assert!(stream.is_write_vectored());
        assert!(FirstBytes::new(stream, None).is_write_vectored());
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_half_a_preface_time_out() {
        let late = Some(io::ErrorKind::TimedOut);
        assert_eq!(outcome(&[]).await, late);
        assert_eq!(outcome(&[b"P"]).await, late);
        assert_eq!(outcome(&[b"PRI *", b" HTTP/2.0\r\n\r\nSM"]).await, late);
    }

    #[tokio::test(start_paused = true)]
    async fn a_known_protocol_has_no_limit_here() {
        assert_eq!(outcome(&[b"G"]).await, None);
        assert_eq!(outcome(&[b"P", b"O"]).await, None);
        assert_eq!(outcome(&[PREFACE]).await, None);
        assert_eq!(outcome(&[&PREFACE[..20], &PREFACE[20..]]).await, None);
        assert_eq!(
            outcome(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0"]).await,
            None
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_is_from_the_beginning_whatever_trickles_in() {
        let begun = Instant::now();
        let (mut peer, stream) = duplex(64);
        let mut stream = FirstBytes::new(stream, Some(begun + LIMIT));
        let trickle = tokio::spawn(async move {
            for byte in PREFACE {
                tokio::time::sleep(Duration::from_secs(1)).await;
                drop(peer.write_all(&[*byte]).await);
            }
        });
        let mut bytes = Vec::new();
        let error = stream.read_to_end(&mut bytes).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), 10);
        trickle.abort();
    }
}
