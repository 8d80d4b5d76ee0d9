use std::{fmt, sync::Arc};

use serde::{Serialize, Serializer};

/// How many characters a nickname has at the most.
const LONGEST: usize = 32;

/// What somebody is called in the room.
///
/// 1 to 32 characters, none of them a control character or one that can't be seen, or that turns the text
/// around; no white space at its ends. Two that differ only in case are the same name, though each is shown as
/// it was chosen. Look-alikes aren't caught: a Cyrillic `а` is another letter than a Latin `a`.
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
    /// It has a character that can't be seen, or that turns the text around: it would look like another's.
    #[error("a nickname has no characters that can't be seen")]
    Unseen,
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
        if text.chars().any(is_unseen) {
            return Err(NicknameError::Unseen);
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

/// The name in lower case, by which it is known whose it is.
pub(crate) fn fold(name: &str) -> String {
    // In lower case a sigma is another at the end of a word, if it was a capital.
    name.to_lowercase().replace('ς', "σ")
}

/// Whether a character leaves no trace, or changes how its neighbours stand: those of format and direction, and
/// the blank ones that aren't white space.
const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{115f}'..='\u{1160}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{e0000}'..='\u{e0fff}'
    )
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
        for text in ["a", "<b>", "größe \"x\"", "שלום", "a b", &longest] {
            assert_eq!(Nickname::new(text).unwrap().as_str(), text);
        }
        let (long, length) = ("x".repeat(LONGEST + 1), NicknameError::Length);
        for (text, why) in [
            ("", length),
            (&*long, length),
            ("a\nb", NicknameError::Control),
            ("a\u{0}", NicknameError::Control),
            ("\u{85}a", NicknameError::Control),
            ("a\u{ad}b", NicknameError::Unseen),
            ("a\u{200b}", NicknameError::Unseen),
            ("👩\u{200d}👩", NicknameError::Unseen),
            ("\u{202e}abc", NicknameError::Unseen),
            ("\u{2028}a", NicknameError::Unseen),
            ("\u{2067}a", NicknameError::Unseen),
            ("\u{2800}", NicknameError::Unseen),
            ("\u{3164}", NicknameError::Unseen),
            ("a\u{e0041}", NicknameError::Unseen),
            (" ", NicknameError::Padded),
            (" a", NicknameError::Padded),
            ("a\u{3000}", NicknameError::Padded),
        ] {
            assert_eq!(Nickname::new(text), Err(why), "{text:?}");
        }
    }

    #[test]
    fn case_makes_no_other_name() {
        assert_eq!(fold("ΑΣ"), fold("ασ"));
        assert_eq!(fold("ας"), fold("ασ"));
        assert_ne!(fold("ασ"), fold("αs"));
    }
}
