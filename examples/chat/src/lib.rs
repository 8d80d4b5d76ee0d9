//! A chat room: who is there, what was said, private messages.
//!
//! # On a stream
//!
//! | event | when | data |
//! |---|---|---|
//! | `online_list` | once, when a stream begins afresh | `people`: of each `nickname`, `member` |
//! | `history` | right behind it | `messages`: the last 50 public ones, and the private ones of whoever reads: all that he hasn't read, and the last 50 that he has read or sent |
//! | `system` | when somebody comes or goes | `type`: `join` or `leave`; `nickname`, `member`, `time` |
//! | `chat` | when something is said | `id`, `from`, `to` where it is private, `text`, `time` |
//!
//! `member` is a number that nobody else gets: a name may be another's once it is free. `POST /send` takes it beside
//! `to`, and says something to him alone who was meant, or to nobody.
//!
//! Besides these there are the library's own. `system` changes the list; a list each time would cost as many names,
//! for as many readers, as there are people, whenever one of them moves.
//!
//! Each message comes once: in `history`, or else as a `chat`. A stream that comes back with a last event id is
//! told neither list nor history: it goes on where it was. What it must know:
//!
//! - After a `gap` both are told anew, in place of what was known. Nothing has an id before them: whoever is cut
//!   in between comes back as before.
//! - One's own messages come like everybody's, in their place among all others.

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
