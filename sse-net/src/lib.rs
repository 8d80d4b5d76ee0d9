//! What a server of event streams needs below the request.
//!
//! [`CloseAware`] makes a server notice a client that goes away while nothing is sent to it.

#![forbid(unsafe_code)]

mod close_aware;
mod socket_info;

pub use close_aware::CloseAware;
pub use socket_info::SocketInfo;
