#![doc = include_str!("docs/crate.md")]
#![forbid(unsafe_code)]

#[deny(dead_code)]
pub mod adapter;
mod client;
mod event_stream;
mod eventually;
#[deny(dead_code)]
pub mod history;
#[deny(dead_code)]
pub mod registry;
#[deny(dead_code)]
pub mod router;
#[deny(dead_code)]
pub mod sink;
mod suite;

pub use client::{Call, End, Response, StreamClient, request};
pub use event_stream::{Dispatched, EventStream};
pub use eventually::eventually;
pub use suite::{Case, Rule, Violation};
