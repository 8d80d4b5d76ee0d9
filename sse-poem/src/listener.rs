use std::time::Duration;

use poem::{
    http::uri::Scheme,
    listener::{Acceptor, Listener},
    web::{LocalAddr, RemoteAddr},
};
use sse_net::WriteTimeout;

/// After how long a connection is ended on which a write waits, unless it is set.
const WRITE_TIMEOUT: Duration = Duration::from_secs(90);

/// A listener or acceptor whose connections end as soon as the client closes them, and where the
/// client takes nothing for too long.
///
/// `poem::Server` alone keeps an idle HTTP/1.1 stream after the client's FIN until it writes to it
/// again: see [`sse_net::CloseAware`], which this wraps every connection in; and one whose client
/// doesn't read for as long as the kernel does: see [`sse_net::WriteTimeout`]. With TLS it belongs
/// outside: `CloseAware::new(TcpListener::bind(…).rustls(…))`; there the second takes as much longer as
/// it takes to fill the 64 KiB that TLS buffers.
#[derive(Debug, Clone)]
pub struct CloseAware<L> {
    inner: L,
    write_timeout: Duration,
}

impl<L> CloseAware<L> {
    /// Wraps a listener, for `Server::new`, or an acceptor, for `Server::new_with_acceptor`.
    pub const fn new(inner: L) -> Self {
        Self {
            inner,
            write_timeout: WRITE_TIMEOUT,
        }
    }

    /// For how long a client may take nothing of what is written before its connection is ended; 90 s
    /// by default. As long as the hub's `reap_after`.
    #[must_use]
    pub const fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }
}

impl<L: Listener> Listener for CloseAware<L> {
    type Acceptor = CloseAware<L::Acceptor>;

    async fn into_acceptor(self) -> std::io::Result<Self::Acceptor> {
        Ok(CloseAware {
            inner: self.inner.into_acceptor().await?,
            write_timeout: self.write_timeout,
        })
    }
}

impl<A: Acceptor> Acceptor for CloseAware<A> {
    type Io = sse_net::CloseAware<WriteTimeout<A::Io>>;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.inner.local_addr()
    }

    async fn accept(&mut self) -> std::io::Result<(Self::Io, LocalAddr, RemoteAddr, Scheme)> {
        let (io, local, remote, scheme) = self.inner.accept().await?;
        let io = WriteTimeout::new(io, self.write_timeout);
        Ok((sse_net::CloseAware::new(io), local, remote, scheme))
    }
}
