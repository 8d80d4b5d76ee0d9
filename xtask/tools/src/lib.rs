//! Cargo tools at pinned versions, in a cache that all clones share: where `cargo xtask setup` puts
//! them, and where the chores and the tests find them.
#![forbid(unsafe_code)]

mod cargo_tool;

pub use cargo_tool::{CARGO_DENY, CARGO_FUZZ, CargoTool, GECKODRIVER};
