//! What the examples share: a log, the files of a page, and a server that ends when it is told to.

#![forbid(unsafe_code)]

mod answer;
mod asset;
mod body;
mod cors;
mod program;
mod serving;
#[cfg(feature = "test")]
pub mod test;

pub use answer::{error, json};
pub use asset::Asset;
pub use body::{BodyError, read_json};
pub use cors::{Origins, OriginsError};
pub use program::{exit, init_log, say};
pub use serving::{End, Serving, bind};
