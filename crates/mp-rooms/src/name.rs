//! Names, ids and codes of rooms.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::limits::{CODE_BYTES_MAX, NAME_BYTES_MAX};

/// The name of a room or of a template: 1 to [`NAME_BYTES_MAX`] ASCII letters, digits, `-`, `_` and
/// `.`, at least one of them no dot. Such names need no escapes in URLs, logs and file names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomName(Arc<str>);

impl RoomName {
    /// Returns the name `text`.
    ///
    /// # Errors
    ///
    /// [`InvalidName`].
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_name = text.bytes().all(is_allowed) && text.bytes().any(|byte| byte != b'.');
        if is_name && text.len() <= NAME_BYTES_MAX {
            return Ok(Self(text.into()));
        }
        Err(InvalidName(text.chars().take(NAME_BYTES_MAX).collect()))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns this name, shortened if necessary, with a number.
    pub(crate) fn numbered(&self, number: u64) -> Self {
        let number = format!("-{number}");
        let base = &self.0[..self.0.len().min(NAME_BYTES_MAX - number.len())];
        Self(format!("{base}{number}").into())
    }
}

impl FromStr for RoomName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::new(text)
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text that is no [`RoomName`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a name; use 1 to {NAME_BYTES_MAX} ASCII letters, digits, hyphens, underscores \
     and dots"
)]
#[non_exhaustive]
pub struct InvalidName(pub String);

/// A room, unique in the life of its registry. A room that is created anew under the same name has
/// another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId(pub(crate) u64);

impl RoomId {
    /// Returns the id with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number of the room.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The code of a private room: 1 to [`CODE_BYTES_MAX`] bytes. `Debug` does not show it.
#[derive(Clone)]
pub struct Code(Arc<str>);

impl Code {
    /// Returns the code `text`.
    ///
    /// # Errors
    ///
    /// [`InvalidCode`].
    pub fn new(text: &str) -> Result<Self, InvalidCode> {
        if text.is_empty() || text.len() > CODE_BYTES_MAX {
            return Err(InvalidCode { len: text.len() });
        }
        Ok(Self(text.into()))
    }

    /// Returns the SHA-256 of the code.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// Returns the code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Compares in a time that depends only on the lengths.
impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), other.0.as_bytes());
        let differences = ours.iter().zip(theirs).fold(0, |sum, (a, b)| sum | (a ^ b));
        ours.len() == theirs.len() && std::hint::black_box(differences) == 0
    }
}

impl Eq for Code {}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code")
    }
}

/// A text that is no [`Code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the code has {len} bytes; use 1 to {CODE_BYTES_MAX}")]
#[non_exhaustive]
pub struct InvalidCode {
    /// Length of the text in bytes.
    pub len: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_need_no_escapes() {
        let longest = "x".repeat(NAME_BYTES_MAX);
        for name in ["a", "Arena-7_b.c", "..a", &longest] {
            assert_eq!(RoomName::new(name).unwrap().to_string(), name);
        }
        let too_long = "x".repeat(NAME_BYTES_MAX + 1);
        for text in ["", ".", "..", "a b", "a/b", "ä", "%41", &too_long] {
            assert!(RoomName::new(text).is_err(), "{text}");
        }
        let error = RoomName::new("a b").unwrap_err().to_string();
        assert!(error.starts_with("\"a b\" is not a name; use 1 to 64"), "{error}");
    }

    #[test]
    fn numbered_names_are_names() {
        let name = |text: &str| RoomName::new(text).unwrap();
        assert_eq!(name("duel").numbered(7), name("duel-7"));
        let longest = name(&"x".repeat(NAME_BYTES_MAX)).numbered(u64::MAX);
        assert_eq!(RoomName::new(longest.as_str()), Ok(longest));
    }

    #[test]
    fn codes_are_compared_whole_and_not_shown() {
        let code = |text| Code::new(text).unwrap();
        assert_eq!(code("1234"), code("1234"));
        for other in ["123", "12345", "1235", "0234"] {
            assert_ne!(code("1234"), code(other));
        }
        assert_eq!(format!("{:?}", code("1234")), "Code");
        assert_eq!(Code::new(""), Err(InvalidCode { len: 0 }));
        assert!(Code::new(&"x".repeat(CODE_BYTES_MAX + 1)).is_err());
    }
}
