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
    failures: Failures,
}

/// How many failures that seem to be of one connection each come in a row, before the next is taken
/// for one that time has to cure.
const ONE_AFTER_THE_OTHER: u32 = 64;

/// The failures since something was accepted.
#[derive(Debug, Default)]
struct Failures(u32);

impl Failures {
    /// Whether it is no use to try again at once.
    fn call_for_a_wait(&mut self, error: &io::Error) -> bool {
        self.0 = self.0.saturating_add(1);
        self.0 > ONE_AFTER_THE_OTHER || !is_of_one_connection(error)
    }
}

impl Accept {
    pub(crate) const fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            backoff: Backoff::new(),
            failures: Failures(0),
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
                    self.failures = Failures::default();
                    // Both fail on a socket that was reset already.
                    if let (Ok(local), Ok(())) = (stream.local_addr(), stream.set_nodelay(true)) {
                        return Accepted {
                            stream,
                            peer,
                            local,
                        };
                    }
                }
                Err(error) if self.failures.call_for_a_wait(&error) => {
                    if self.backoff.failed() {
                        tracing::warn!(
                            error = &error as &dyn Error,
                            "no connection can be accepted, trying again"
                        );
                    }
                }
                Err(error) => {
                    tracing::debug!(
                        error = &error as &dyn Error,
                        "a connection failed before it was accepted"
                    );
                }
            }
        }
    }
}

/// Whether it is the failure of a connection that waited, which is gone with it: Linux hands on what
/// the network reports of one (accept(2)). Any other, such as a lack of descriptors or memory, or a
/// security module that forbids it, would come again at once.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::ConnectionRefused
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::TimedOut
            | Kind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_goes_with_a_connection_is_tried_again_at_once_and_not_for_ever() {
        let error = io::Error::from;
        let mut failures = Failures::default();
        assert!(failures.call_for_a_wait(&error(io::ErrorKind::PermissionDenied)));
        assert!(failures.call_for_a_wait(&error(io::ErrorKind::OutOfMemory)));
        let mut failures = Failures::default();
        for _ in 0..ONE_AFTER_THE_OTHER {
            assert!(!failures.call_for_a_wait(&error(io::ErrorKind::ConnectionAborted)));
        }
        assert!(failures.call_for_a_wait(&error(io::ErrorKind::ConnectionAborted)));
    }
}
