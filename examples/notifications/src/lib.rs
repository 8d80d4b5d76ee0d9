//! A notification server: streams for clients in groups, and a JSON API that pushes to a client,
//! a group or everybody.
//!
//! Run it with `cargo run` at the root of the repository, and open the page that it names.

#![forbid(unsafe_code)]

mod actions;
mod answer;
mod api;
mod app;
mod args;
mod auth;
mod axum_app;
mod draining;
mod follows;
mod friends;
mod page;
mod poem_app;
mod send;
mod serve;
mod warp_app;

pub use app::App;
pub use args::{Args, Command, Framework, Over};
pub use auth::Secret;
pub use axum_app::app as axum_app;
pub use poem_app::app as poem_app;
pub use serve::serve_until;
pub use warp_app::app as warp_app;
