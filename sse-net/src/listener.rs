use std::{io, net::SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::Tuning;

/// How many connections wait in the kernel to be accepted; the system may have a lower limit.
const BACKLOG: i32 = 8192;

/// A listening socket as a server of streams wants it, for [`Server`](crate::Server) or for a
/// framework's own: with the default [`Tuning`].
///
/// `TCP_NODELAY` is set on it too, which accepted sockets inherit on Linux: an event leaves when it
/// is written, not when the one before it has been acknowledged. Elsewhere the server has to set it
/// on each. `SO_REUSEADDR` is set (not on Windows, where it means something else), so that a
/// server that restarts gets its port at once; 8,192 connections may wait to be accepted, or as many
/// as the system allows (`net.core.somaxconn` on Linux): all clients come back at once.
///
/// # Errors
///
/// Those of the system: the address is in use, isn't this machine's, or wants privileges.
///
/// # Panics
///
/// Outside a tokio runtime with I/O, as [`TcpListener::from_std`].
pub fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    listen_with(addr, Tuning::default())
}

/// As [`listen`], tuned as `tuning` has it.
///
/// # Errors
///
/// Those of [`listen`].
///
/// # Panics
///
/// As [`listen`].
pub fn listen_with(addr: SocketAddr, tuning: Tuning) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    tune(&socket)?;
    tuning.set_on(&socket)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Sets what accepted sockets are to inherit, before the first of them comes.
fn tune(socket: &Socket) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)
}

#[cfg(test)]
mod tests {
    use std::{
        net::{Ipv4Addr, Ipv6Addr},
        time::Duration,
    };

    use tokio::net::TcpStream;

    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn accepted_sockets_inherit_what_is_set() {
        for addr in [
            SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        ] {
            let listener = listen(addr).unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap());
            let (client, accepted) = tokio::join!(client, listener.accept());
            let (accepted, _) = accepted.unwrap();
            assert!(accepted.nodelay().unwrap(), "{addr}");
            let socket = socket2::SockRef::from(&accepted);
            let user_timeout = socket.tcp_user_timeout().unwrap();
            assert_eq!(user_timeout, Some(Duration::from_secs(90)));
            assert_eq!(socket.tcp_notsent_lowat().unwrap(), 16 * 1024);
            assert!(socket.keepalive().unwrap());
            assert_eq!(
                socket.tcp_keepalive_time().unwrap(),
                Duration::from_secs(30)
            );
            drop(client);
        }
        let plain = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let client = TcpStream::connect(plain.local_addr().unwrap());
        let (client, accepted) = tokio::join!(client, plain.accept());
        assert!(!accepted.unwrap().0.nodelay().unwrap(), "it is the default");
        drop(client);
    }

    #[tokio::test]
    async fn a_port_that_was_served_is_free_at_once() {
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let addr = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(addr), listener.accept());
        // The side that closes first is the one that keeps the port.
        drop(accepted);
        drop(client);
        drop(listener);
        listen(addr).unwrap();
    }

    #[tokio::test]
    async fn an_address_in_use_is_an_error() {
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let again = listen(listener.local_addr().unwrap());
        assert_eq!(again.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
