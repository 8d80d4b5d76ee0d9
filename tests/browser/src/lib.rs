//! A real Chromium or Firefox, for the tests of this workspace. `cargo xtask setup` installs both.
#![forbid(unsafe_code)]

mod browser;
mod driver;
mod kind;

pub use browser::{Browser, PATIENCE};
pub use fantoccini::{Client, Locator, elements::Element};
pub use kind::BrowserKind;
