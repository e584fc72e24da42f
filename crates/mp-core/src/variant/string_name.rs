//! Godot's `StringName`.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// The name of a node, a property, a method or the like. Cloning is cheap, and comparison is by
/// text. Unlike Godot's it is not interned: untrusted input could fill the table of all names.
#[derive(Clone, Default)]
pub struct StringName(Option<Arc<str>>);

impl StringName {
    /// The empty name.
    pub const EMPTY: Self = Self(None);

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

impl Deref for StringName {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for StringName {
    fn as_ref(&self) -> &str {
        self
    }
}

impl Borrow<str> for StringName {
    fn borrow(&self) -> &str {
        self
    }
}

impl From<&str> for StringName {
    fn from(text: &str) -> Self {
        Self((!text.is_empty()).then(|| text.into()))
    }
}

impl From<String> for StringName {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<&Self> for StringName {
    fn from(name: &Self) -> Self {
        name.clone()
    }
}

impl From<StringName> for String {
    fn from(name: StringName) -> Self {
        name.as_str().into()
    }
}

impl PartialEq for StringName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for StringName {}

impl PartialEq<str> for StringName {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for StringName {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for StringName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for StringName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

// The same hash as `str`, which `Borrow<str>` requires.
impl Hash for StringName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for StringName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Debug for StringName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "&{:?}", self.as_str())
    }
}
