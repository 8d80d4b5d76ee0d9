//! A chat room: who is there, what was said, private messages.

#![forbid(unsafe_code)]

mod app;
mod auth;
mod chat;
mod members;
mod memory_store;
mod message;
mod nickname;
mod page;
mod presence;
mod refusal;
mod room;
mod store;

pub use app::app;
pub use chat::{Chat, Settings};
pub use memory_store::MemoryStore;
pub use message::{Draft, Message};
pub use nickname::{Nickname, NicknameError};
pub use store::{KEPT, Store, StoreError, UNREAD};
