//! The codec of a branch and its settings.

use bytes::{Bytes, BytesMut};
use mp_core::bug;

use crate::SceneMessage;
use crate::codec::{Codec, DecodeError, EncodeError, Limits, Objects};

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

    /// Encodes a message without values of the program, which cannot fail.
    pub(crate) fn encode(&self, message: &SceneMessage) -> Bytes {
        self.try_encode(message).unwrap_or_else(|error| {
            bug!("a message without values of the program cannot be encoded: {error}");
            Bytes::new()
        })
    }

    pub(crate) fn try_encode(&self, message: &SceneMessage) -> Result<Bytes, EncodeError> {
        let mut packet = BytesMut::new();
        self.codec.encode(message, self.objects, &mut packet)?;
        Ok(packet.freeze())
    }

    pub(crate) fn decode(&self, packet: &Bytes) -> Result<SceneMessage, DecodeError> {
        self.codec.decode(packet, &self.limits)
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
