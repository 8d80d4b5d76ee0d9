use std::{error::Error, io, net::SocketAddr};

use tokio::net::{TcpListener, TcpStream};

use crate::backoff::Backoff;

/// A connection that was accepted, with both its addresses.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
}

/// Accepts connections, and waits where that can't be done.
#[derive(Debug)]
pub(crate) struct Accept {
    listener: TcpListener,
    backoff: Backoff,
}

impl Accept {
    pub(crate) const fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            backoff: Backoff::new(),
        }
    }

    /// The next connection.
    ///
    /// Cancel safe: none is lost.
    pub(crate) async fn next(&mut self) -> Accepted {
        loop {
            self.backoff.wait().await;
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    self.backoff.succeeded();
                    // Both fail on a socket that was reset already.
                    if let (Ok(local), Ok(())) = (stream.local_addr(), stream.set_nodelay(true)) {
                        return Accepted {
                            stream,
                            peer,
                            local,
                        };
                    }
                }
                Err(error) if is_of_one_connection(&error) => {
                    tracing::debug!(
                        error = &error as &dyn Error,
                        "a connection failed before it was accepted"
                    );
                }
                Err(error) => {
                    if self.backoff.failed() {
                        tracing::warn!(
                            error = &error as &dyn Error,
                            "no connection can be accepted, trying again"
                        );
                    }
                }
            }
        }
    }
}

/// Whether it is the failure of a connection that waited, which is gone with it. Any other, such
/// as a lack of descriptors or memory, would come again at once. Linux hands on what the network
/// reports of such a connection (accept(2)), and what a firewall says.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::ConnectionRefused
            | Kind::HostUnreachable
            | Kind::NetworkDown
            | Kind::NetworkUnreachable
            | Kind::PermissionDenied
            | Kind::TimedOut
            | Kind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use rustix::io::Errno;

    use super::*;

    #[tokio::test]
    async fn an_accepted_socket_has_nodelay_whatever_the_listener() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut accept = Accept::new(listener);
        let (client, accepted) = tokio::join!(TcpStream::connect(addr), accept.next());
        assert!(accepted.stream.nodelay().unwrap());
        assert_eq!(accepted.peer, client.unwrap().local_addr().unwrap());
        assert_eq!(accepted.local, addr);
    }

    #[test]
    fn a_lack_is_not_of_one_connection() {
        for lack in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            assert!(!is_of_one_connection(&lack.into()), "{lack}");
        }
        for gone in [Errno::CONNABORTED, Errno::CONNRESET, Errno::HOSTUNREACH] {
            assert!(is_of_one_connection(&gone.into()), "{gone}");
        }
    }
}
