//! Codecs: the encoding of messages. [`Codec::Godot4`] is the protocol of Godot 4.

pub mod godot;

use bytes::{Bytes, BytesMut};

pub use godot::variant::{Limits, Objects, bytes_to_var, var_to_bytes};

use crate::{PacketKind, SceneMessage};

/// The encoding of [`SceneMessage`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Codec {
    /// The protocol of Godot 4, byte for byte.
    Godot4(GodotVersion),
}

/// A range of Godot versions with the same wire protocol. All peers must use the same one, since
/// packets do not contain a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum GodotVersion {
    /// 4.0 to 4.2: CONFIRM_PATH contains the path instead of the id. According to Godot's history;
    /// not tested against such a version.
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
    /// Returns whether CONFIRM_PATH contains the path instead of the id.
    pub(crate) fn confirms_by_path(self) -> bool {
        matches!(self, Self::Godot4(GodotVersion::V4_0))
    }

    /// Appends `message` to `out`, with objects encoded as their ids or in full.
    ///
    /// # Errors
    ///
    /// If the message cannot be encoded: too many arguments, or values nested too deep.
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

    /// Decodes a packet, but not the arguments of a call.
    pub(crate) fn decode_without_arguments(
        self,
        packet: &Bytes,
        limits: &Limits,
    ) -> Result<SceneMessage, DecodeError> {
        match self {
            Self::Godot4(version) => godot::decode_without_arguments(packet, version, limits),
        }
    }

    /// Decodes a packet that is a call, but not its arguments; returns `None` for another packet.
    pub(crate) fn call(self, packet: &[u8]) -> Option<Result<godot::EncodedCall<'_>, DecodeError>> {
        match self {
            Self::Godot4(_) => godot::call(packet),
        }
    }

    /// Returns the kind of a packet that begins with `head`, which is the whole packet or at least
    /// two bytes; `None` if the packet is empty.
    pub fn kind(self, head: &[u8]) -> Option<PacketKind> {
        match self {
            Self::Godot4(_) => godot::kind(head),
        }
    }

    /// Decodes a packet. `limits` bounds the memory of its values.
    ///
    /// # Errors
    ///
    /// If the packet is malformed.
    pub fn decode(self, packet: &Bytes, limits: &Limits) -> Result<SceneMessage, DecodeError> {
        match self {
            Self::Godot4(version) => godot::decode(packet, version, limits),
        }
    }
}

/// The reason why a message could not be encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The call has more than 255 arguments.
    #[error("the call has {0} arguments, and at most 255 are allowed")]
    TooManyArguments(usize),
    /// A value cannot be encoded.
    #[error("a value cannot be encoded")]
    Variant(#[from] godot::VariantError),
}

/// The reason why a packet could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The packet is empty.
    #[error("the packet is empty")]
    Empty,
    /// A field or flag has an invalid value.
    #[error("invalid {0}")]
    Invalid(&'static str),
    /// A peer id is not positive.
    #[error("{0} is not a peer id")]
    PeerId(i32),
    /// The packet is too short.
    #[error("the packet ends within {0}")]
    Truncated(&'static str),
    /// The command is unknown to this codec.
    #[error("unknown command {0}")]
    UnknownCommand(u8),
}
