use std::net::SocketAddr;

/// What a server knows of the socket that a request came in on: an extension of the request, which
/// every adapter's extractor reads, whatever the framework.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketInfo {
    /// The address at the other end; behind a proxy it is the proxy's.
    pub peer: SocketAddr,
    /// The address at this end.
    pub local: SocketAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

impl SocketInfo {
    /// Of a socket between these addresses, which isn't encrypted.
    #[must_use]
    pub const fn new(peer: SocketAddr, local: SocketAddr) -> Self {
        Self {
            peer,
            local,
            tls: false,
        }
    }

    /// Says whether it is encrypted.
    #[must_use]
    pub const fn with_tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }
}
