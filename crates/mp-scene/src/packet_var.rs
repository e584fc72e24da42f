//! Values as packets: Godot's `PacketPeer.put_var` and `get_var`.

use bytes::BytesMut;
use mp_core::{MultiplayerPeer, PacketPeer, PacketPeerError, Variant};

use crate::codec::godot::VariantError;
use crate::codec::godot::variant::{decode_variant, encode_variant};
use crate::codec::{Limits, Objects};

/// Sends and reads a [`Variant`] as one packet, in the form of Godot 4.6.3's `var_to_bytes`.
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
    /// Puts a value as [`put_packet`](PacketPeer::put_packet) puts bytes. Objects travel by their ids.
    ///
    /// # Errors
    ///
    /// As [`put_var_with`](Self::put_var_with).
    fn put_var(&mut self, value: &Variant) -> Result<(), PacketVarError> {
        self.put_var_with(value, Objects::Ids)
    }

    /// Puts a value, with its objects by their ids or in full (Godot: `full_objects`).
    ///
    /// # Errors
    ///
    /// When the value has no form on the wire, when that is longer than
    /// [`encode_buffer_max_size`](PacketPeer::encode_buffer_max_size), or as `put_packet`.
    fn put_var_with(&mut self, value: &Variant, objects: Objects) -> Result<(), PacketVarError>;

    /// Takes the next packet as a value; bytes behind the value are ignored. Objects in full are refused, and the
    /// memory that the value may take is bounded by [`Limits`].
    ///
    /// # Errors
    ///
    /// When no packet waits, or the packet does not begin with a value. It has been taken even so.
    #[doc(alias = "get_var")]
    fn next_var(&mut self) -> Result<Variant, PacketVarError> {
        self.next_var_with(&Limits::default())
    }

    /// Takes the next packet as a value within limits of your own (Godot: `allow_objects`).
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

/// Why a value was not sent or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketVarError {
    /// Its packet.
    #[error(transparent)]
    Packet(#[from] PacketPeerError),
    /// It is longer than the encode buffer.
    #[error(
        "the value takes {len} bytes and {max} are allowed; set_encode_buffer_max_size allows more"
    )]
    TooLarge {
        /// Bytes that it takes.
        len: usize,
        /// Bytes that it may take.
        max: usize,
    },
    /// Its form on the wire.
    #[error(transparent)]
    Variant(#[from] VariantError),
}

impl PacketVarError {
    /// Godot's number. (Its `get_var` logs it and returns null.)
    pub const fn godot_code(&self) -> i32 {
        match self {
            Self::Packet(error) => error.godot_code(),
            Self::TooLarge { .. } => 6,
            Self::Variant(error) => error.godot_code().cast_signed(),
        }
    }
}
