//! The server over real sockets.

mod buffers;
mod protocols;
mod stop;
mod support;
mod timeouts;
#[cfg(feature = "tls")]
mod tls;
