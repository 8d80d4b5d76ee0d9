#![doc = include_str!("docs/crate.md")]
#![forbid(unsafe_code)]

mod listener;
mod request;
mod response;

pub use listener::CloseAware;
pub use request::{Sse, SseClient};
pub use response::{SseError, SseResponse};

/// The README's programs, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
