use serde::Serialize;

use crate::Nickname;

/// What somebody says, before the store has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Draft {
    /// Who says it.
    pub from: Nickname,
    /// To whom alone; to everybody where there is nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Nickname>,
    /// Any text.
    pub text: String,
    /// When, as RFC 3339 has it.
    pub time: String,
}

/// What somebody said: the data of a `chat` event, and an entry of `history`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Its place among all messages of the room, which is the store's.
    pub id: u64,
    /// What was said.
    #[serde(flatten)]
    pub draft: Draft,
}
