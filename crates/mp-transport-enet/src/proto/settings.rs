//! The settings of a host.

use std::time::Duration;

use mp_core::ConnectionGate;

use super::{CompressionMode, MTU_DEFAULT, PEERS_MAX, TimeoutConfig};
use crate::limits;
use crate::proto::command::ThrottleParameters;
use crate::proto::wire::CHECKSUM_LEN;

/// Settings of a [`Host`](super::Host). The defaults are those of Godot, as far as it has the
/// setting.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostSettings {
    /// Maximum number of connected peers, 1 to 4,095 (default 32).
    pub max_peers: u16,
    /// Maximum number of channels, 1 to 255 (default 255).
    pub channel_limit: u8,
    /// Maximum incoming bandwidth in bytes per second; 0 is unlimited (default). It reduces the
    /// windows of the peers.
    pub incoming_bandwidth: u32,
    /// Maximum outgoing bandwidth in bytes per second; 0 is unlimited (default). It reduces the
    /// windows to the peers.
    pub outgoing_bandwidth: u32,
    /// Maximum length of a datagram in bytes, 576 to 4,096 (default 1,392). Peers use the smaller
    /// one.
    pub mtu: u16,
    /// Compression of datagrams (default: none). All peers must use the same mode.
    pub compression: CompressionMode,
    /// `true` if datagrams have a CRC-32 checksum (default `false`, as in Godot). All peers must
    /// use the same.
    pub checksum: bool,
    /// Timeout of unresponsive peers.
    pub timeout: TimeoutConfig,
    /// Time without an acknowledgement after which an idle peer is pinged (default 500 ms), up to
    /// an eighth earlier in a datagram that is sent anyway.
    pub ping_interval: Duration,
    /// `true` to drop unreliable packets when round-trip times grow, as ENet does (default
    /// `false`).
    pub packet_throttle: bool,
    /// Parameters of the packet throttle that a client proposes to the server.
    pub throttle: ThrottleParameters,
    /// Parameters of the packet throttle to send to new peers with THROTTLE_CONFIGURE (default:
    /// none). With a `deceleration` of 0 the peers do not drop unreliable packets. Otherwise a
    /// Godot client drops nearly all of them when round-trip times grow after a quiet start,
    /// because it is polled by frames.
    pub peer_throttle: Option<ThrottleParameters>,
    /// Maximum length of a packet in bytes, sent and received (default 32 MiB).
    pub max_packet_size: usize,
    /// Clients to admit.
    pub admission: Admission,
    /// Maximum number of connections from one IP address (default 4,095).
    pub max_peers_per_address: u16,
    /// Gate that accepts or refuses addresses (default: accepts all).
    pub gate: Option<ConnectionGate>,
    /// Maximum number of half-open connections (default 1,024). At the limit the oldest is dropped.
    pub max_half_open: usize,
    /// Maximum number of half-open connections from one IP address (default 64). At the limit the
    /// oldest one of that address is dropped.
    pub max_half_open_per_address: usize,
    /// Maximum time of a half-open connection (default 10 s).
    pub half_open_timeout: Duration,
    /// Maximum number of reliable bytes queued for a peer (default 64 MiB). At the limit the
    /// connection is closed.
    pub reliable_queue_bytes: usize,
    /// Maximum time without an acknowledgement of reliable data (default 30 s). Then the connection
    /// is closed. A peer that acknowledges nothing times out earlier, by
    /// [`timeout`](Self::timeout). A Godot peer likewise closes a connection on which nothing is
    /// acknowledged for 31.5 s.
    pub reliable_progress_timeout: Duration,
    /// Maximum number of unreliable bytes queued for a peer (default 256 KiB). At the limit the
    /// oldest packets are dropped, but never the newest.
    pub unreliable_queue_bytes: usize,
    /// Maximum number of bytes queued or not acknowledged, of all peers (default 256 MiB). At the
    /// limit each peer may still have 256 KiB. Beyond that unreliable packets are dropped, and a
    /// connection with a reliable one is closed. A payload that several peers share counts once.
    pub queued_bytes: usize,
    /// Maximum number of bytes received and not polled, of all peers, including incomplete and
    /// out-of-order packets (default 256 MiB). At the limit each peer may still have 128 KiB.
    /// Beyond that unreliable packets are dropped, and reliable ones are not acknowledged.
    pub waiting_bytes: usize,
    /// Maximum number of packets received from a peer and not polled (default 4,096). At the limit,
    /// or at [`receive_queue_bytes`](Self::receive_queue_bytes), unreliable packets are dropped,
    /// and reliable ones are not acknowledged, so that the peer retransmits them.
    pub receive_queue_packets: usize,
    /// Maximum number of bytes received from a peer and not polled (default 4 MiB).
    pub receive_queue_bytes: usize,
}

/// The clients that a host admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Admission {
    /// No clients: the host is a client.
    Nobody,
    /// All clients.
    Anybody,
    /// Godot's clients, whose `data` is their peer id: at least 2 as a signed integer.
    PeerIds {
        /// `true` if peer ids must be unique among the connected peers of this host. `false` for a
        /// host whose connections belong to several sessions, which check that themselves.
        unique: bool,
    },
}

impl Default for HostSettings {
    fn default() -> Self {
        Self {
            max_peers: 32,
            channel_limit: 255,
            incoming_bandwidth: 0,
            outgoing_bandwidth: 0,
            mtu: MTU_DEFAULT,
            compression: CompressionMode::None,
            checksum: false,
            timeout: TimeoutConfig::default(),
            ping_interval: super::PING_INTERVAL,
            packet_throttle: false,
            throttle: ThrottleParameters::default(),
            peer_throttle: None,
            max_packet_size: limits::PACKET_BYTES_MAX,
            admission: Admission::PeerIds { unique: true },
            max_peers_per_address: PEERS_MAX,
            gate: None,
            max_half_open: limits::HALF_OPEN_MAX,
            max_half_open_per_address: limits::HALF_OPEN_PER_ADDRESS_MAX,
            half_open_timeout: limits::HALF_OPEN_TIMEOUT,
            reliable_queue_bytes: limits::RELIABLE_QUEUE_BYTES_MAX,
            reliable_progress_timeout: limits::RELIABLE_PROGRESS_TIMEOUT,
            unreliable_queue_bytes: limits::UNRELIABLE_QUEUE_BYTES_MAX,
            queued_bytes: limits::QUEUED_BYTES_MAX,
            waiting_bytes: limits::WAITING_BYTES_MAX,
            receive_queue_packets: limits::RECEIVE_QUEUE_PACKETS_MAX,
            receive_queue_bytes: limits::RECEIVE_QUEUE_BYTES_MAX,
        }
    }
}

impl HostSettings {
    /// Returns the part of `mtu` for the header and commands.
    pub(crate) const fn room(&self, mtu: u16) -> u16 {
        if self.checksum { mtu - CHECKSUM_LEN as u16 } else { mtu }
    }

    /// Returns the window for a `bandwidth` in bytes per second: 4 KiB per 64 KiB/s.
    pub(crate) fn window(bandwidth: u32) -> u32 {
        if bandwidth == 0 {
            return super::WINDOW_MAX;
        }
        (bandwidth / BANDWIDTH_SCALE)
            .saturating_mul(super::WINDOW_MIN)
            .clamp(super::WINDOW_MIN, super::WINDOW_MAX)
    }

    /// Returns the send window towards a peer that receives `incoming` bytes per second, when this
    /// host sends `outgoing`.
    pub(crate) fn send_window(outgoing: u32, incoming: u32) -> u32 {
        match (outgoing, incoming) {
            (0, other) | (other, 0) => Self::window(other),
            _ => Self::window(outgoing.min(incoming)),
        }
    }
}

const BANDWIDTH_SCALE: u32 = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_follow_the_bandwidth() {
        assert_eq!(HostSettings::window(0), 65_536);
        // Godot 4.6.3 with 600,000 B/s.
        assert_eq!(HostSettings::window(600_000), 36_864);
        assert_eq!(HostSettings::window(1), 4_096);
        assert_eq!(HostSettings::window(u32::MAX), 65_536);
        assert_eq!(HostSettings::send_window(0, 0), 65_536);
        assert_eq!(HostSettings::send_window(0, 600_000), 36_864);
        assert_eq!(HostSettings::send_window(600_000, 0), 36_864);
        assert_eq!(HostSettings::send_window(600_000, 200_000), 12_288);
    }
}
