//! Errors with file, line and column.

use std::fmt;
use std::path::{Path, PathBuf};

/// A position in a file. Both numbers start at 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Position {
    /// Line number.
    pub line: u32,
    /// Column in characters, not bytes. A tab is one character.
    pub column: u32,
}

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file or folder is missing or cannot be read.
    Unreadable,
    /// A file exceeds [`FILE_BYTES_MAX`](crate::FILE_BYTES_MAX), or a project has too many files.
    TooLarge,
    /// A file does not follow its format.
    Syntax,
    /// A resource, class or section that a file refers to does not exist.
    Missing,
    /// Scripts extend, or scenes instance, each other in a circle. The message names the chain.
    Cycle,
    /// The file uses a form that this crate does not read, for example a binary scene.
    Unsupported,
}

/// An error in a file of a project.
///
/// `Display` prints `path:line:column: message`, without the parts that the error does not have.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    kind: ErrorKind,
    path: PathBuf,
    position: Option<Position>,
    message: String,
}

/// A result with an [`Error`] in a file of a project.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(kind: ErrorKind, path: &Path, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Inner { kind, path: path.to_owned(), position: None, message }))
    }

    pub(crate) fn at(mut self, position: Position) -> Self {
        self.0.position = Some(position);
        self
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the absolute path of the file that has the error.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Returns the position of the error in the file, if it has one.
    pub fn position(&self) -> Option<Position> {
        self.0.position
    }

    /// Returns the message, without path and position.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { path, position, message, .. } = &*self.0;
        if !path.as_os_str().is_empty() {
            write!(f, "{}:", path.display())?;
        }
        if let Some(Position { line, column }) = position {
            write!(f, "{line}:{column}:")?;
        }
        write!(f, " {message}")
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::error::Error for Error {}

/// A syntax error in a text whose file the parser does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) kind: ErrorKind,
    pub(crate) position: Position,
    pub(crate) message: String,
}

impl SyntaxError {
    pub(crate) fn new(position: Position, message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Syntax, position, message: message.into() }
    }

    pub(crate) fn unsupported(position: Position, message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Unsupported, ..Self::new(position, message) }
    }

    pub(crate) fn in_file(self, path: &Path) -> Error {
        Error::new(self.kind, path, self.message).at(self.position)
    }
}
