//! What a host reports and what it hands to the network.
#![expect(clippy::exhaustive_structs, reason = "flags are their bits")]

use std::net::SocketAddr;
use std::ops::BitOr;

use bytes::Bytes;
use mp_core::{ConnectionId, DisconnectReason};

/// What a host reports, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostEvent {
    /// A link is ready for packets.
    Connected {
        /// The link.
        connection: ConnectionId,
        /// Where the other side is.
        address: SocketAddr,
        /// On the side that was connected to: the `data` of the CONNECT. On the other side 0.
        data: u32,
    },
    /// A [`Host::connect`](super::Host::connect) came to nothing.
    ConnectFailed {
        /// The link that did not come about.
        connection: ConnectionId,
        /// Why.
        reason: DisconnectReason,
    },
    /// A packet arrived.
    Packet {
        /// The link that brought it.
        connection: ConnectionId,
        /// Its ENet channel.
        channel: u8,
        /// How it travelled.
        flags: PacketFlags,
        /// Its bytes.
        payload: Bytes,
    },
    /// A link has ended.
    Disconnected {
        /// The link.
        connection: ConnectionId,
        /// Why.
        reason: DisconnectReason,
    },
}

impl HostEvent {
    /// The link that the event is about.
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
    /// May be lost; what arrives late is dropped.
    pub const UNRELIABLE: Self = Self(0);
    /// Arrives, in order with the other reliable packets of its channel.
    pub const RELIABLE: Self = Self(1);
    /// May be lost and may arrive in any order; ignored when the packet must be fragmented.
    pub const UNSEQUENCED: Self = Self(2);
    /// Fragments are unreliable too; without it a large unreliable packet becomes reliable.
    pub const UNRELIABLE_FRAGMENT: Self = Self(8);

    /// Whether all flags of `other` are set.
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

/// Figures of a host since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostStats {
    /// Datagrams that arrived.
    pub datagrams_received: u64,
    /// Bytes of those datagrams.
    pub bytes_received: u64,
    /// Datagrams handed out.
    pub datagrams_sent: u64,
    /// Bytes of those datagrams.
    pub bytes_sent: u64,
    /// Times the program did not run the host for more than a second when it was due; that time is not counted against peers.
    pub stalls: u64,
    /// Datagrams ignored because they named no peer, or not from its address, or an earlier session.
    pub datagrams_stray: u64,
    /// Datagrams ignored because they are compressed, while this host's compression mode is `None`.
    pub datagrams_compressed: u64,
    /// Datagrams ignored because they did not expand in this host's compression mode, or expanded
    /// to more than one datagram. ENet does not negotiate the mode: a peer that uses another one
    /// ends here.
    pub datagrams_unexpanded: u64,
    /// Datagrams ignored because their checksum was missing or wrong.
    pub checksum_failures: u64,
    /// Datagrams handed out compressed.
    pub datagrams_sent_compressed: u64,
    /// Bytes that compression took off them.
    pub bytes_saved: u64,
    /// Datagrams of which something was ignored because it made no sense.
    pub datagrams_malformed: u64,
    /// Clients turned away.
    pub connections_refused: u64,
    /// Clients that never answered, or made room for others before they did.
    pub half_open_dropped: u64,
    /// Refusals not sent because too many were waiting.
    pub refusals_dropped: u64,
    /// Connections ended because of a reliable packet while the packets queued for all peers
    /// reached [`queued_bytes`](super::HostSettings::queued_bytes). Unreliable packets dropped then
    /// are among the connection's `send_drops`.
    pub shed: u64,
    /// Reliable packets and pieces that were not acknowledged because there was no room for them,
    /// so that they come again: in their peer's budgets, or in that of all
    /// ([`waiting_bytes`](super::HostSettings::waiting_bytes)). Unreliable ones dropped then are
    /// among the connection's `receive_drops`.
    pub withheld: u64,
}
