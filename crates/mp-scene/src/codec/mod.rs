//! Bytes at the edge. [`Codec::Godot4`] speaks with every Godot 4.3 and later.

pub mod godot;

use bytes::{Bytes, BytesMut};

pub use godot::variant::{Limits, Objects};

use crate::SceneMessage;

/// How [`SceneMessage`]s become bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Codec {
    /// Byte for byte what Godot 4.6.3 sends.
    #[default]
    Godot4,
}

impl Codec {
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
            Self::Godot4 => godot::encode(message, objects, out),
        }
    }

    /// The message in `packet`.
    ///
    /// # Errors
    ///
    /// When it is not one. `limits` bound what its values may take.
    pub fn decode(self, packet: &Bytes, limits: &Limits) -> Result<SceneMessage, DecodeError> {
        match self {
            Self::Godot4 => godot::decode(packet, limits),
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
