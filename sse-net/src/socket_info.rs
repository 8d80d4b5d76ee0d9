use std::net::SocketAddr;

/// What a server knows of the socket that a request came in on: an extension of the request, which
/// every adapter's extractor reads, whatever the framework.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketInfo {
    /// The address at the other end; behind a proxy it is the proxy's.
    pub peer: SocketAddr,
    /// The address at this end.
    pub local: SocketAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
}
