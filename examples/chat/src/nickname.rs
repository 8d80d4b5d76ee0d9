use std::{fmt, sync::Arc};

use serde::{Serialize, Serializer};

/// How many characters a nickname has at the most.
const LONGEST: usize = 32;

/// What somebody is called in the room.
///
/// 1 to 32 characters, none of them a control character, no white space at its ends. Two that differ only in
/// case are the same name, though each is shown as it was chosen.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nickname(Arc<str>);

/// Why a text isn't a nickname.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NicknameError {
    /// It has none or too many characters.
    #[error("a nickname has 1 to {LONGEST} characters")]
    Length,
    /// It has a control character, which can't stand in the name of a client.
    #[error("a nickname has no control characters")]
    Control,
    /// Nobody would see the difference.
    #[error("a nickname has no white space at its ends")]
    Padded,
}

impl Nickname {
    /// Checks `text` and makes it a nickname.
    ///
    /// # Errors
    ///
    /// [`NicknameError`].
    pub fn new(text: &str) -> Result<Self, NicknameError> {
        if text.is_empty() || text.chars().count() > LONGEST {
            return Err(NicknameError::Length);
        }
        if text.chars().any(char::is_control) {
            return Err(NicknameError::Control);
        }
        if text.trim() != text {
            return Err(NicknameError::Padded);
        }
        Ok(Self(text.into()))
    }

    /// It as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for Nickname {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Debug for Nickname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Nickname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nickname_is_short_and_can_be_seen() {
        let longest = "🦀".repeat(LONGEST);
        for text in [
            "a",
            "<b>",
            "größe \"x\"",
            "\u{202e}abc",
            "שלום",
            "a b",
            &longest,
        ] {
            assert_eq!(Nickname::new(text).unwrap().as_str(), text);
        }
        let (long, length) = ("x".repeat(LONGEST + 1), NicknameError::Length);
        for (text, why) in [
            ("", length),
            (&*long, length),
            ("a\nb", NicknameError::Control),
            ("a\u{0}", NicknameError::Control),
            ("\u{85}a", NicknameError::Control),
            (" ", NicknameError::Padded),
            (" a", NicknameError::Padded),
            ("a\u{3000}", NicknameError::Padded),
        ] {
            assert_eq!(Nickname::new(text), Err(why), "{text:?}");
        }
    }
}
