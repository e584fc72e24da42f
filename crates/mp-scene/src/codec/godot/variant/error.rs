//! Errors of encoding and decoding values.

/// The reason why a value could not be encoded or decoded. Offsets are in bytes from the beginning
/// of the data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VariantError {
    /// The remaining bytes are fewer than a part of fixed size, or a counted part, needs.
    #[error("at byte {at}: expected {expected} of {needed} bytes, got {left}")]
    Short {
        /// Offset of the part.
        at: usize,
        /// The part.
        expected: &'static str,
        /// Size of the part in bytes.
        needed: u64,
        /// Number of remaining bytes.
        left: usize,
    },
    /// The remaining bytes are fewer than a text needs.
    #[error("at byte {at}: expected a text of {needed} bytes with its padding, got {left}")]
    ShortText {
        /// Offset of the text.
        at: usize,
        /// Size of the text in bytes, with its padding.
        needed: u64,
        /// Number of remaining bytes.
        left: usize,
    },
    /// A text is not UTF-8.
    #[error("at byte {at}: expected UTF-8")]
    Utf8 {
        /// Offset of the first invalid byte.
        at: usize,
    },
    /// The type number is unknown.
    #[error("at byte {at}: expected a type below 39, got {got}")]
    UnknownType {
        /// Offset of the type.
        at: usize,
        /// The type number.
        got: u32,
    },
    /// A NodePath is in its obsolete encoding as a string, which Godot refuses too.
    #[error("at byte {at}: expected a NodePath in parts, got its obsolete form")]
    OldNodePath {
        /// Offset of the payload of the NodePath.
        at: usize,
    },
    /// The path of a script does not begin with `res://`.
    #[error("expected a script's path that begins with res://")]
    ScriptPath,
    /// The nesting of values is too deep.
    #[error("expected values nested at most {limit} deep; raise Limits or flatten the value")]
    TooDeep {
        /// Maximum depth.
        limit: usize,
    },
    /// The nesting of dictionaries in dictionary keys is too deep.
    #[error("at byte {at}: expected keys within keys at most {limit} deep")]
    KeysTooDeep {
        /// Offset at which the limit was exceeded.
        at: usize,
        /// Maximum depth.
        limit: usize,
    },
    /// The values take too much memory.
    #[error("at byte {at}: expected values that take at most {limit} bytes of memory")]
    TooLarge {
        /// Offset at which the limit was exceeded.
        at: usize,
        /// Maximum memory in bytes.
        limit: usize,
    },
    /// A length exceeds the 31 bits of its encoding.
    #[error("expected a length below 2^31, got {len}; send it in parts")]
    TooLong {
        /// The length that was to be encoded.
        len: usize,
    },
    /// An object with its content, which is not allowed.
    #[error("full objects are not allowed; send ids, or allow full objects on both peers")]
    ObjectsRefused,
    /// The class of an object does not exist locally, or cannot be instantiated.
    #[error("at byte {at}: the class of the object is unknown")]
    UnknownClass {
        /// Offset of the class name.
        at: usize,
    },
}

impl VariantError {
    /// Returns the number of the error that Godot reports in this case.
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
