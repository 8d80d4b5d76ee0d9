#![doc = include_str!("docs/crate.md")]
#![forbid(unsafe_code)]

mod accept;
mod backoff;
mod close_aware;
mod connection;
mod connections;
mod first_bytes;
#[cfg(feature = "signal")]
mod interrupts;
mod listener;
mod per_connection;
mod server;
mod socket_info;
mod stalls;
mod stopped;
#[cfg(feature = "tls")]
mod tls;
mod tuning;
mod write_timeout;

pub use close_aware::CloseAware;
#[cfg(feature = "signal")]
pub use interrupts::Interrupts;
pub use listener::{listen, listen_with};
pub use server::Server;
pub use socket_info::SocketInfo;
pub use stopped::Stopped;
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;
pub use tuning::{KeepAlive, Tuning};
pub use write_timeout::WriteTimeout;
