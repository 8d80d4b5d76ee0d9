//! What the workspace's tests hold streams against.
//!
//! | item | is |
//! |---|---|
//! | [`EventStream`] | a reference parser of the event stream format, written from the standard |
//! | [`StreamClient`] | a client over real sockets that reads through that parser |
//! | [`request`] | any other request, for the whole response |
//! | [`eventually`] | what a test does instead of sleeping |
//!
//! It is for tests: what isn't as a test needs it panics with a message that says what came
//! instead, and nothing waits without a limit.

#![forbid(unsafe_code)]

#[deny(dead_code)]
pub mod adapter;
mod client;
mod event_stream;
mod eventually;
#[deny(dead_code)]
pub mod registry;
mod suite;

pub use client::{Call, End, Response, StreamClient, request};
pub use event_stream::{Dispatched, EventStream};
pub use eventually::eventually;
pub use suite::{Case, Rule, Violation};
