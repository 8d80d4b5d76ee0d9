#![doc = include_str!("docs/crate.md")]
#![forbid(unsafe_code)]

mod accept;
mod backoff;
mod close_aware;
mod connection;
mod connections;
mod first_bytes;
mod listener;
mod server;
mod socket_info;
mod stopped;
#[cfg(feature = "tls")]
mod tls;
mod with_socket;

pub use close_aware::CloseAware;
pub use listener::listen;
pub use server::Server;
pub use socket_info::SocketInfo;
pub use stopped::Stopped;
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;
