//! Packets that contain values: Godot's `PacketPeer.put_var` and `get_var`.

use bytes::BytesMut;
use mp_core::{MultiplayerPeer, PacketPeer, PacketPeerError, Variant};

use crate::codec::godot::VariantError;
use crate::codec::godot::variant::{decode_variant, encode_variant};
use crate::codec::{Limits, Objects};

/// Sends and receives a [`Variant`] as one packet, in the encoding of Godot 4.6.3's `var_to_bytes`.
///
/// ```
/// use mp_core::{Instant, PacketPeer, PeerId, Variant, memory};
/// use mp_scene::PacketVar;
///
/// let (server, client) = memory::pair(PeerId::new(2).unwrap());
/// let (mut server, mut client) = (PacketPeer::new(server), PacketPeer::new(client));
/// server.poll(Instant::ZERO);
/// client.poll(Instant::ZERO);
/// client.put_var(&Variant::from("hello"))?;
/// client.flush(Instant::ZERO);
/// server.poll(Instant::ZERO);
/// assert_eq!(server.next_var()?, Variant::from("hello"));
/// # Ok::<(), mp_scene::PacketVarError>(())
/// ```
pub trait PacketVar {
    /// Queues a value as a packet, as [`put_packet`](PacketPeer::put_packet) queues bytes. Objects
    /// are encoded as their ids.
    ///
    /// # Errors
    ///
    /// As [`put_var_with`](Self::put_var_with).
    fn put_var(&mut self, value: &Variant) -> Result<(), PacketVarError> {
        self.put_var_with(value, Objects::Ids)
    }

    /// Queues a value as a packet, with objects encoded as their ids or in full (Godot:
    /// `full_objects`).
    ///
    /// # Errors
    ///
    /// If the value cannot be encoded, if its encoding exceeds
    /// [`encode_buffer_max_size`](PacketPeer::encode_buffer_max_size), or as `put_packet`.
    fn put_var_with(&mut self, value: &Variant, objects: Objects) -> Result<(), PacketVarError>;

    /// Removes the next packet and decodes it as a value. Bytes after the value are ignored.
    /// Objects in full are refused, and [`Limits`] bounds the memory of the value.
    ///
    /// # Errors
    ///
    /// If the queue is empty or the packet does not begin with a value. The packet is removed in
    /// any case.
    /// When no packet waits, or the packet does not begin with a value. It has been taken even so.
    #[doc(alias = "get_var")]
    fn next_var(&mut self) -> Result<Variant, PacketVarError> {
        self.next_var_with(&Limits::default())
    }

    /// Removes the next packet and decodes it as a value within other limits (Godot:
    /// `allow_objects`).
    ///
    /// # Errors
    ///
    /// As [`next_var`](Self::next_var).
    fn next_var_with(&mut self, limits: &Limits) -> Result<Variant, PacketVarError>;
}

impl<P: MultiplayerPeer> PacketVar for PacketPeer<P> {
    fn put_var_with(&mut self, value: &Variant, objects: Objects) -> Result<(), PacketVarError> {
        let mut bytes = BytesMut::new();
        encode_variant(value, objects, &mut bytes)?;
        let (len, max) = (bytes.len(), self.encode_buffer_max_size());
        if len > max {
            return Err(PacketVarError::TooLarge { len, max });
        }
        Ok(self.put_packet(bytes)?)
    }

    fn next_var_with(&mut self, limits: &Limits) -> Result<Variant, PacketVarError> {
        let packet = self.next_packet()?;
        Ok(decode_variant(&mut &packet[..], limits)?)
    }
}

/// The reason why a value was not sent or received.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketVarError {
    /// The packet could not be sent or received.
    #[error(transparent)]
    Packet(#[from] PacketPeerError),
    /// The encoding exceeds the encode buffer.
    #[error(
        "the value takes {len} bytes and {max} are allowed; set_encode_buffer_max_size allows more"
    )]
    TooLarge {
        /// Size of the encoding in bytes.
        len: usize,
        /// Maximum size in bytes.
        max: usize,
    },
    /// The value could not be encoded or decoded.
    #[error(transparent)]
    Variant(#[from] VariantError),
}

impl PacketVarError {
    /// Returns Godot's error number. (Godot's `get_var` logs the error and returns null.)
    pub const fn godot_code(&self) -> i32 {
        match self {
            Self::Packet(error) => error.godot_code(),
            Self::TooLarge { .. } => 6,
            Self::Variant(error) => error.godot_code().cast_signed(),
        }
    }
}
