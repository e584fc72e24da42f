//! What a program did wrong, or could not have, with Godot's number for it.

use crate::{PeerId, SendError};

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketPeerError {
    /// A size that `encode_buffer_max_size` cannot have.
    #[error("an encode buffer of {0} bytes is not allowed; use 1 KiB to 256 MiB")]
    EncodeBuffer(usize),
    /// No packet waits to be read.
    #[error("no packet waits; ask available_packet_count first")]
    NoPacket,
    /// No session.
    #[error("not connected: packets can be put while connection_status is Connected")]
    NotConnected,
    /// The transport cannot send such a packet.
    #[error("the transport does not take the packet: {0}")]
    Rejected(SendError),
    /// No such peer.
    #[error("peer {0} is not connected; peers() says who is")]
    UnknownPeer(PeerId),
}

impl PacketPeerError {
    /// Godot's number: 2 (ERR_UNAVAILABLE), 3 (ERR_UNCONFIGURED), 6 (ERR_OUT_OF_MEMORY) or 31 (ERR_INVALID_PARAMETER).
    pub const fn godot_code(&self) -> i32 {
        match self {
            Self::NoPacket => 2,
            Self::NotConnected | Self::Rejected(SendError::NotConnected) => 3,
            // WebSocket's answer; ENet of Godot 4.6.3 says OK and logs.
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
