//! [`SerdeError`].

use std::fmt;

use crate::Variant;
use crate::limits::SERDE_DEPTH_MAX;

/// The error of a conversion between a [`Variant`] and a type with `Serialize` or `Deserialize`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerdeError {
    path: String,
    message: String,
}

/// Maximum length of a message in characters. It may contain text of a peer.
const MESSAGE_CHARS_MAX: usize = 256;

/// Maximum length of a key in a path in characters.
const KEY_CHARS_MAX: usize = 64;

impl SerdeError {
    /// Returns the path of the value that did not convert, such as `players[2].name`. Empty for the
    /// whole value.
    pub fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn new(message: impl fmt::Display) -> Self {
        let message = message.to_string();
        let message = match message.char_indices().nth(MESSAGE_CHARS_MAX) {
            Some((end, _)) => format!("{}…", &message[..end]),
            None => message,
        };
        Self { path: String::new(), message }
    }

    pub(super) fn too_deep() -> Self {
        Self::new(format_args!("nested deeper than {SERDE_DEPTH_MAX}"))
    }

    /// Returns the error of a value that contains the value of this error under a key.
    pub(super) fn in_key(self, key: &str) -> Self {
        let key: String = key.chars().take(KEY_CHARS_MAX).collect();
        self.inside(key)
    }

    /// As [`in_key`](Self::in_key), with a key of any type.
    pub(super) fn in_key_of(self, key: &Variant) -> Self {
        match key.as_str() {
            Some(key) => self.in_key(key),
            None => self.in_key(&key.to_string()),
        }
    }

    /// Returns the error of a value that contains the value of this error as an element.
    pub(super) fn in_element(self, index: usize) -> Self {
        self.inside(format!("[{index}]"))
    }

    fn inside(mut self, mut path: String) -> Self {
        if !self.path.is_empty() && !self.path.starts_with('[') {
            path.push('.');
        }
        path.push_str(&self.path);
        self.path = path;
        self
    }
}

impl fmt::Display for SerdeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for SerdeError {}

impl serde::ser::Error for SerdeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message)
    }
}

impl serde::de::Error for SerdeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message)
    }
}
