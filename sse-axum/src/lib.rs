#![doc = include_str!("docs/crate.md")]
#![forbid(unsafe_code)]

mod request;
mod response;
mod service;

pub use request::{Sse, SseClient};
pub use response::{SseError, SseResponse};
pub use service::service;
