//! Bytes at the edge. [`Codec::Godot4`] speaks with every Godot 4.3 and later.

pub mod godot;

use bytes::{Bytes, BytesMut};

pub use godot::variant::{Limits, Objects};

use crate::SceneMessage;

/// How [`SceneMessage`]s become bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Codec {
    /// Byte for byte what Godot sends.
    Godot4(GodotVersion),
}

/// Godot's versions, as far as their wires differ here. Both sides must speak the same: the wire says nothing of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum GodotVersion {
    /// 4.0 to 4.2: CONFIRM_PATH carries the path instead of the number. From reading Godot's history; not run against such a Godot.
    V4_0,
    /// 4.3 and later, as captured from 4.6.3.
    #[default]
    V4_3,
}

impl Default for Codec {
    fn default() -> Self {
        Self::Godot4(GodotVersion::default())
    }
}

impl Codec {
    /// Whether CONFIRM_PATH names the path instead of the number.
    pub(crate) fn confirms_by_path(self) -> bool {
        matches!(self, Self::Godot4(GodotVersion::V4_0))
    }

    /// Appends `message` to `out`, with the objects in its values by their ids or in full.
    ///
    /// # Errors
    ///
    /// When it has no form on the wire: too many arguments, or values nested too deeply.
    pub fn encode(
        self,
        message: &SceneMessage,
        objects: Objects,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        match self {
            Self::Godot4(_) => godot::encode(message, objects, out),
        }
    }

    /// The message in `packet`.
    ///
    /// # Errors
    ///
    /// When it is not one. `limits` bound what its values may take.
    pub fn decode(self, packet: &Bytes, limits: &Limits) -> Result<SceneMessage, DecodeError> {
        match self {
            Self::Godot4(version) => godot::decode(packet, version, limits),
        }
    }
}

/// Why a message has no bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The argument count is one byte.
    #[error("a call has {0} arguments, and at most 255 fit")]
    TooManyArguments(usize),
    /// A value has no form on the wire.
    #[error("an argument cannot be encoded: {0}")]
    Variant(#[from] godot::VariantError),
}

/// Why bytes are not a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Not one byte.
    #[error("an empty packet")]
    Empty,
    /// A field or flag has a value that it must not have.
    #[error("bad {0}")]
    Invalid(&'static str),
    /// A peer id that is not positive.
    #[error("{0} is not a peer id")]
    PeerId(i32),
    /// It ends too early.
    #[error("it ends within {0}")]
    Truncated(&'static str),
    /// A command that this codec does not know (yet).
    #[error("unknown command {0}")]
    UnknownCommand(u8),
}
