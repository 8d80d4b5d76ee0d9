//! The validated names: what they may hold, and the one error for all of them.

use std::{borrow::Borrow, convert::Infallible, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// The longest name of any kind, in bytes.
///
/// An event id comes back to the server in a request header and a group name or client id often
/// arrives in a URL, so none of them may grow without bound.
pub const MAX_NAME_BYTES: usize = 256;

/// The first character of every position on the wire; no [`EventId`] may start with it.
pub(crate) const POSITION_MARK: char = '~';

/// Why a text isn't a name of the wanted kind.
///
/// Control characters are refused in every name: CR and LF would end the field on the wire, NUL
/// makes a conforming client ignore an id (WHATWG HTML, 9.2.6), and the others can't come back in
/// a request header (RFC 9110, 5.5).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The text is empty.
    #[error("{what} is empty")]
    Empty {
        /// Which kind of name was asked for.
        what: &'static str,
    },
    /// The text is longer than [`MAX_NAME_BYTES`].
    #[error("{what} has {len} bytes, more than {MAX_NAME_BYTES}")]
    TooLong {
        /// Which kind of name was asked for.
        what: &'static str,
        /// The length of the text in bytes.
        len: usize,
    },
    /// The text has a control character.
    #[error("{what} has the control character {character:?} at byte {at}")]
    Control {
        /// Which kind of name was asked for.
        what: &'static str,
        /// The byte offset of the character.
        at: usize,
        /// The character.
        character: char,
    },
    /// The text starts or ends with white space, which a request header would lose.
    #[error("{what} starts or ends with white space")]
    Padded {
        /// Which kind of name was asked for.
        what: &'static str,
    },
    /// The text has the form that is reserved for positions: it starts with `~`.
    #[error("{what} starts with '~', which is reserved for positions")]
    Reserved {
        /// Which kind of name was asked for.
        what: &'static str,
    },
}

impl From<Infallible> for NameError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// The rule that every name keeps.
fn check(what: &'static str, text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { what });
    }
    if text.len() > MAX_NAME_BYTES {
        let len = text.len();
        return Err(NameError::TooLong { what, len });
    }
    match text.char_indices().find(|(_, c)| c.is_control()) {
        Some((at, character)) => Err(NameError::Control {
            what,
            at,
            character,
        }),
        None => Ok(()),
    }
}

/// What an id keeps besides: it has to survive the way back in a request header, unambiguously.
fn check_id(what: &'static str, text: &str) -> Result<(), NameError> {
    check(what, text)?;
    if text.starts_with(POSITION_MARK) {
        return Err(NameError::Reserved { what });
    }
    if text.trim().len() != text.len() {
        return Err(NameError::Padded { what });
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:path) => {
        $(#[$doc])*
        ///
        /// Cheap to clone. At most [`MAX_NAME_BYTES`] bytes, not empty, no control characters.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` and makes it a name.
            ///
            /// # Errors
            ///
            /// [`NameError`] says which rule the text breaks, and where.
            pub fn new(text: impl AsRef<str>) -> Result<Self, NameError> {
                let text = text.as_ref();
                $check($what, text)?;
                Ok(Self(text.into()))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = NameError;

            fn try_from(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl TryFrom<&String> for $name {
            type Error = NameError;

            fn try_from(text: &String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl From<&Self> for $name {
            fn from(name: &Self) -> Self {
                name.clone()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }
    };
}

name! {
    /// Whoever the application says a client is: a user, a device.
    ClientId, "client id", check
}
name! {
    /// The name of a group that connections join and leave.
    GroupName, "group name", check
}
name! {
    /// The name of an event: its `event` field on the wire, its type in the browser.
    EventName, "event name", check
}
name! {
    /// The application's own name for an event: its `id` field on the wire.
    ///
    /// It comes back as the `Last-Event-ID` header when the client reconnects; so it neither
    /// starts nor ends with white space. `~` at its start is reserved for positions.
    EventId, "event id", check_id
}
name! {
    /// Names a publication, so that sending it again to the same target doesn't deliver it again.
    IdempotencyKey, "idempotency key", check
}
name! {
    /// Names what an event is the newest state of: in a connection's queue an event takes the
    /// place of an older one with the same key.
    ConflationKey, "conflation key", check
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_which_rule_it_breaks() {
        let what = "group name";
        assert_eq!(GroupName::new(""), Err(NameError::Empty { what }));
        assert_eq!(
            GroupName::new("x".repeat(257)),
            Err(NameError::TooLong { what, len: 257 })
        );
        assert_eq!(
            GroupName::new("a\nb"),
            Err(NameError::Control {
                what,
                at: 1,
                character: '\n'
            })
        );
        assert!(GroupName::new("x".repeat(256)).is_ok());
        assert!(GroupName::new(" größe 🦀 ").is_ok());
    }

    #[test]
    fn an_event_id_survives_a_request_header() {
        let what = "event id";
        assert_eq!(EventId::new(" 1"), Err(NameError::Padded { what }));
        assert_eq!(EventId::new("~1"), Err(NameError::Reserved { what }));
        assert!(EventId::new("1\0").is_err());
        assert!(EventId::new("42 43").is_ok());
    }

    #[test]
    fn debug_escapes_what_could_forge_a_log_line() {
        let client = ClientId::new("a\"\u{2028}b").unwrap();
        assert_eq!(format!("{client:?}"), r#""a\"\u{2028}b""#);
    }

    #[test]
    fn serde_checks_too() {
        assert!(serde_json::from_str::<ClientId>("\"a\\nb\"").is_err());
        let client: ClientId = serde_json::from_str("\"ada\"").unwrap();
        assert_eq!(serde_json::to_string(&client).unwrap(), "\"ada\"");
    }
}
