//! The events and statistics of a host, and packet flags.
#![expect(clippy::exhaustive_structs, reason = "flags are their bits")]

use std::net::SocketAddr;
use std::ops::BitOr;

use bytes::Bytes;
use mp_core::{ConnectionId, DisconnectReason, ReasonCounts};

use super::{CommandRefusal, DatagramRefusal, HandshakeRefusal};

/// An event of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostEvent {
    /// A connection was established.
    Connected {
        /// The connection.
        connection: ConnectionId,
        /// Address of the remote peer.
        address: SocketAddr,
        /// `data` of the client's CONNECT on the server; 0 on the client.
        data: u32,
    },
    /// A connection started by [`Host::connect`](super::Host::connect) was not established.
    ConnectFailed {
        /// The connection.
        connection: ConnectionId,
        /// The reason.
        reason: DisconnectReason,
    },
    /// A packet was received.
    Packet {
        /// The connection.
        connection: ConnectionId,
        /// ENet channel of the packet.
        channel: u8,
        /// Flags that the packet was sent with.
        flags: PacketFlags,
        /// Payload of the packet.
        payload: Bytes,
    },
    /// A connection ended.
    Disconnected {
        /// The connection.
        connection: ConnectionId,
        /// The reason.
        reason: DisconnectReason,
    },
}

impl HostEvent {
    /// Returns the connection of the event.
    pub const fn connection(&self) -> ConnectionId {
        match self {
            Self::Connected { connection, .. }
            | Self::ConnectFailed { connection, .. }
            | Self::Packet { connection, .. }
            | Self::Disconnected { connection, .. } => *connection,
        }
    }
}

/// ENet's packet flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PacketFlags(pub u8);

impl PacketFlags {
    /// Unreliable and ordered: may be lost, dropped if it is late.
    pub const UNRELIABLE: Self = Self(0);
    /// Reliable: delivered in order with the other reliable packets of its channel.
    pub const RELIABLE: Self = Self(1);
    /// Unreliable and unordered. Ignored if the packet must be fragmented.
    pub const UNSEQUENCED: Self = Self(2);
    /// Unreliable even if fragmented. Without this flag a fragmented packet is reliable.
    pub const UNRELIABLE_FRAGMENT: Self = Self(8);

    /// Returns whether all flags of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for PacketFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Statistics of a host since it was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostStats {
    /// Datagrams received.
    pub datagrams_received: u64,
    /// Bytes of the datagrams received.
    pub bytes_received: u64,
    /// Datagrams sent.
    pub datagrams_sent: u64,
    /// Bytes of the datagrams sent.
    pub bytes_sent: u64,
    /// Calls that were more than a second late. That time does not count against peers.
    pub stalls: u64,
    /// Datagrams ignored, by reason.
    pub refused_datagrams: ReasonCounts<DatagramRefusal>,
    /// Datagrams with a malformed command, by reason. The commands before it kept their effect, and
    /// the rest of the datagram was ignored.
    pub refused_commands: ReasonCounts<CommandRefusal>,
    /// Handshakes refused, by reason.
    pub refused_handshakes: ReasonCounts<HandshakeRefusal>,
    /// Datagrams sent compressed.
    pub datagrams_sent_compressed: u64,
    /// Bytes saved by compression.
    pub bytes_saved: u64,
    /// Half-open connections dropped: the client did not reply, or a newer connection needed the
    /// slot.
    pub half_open_dropped: u64,
    /// Rejections not sent because their queue was full.
    pub refusals_dropped: u64,
    /// Connections closed because a reliable packet exceeded
    /// [`queued_bytes`](super::HostSettings::queued_bytes), the limit of all peers. Unreliable
    /// packets dropped for it are counted in `send_drops` of the connection.
    pub shed: u64,
    /// Reliable packets and fragments not acknowledged because the budget of their peer or of all
    /// peers ([`waiting_bytes`](super::HostSettings::waiting_bytes)) was exhausted. The peer
    /// retransmits them. Unreliable packets dropped for it are counted in `receive_drops` of the
    /// connection.
    pub deferred: u64,
}
