//! The codec of a branch and its settings.

use bytes::{Bytes, BytesMut};

use crate::codec::godot::EncodedArguments;
use crate::codec::{Codec, DecodeError, EncodeError, Limits, Objects};
use crate::{PacketKind, SceneMessage};

/// Encodes and decodes messages.
#[derive(Debug)]
pub(crate) struct Wire {
    codec: Codec,
    objects: Objects,
    limits: Limits,
}

impl Wire {
    pub(super) fn new(codec: Codec) -> Self {
        Self { codec, objects: Objects::Ids, limits: Limits::default() }
    }

    /// Sets whether objects are encoded and decoded with their content.
    pub(crate) fn set_allow_object_decoding(&mut self, allow: bool) {
        self.objects = if allow { Objects::Full } else { Objects::Ids };
        self.limits.full_objects = allow.then_some(|_| true);
    }

    pub(crate) fn encode(&self, message: &SceneMessage) -> Result<Bytes, EncodeError> {
        let mut packet = BytesMut::with_capacity(USUAL_LEN);
        self.encode_to(message, &mut packet)?;
        Ok(packet.freeze())
    }

    /// Appends the encoded message to `out`.
    pub(crate) fn encode_to(
        &self,
        message: &SceneMessage,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        self.codec.encode(message, self.objects, out)
    }

    /// Decodes a packet, but not the arguments of a call.
    pub(crate) fn decode(&self, packet: &Bytes) -> Result<SceneMessage, DecodeError> {
        self.codec.decode_without_arguments(packet, &self.limits)
    }

    /// Returns the encoded arguments of a packet that is a call.
    pub(crate) fn call_arguments<'a>(
        &self,
        packet: &'a [u8],
    ) -> Result<EncodedArguments<'a>, DecodeError> {
        self.codec.call_arguments(packet)
    }

    /// Returns the kind of a packet that begins with `head`; `None` if the packet is empty.
    pub(crate) fn kind(&self, head: &[u8]) -> Option<PacketKind> {
        self.codec.kind(head)
    }

    /// Returns whether CONFIRM_PATH contains the path instead of the path id.
    pub(crate) fn confirms_by_path(&self) -> bool {
        self.codec.confirms_by_path()
    }

    /// Returns how objects are encoded.
    pub(crate) fn objects(&self) -> Objects {
        self.objects
    }

    /// Returns the limits of decoded values.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// Bytes that most messages do not exceed: a longer one grows its buffer.
const USUAL_LEN: usize = 64;
