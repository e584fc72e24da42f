//! Why a value could not be read or written.

/// Why a value could not be read or written. Positions count bytes from where reading began.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VariantError {
    /// A part that has a fixed size, or a count before it, does not fit the bytes that are left.
    #[error("at byte {at}: expected {expected} of {needed} bytes, got {left}")]
    Short {
        /// Where.
        at: usize,
        /// Which part.
        expected: &'static str,
        /// How many bytes it takes.
        needed: u64,
        /// How many are left.
        left: usize,
    },
    /// A text does not fit the bytes that are left.
    #[error("at byte {at}: expected a text of {needed} bytes with its padding, got {left}")]
    ShortText {
        /// Where.
        at: usize,
        /// How many bytes it takes.
        needed: u64,
        /// How many are left.
        left: usize,
    },
    /// A text is not UTF-8.
    #[error("at byte {at}: expected UTF-8")]
    Utf8 {
        /// Where the first wrong byte is.
        at: usize,
    },
    /// No type has this number.
    #[error("at byte {at}: expected a type below 39, got {got}")]
    UnknownType {
        /// Where.
        at: usize,
        /// The number.
        got: u32,
    },
    /// A NodePath in the form of a string, which Godot gave up long ago.
    #[error("at byte {at}: expected a NodePath in parts, got its old form")]
    OldNodePath {
        /// Where.
        at: usize,
    },
    /// The path of a script does not begin with `res://`.
    #[error("expected a script's path that begins with res://")]
    ScriptPath,
    /// Values are nested too deep.
    #[error("expected values nested at most {limit} deep; raise Limits or flatten the value")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// Dictionaries lie in keys of dictionaries too often.
    #[error("at byte {at}: expected keys within keys at most {limit} deep")]
    KeysTooDeep {
        /// Where.
        at: usize,
        /// The limit.
        limit: usize,
    },
    /// What was read takes more memory than is allowed.
    #[error("at byte {at}: expected values that take at most {limit} bytes of memory")]
    TooLarge {
        /// Where.
        at: usize,
        /// The limit.
        limit: usize,
    },
    /// A value is too long for the 31 bits that the wire has for its length.
    #[error("expected a length below 2^31, got {len}; send it in parts")]
    TooLong {
        /// The length.
        len: usize,
    },
    /// An object by its content, which has not been allowed.
    #[error("full objects are not allowed; send ids, or allow them on both sides")]
    ObjectsRefused,
    /// An object of a class that does not exist here, or of which no objects exist.
    #[error("at byte {at}: expected a class that is known here, got another")]
    UnknownClass {
        /// Where.
        at: usize,
    },
}

impl VariantError {
    /// The number of the error that Godot reports in this case.
    pub const fn godot_code(&self) -> u32 {
        match self {
            Self::ObjectsRefused => ERR_UNAUTHORIZED,
            Self::TooDeep { .. } | Self::KeysTooDeep { .. } | Self::TooLarge { .. } => {
                ERR_OUT_OF_MEMORY
            }
            Self::ShortText { .. } => ERR_FILE_EOF,
            Self::Short { .. }
            | Self::Utf8 { .. }
            | Self::UnknownType { .. }
            | Self::OldNodePath { .. }
            | Self::ScriptPath
            | Self::TooLong { .. }
            | Self::UnknownClass { .. } => ERR_INVALID_DATA,
        }
    }
}

const ERR_UNAUTHORIZED: u32 = 4;
const ERR_OUT_OF_MEMORY: u32 = 6;
const ERR_FILE_EOF: u32 = 18;
const ERR_INVALID_DATA: u32 = 30;
