//! The codec of a branch and its settings.

use std::cell::RefCell;

use bytes::{Bytes, BytesMut};

use crate::codec::godot::EncodedCall;
use crate::codec::{Codec, DecodeError, EncodeError, Limits, Objects};
use crate::{PacketKind, SceneMessage};

/// Encodes and decodes messages.
#[derive(Debug)]
pub(crate) struct Wire {
    codec: Codec,
    objects: Objects,
    limits: Limits,
    /// Buffer of the last message, for the next one.
    scratch: RefCell<BytesMut>,
}

impl Wire {
    pub(super) fn new(codec: Codec) -> Self {
        let (objects, limits) = (Objects::Ids, Limits::default());
        Self { codec, objects, limits, scratch: RefCell::default() }
    }

    /// Sets whether objects are encoded and decoded with their content.
    pub(crate) fn set_allow_object_decoding(&mut self, allow: bool) {
        self.objects = if allow { Objects::Full } else { Objects::Ids };
        self.limits.full_objects = allow.then_some(|_| true);
    }

    /// Encodes a message. The packet takes no more memory than its bytes.
    pub(crate) fn encode(&self, message: &SceneMessage) -> Result<Bytes, EncodeError> {
        let mut scratch = self.scratch.borrow_mut();
        scratch.clear();
        self.encode_to(message, &mut scratch)?;
        let packet = Bytes::copy_from_slice(&scratch);
        if scratch.capacity() > SCRATCH_KEPT {
            *scratch = BytesMut::new();
        }
        Ok(packet)
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

    /// Decodes a packet that is a call, but not its arguments; returns `None` for another packet.
    pub(crate) fn call<'a>(
        &self,
        packet: &'a [u8],
    ) -> Option<Result<EncodedCall<'a>, DecodeError>> {
        self.codec.call(packet)
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

/// Bytes of the largest buffer that is kept for the next message.
const SCRATCH_KEPT: usize = 4_096;
