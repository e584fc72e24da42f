//! Errors of a packet peer, with Godot's error codes.

use crate::{PeerId, SendError};

/// The error of a [`PacketPeer`](crate::PacketPeer) method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketPeerError {
    /// The size is out of range for `encode_buffer_max_size`.
    #[error("encode buffer size of {0} bytes is out of range; use 1 KiB to 256 MiB")]
    EncodeBuffer(usize),
    /// No packet can be read.
    #[error("no packet to read; check available_packet_count first")]
    NoPacket,
    /// The local peer is not in a session.
    #[error("not connected; put packets while connection_status is Connected")]
    NotConnected,
    /// The transport did not accept the packet.
    #[error("the transport did not accept the packet")]
    Rejected(#[source] SendError),
    /// The peer is not connected.
    #[error("peer {0} is not connected; see peers() for those that are")]
    UnknownPeer(PeerId),
}

impl PacketPeerError {
    /// Returns Godot's error code: 2 (`ERR_UNAVAILABLE`), 3 (`ERR_UNCONFIGURED`), 6
    /// (`ERR_OUT_OF_MEMORY`) or 31 (`ERR_INVALID_PARAMETER`).
    pub const fn godot_code(&self) -> i32 {
        match self {
            Self::NoPacket => 2,
            Self::NotConnected | Self::Rejected(SendError::NotConnected) => 3,
            // As Godot's WebSocket peer. ENet in Godot 4.6.3 logs an error and returns `OK`.
            Self::Rejected(SendError::TooLarge { .. }) => 6,
            Self::EncodeBuffer(_)
            | Self::Rejected(SendError::Channel { .. })
            | Self::UnknownPeer(_) => 31,
        }
    }
}

impl From<SendError> for PacketPeerError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::NotConnected => Self::NotConnected,
            rejected => Self::Rejected(rejected),
        }
    }
}
