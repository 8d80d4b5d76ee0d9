use poem::{
    http::uri::Scheme,
    listener::{Acceptor, Listener},
    web::{LocalAddr, RemoteAddr},
};

/// A listener or acceptor whose connections end as soon as the client closes them.
///
/// `poem::Server` alone keeps an idle HTTP/1.1 stream after the client's FIN until it writes to it
/// again: see [`sse_net::CloseAware`], which this wraps every connection in. With TLS it belongs
/// outside: `CloseAware::new(TcpListener::bind(…).rustls(…))`.
#[derive(Debug, Clone)]
pub struct CloseAware<L>(L);

impl<L> CloseAware<L> {
    /// Wraps a listener, for `Server::new`, or an acceptor, for `Server::new_with_acceptor`.
    pub const fn new(inner: L) -> Self {
        Self(inner)
    }
}

impl<L: Listener> Listener for CloseAware<L> {
    type Acceptor = CloseAware<L::Acceptor>;

    async fn into_acceptor(self) -> std::io::Result<Self::Acceptor> {
        self.0.into_acceptor().await.map(CloseAware)
    }
}

impl<A: Acceptor> Acceptor for CloseAware<A> {
    type Io = sse_net::CloseAware<A::Io>;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.0.local_addr()
    }

    async fn accept(&mut self) -> std::io::Result<(Self::Io, LocalAddr, RemoteAddr, Scheme)> {
        let (io, local, remote, scheme) = self.0.accept().await?;
        Ok((sse_net::CloseAware::new(io), local, remote, scheme))
    }
}
