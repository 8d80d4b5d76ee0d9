#![doc = include_str!("docs/crate.md")]
#![forbid(unsafe_code)]

mod listener;
mod request;
mod response;
mod service;

pub use listener::CloseAware;
pub use request::{Sse, SseClient};
pub use response::{SseError, SseResponse};
pub use service::{PoemService, service};

/// The README's programs, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
