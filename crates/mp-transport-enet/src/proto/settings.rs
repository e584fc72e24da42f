//! What a host can be told when it is made.

use std::time::Duration;

use super::{CompressionMode, MTU_DEFAULT, PEERS_MAX, Patience};
use crate::limits;
use crate::proto::command::ThrottleParameters;
use crate::proto::wire::CHECKSUM_LEN;

/// Settings of a [`Host`](super::Host). The defaults are Godot's where Godot has them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostSettings {
    /// Most connected peers, 1 to 4,095 (default 32).
    pub max_peers: u16,
    /// Most channels, 1 to 255 (default 255).
    pub channel_limit: u8,
    /// Bytes per second this side takes, 0 for no limit (default). It narrows the peers' windows.
    pub incoming_bandwidth: u32,
    /// Bytes per second this side sends, 0 for no limit (default). It narrows the windows to the peers.
    pub outgoing_bandwidth: u32,
    /// Bytes of the largest datagram, 576 to 4,096 (default 1,392); peers agree on the smaller one.
    pub mtu: u16,
    /// How the commands of datagrams are compressed (default: not at all). It must be the peers' mode too.
    pub compression: CompressionMode,
    /// Whether datagrams have a CRC-32 checksum (default: no; no Godot has). All peers must have it too.
    pub checksum: bool,
    /// When peers are given up.
    pub patience: Patience,
    /// How long after the last acknowledgement an idle peer is asked whether it is there (default 500 ms).
    pub ping_interval: Duration,
    /// Whether unreliable packets are dropped when round trips grow, as ENet does (default: no).
    pub packet_throttle: bool,
    /// What a client proposes for its peer's packet throttle.
    pub throttle: ThrottleParameters,
    /// What peers that have connected are told of their own packet throttle, with THROTTLE_CONFIGURE (default: nothing).
    /// With a `deceleration` of 0 they stop dropping what they send: a Godot client that is polled by frames otherwise
    /// drops nearly all its unreliable packets when round trips grow after a quiet beginning.
    pub peer_throttle: Option<ThrottleParameters>,
    /// Largest packet in bytes, either way (default 32 MiB).
    pub max_packet_size: usize,
    /// Who may connect.
    pub admission: Admission,
    /// Most connections from one IP address (default 4,095).
    pub max_peers_per_address: u16,
    /// Most clients that have not answered yet (default 1,024); a new one takes the place of the oldest.
    pub half_open_max: usize,
    /// Most of them from one IP address (default 64); a new one takes the place of the oldest from there.
    pub half_open_max_per_address: usize,
    /// How long they have (default 10 s).
    pub half_open_timeout: Duration,
    /// Reliable bytes queued for one peer, past which it is closed (default 64 MiB).
    pub reliable_queue_bytes: usize,
    /// How long reliable data may go without acknowledgement before its peer is closed (default 30 s). A peer that
    /// acknowledges nothing at all is given up by [`patience`](Self::patience) first; a Godot peer likewise leaves after
    /// at most 31.5 s when *we* acknowledge nothing.
    pub reliable_progress_timeout: Duration,
    /// Unreliable bytes queued for one peer, past which the oldest packets are dropped (default 256 KiB). A packet that
    /// is alone is never dropped.
    pub unreliable_queue_bytes: usize,
    /// Bytes queued for all peers, or sent and not acknowledged (default 256 MiB). Past it a peer
    /// may have 256 KiB; of what goes beyond unreliable packets are dropped, and for a reliable one
    /// its peer is closed. A payload that several peers are sent together counts once: each has its
    /// part.
    pub queued_bytes: usize,
    /// Bytes held of all peers' packets that wait for others, for missing pieces, or to be taken
    /// (default 256 MiB). Past it a peer may hold 128 KiB; what goes beyond is dropped if it is
    /// unreliable, and not acknowledged if it is reliable.
    pub waiting_bytes: usize,
    /// Packets delivered but not yet taken from one peer (default 4,096). Past it, or past the bytes, arriving
    /// unreliable packets are dropped and reliable ones are not acknowledged, so they come again.
    pub receive_queue_packets: usize,
    /// See [`receive_queue_packets`](Self::receive_queue_packets) (default 4 MiB).
    pub receive_queue_bytes: usize,
}

/// Who may connect to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Admission {
    /// Nobody: the host is a client.
    Nobody,
    /// Everybody.
    Anybody,
    /// Godot's clients, whose `data` is their peer id: signed and at least 2.
    PeerIds {
        /// Whether two connected peers of this host must not have the same id. (A host whose links belong to several
        /// sessions leaves that to them.)
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
            patience: Patience::default(),
            ping_interval: super::PING_INTERVAL,
            packet_throttle: false,
            throttle: ThrottleParameters::default(),
            peer_throttle: None,
            max_packet_size: limits::PACKET_BYTES_MAX,
            admission: Admission::PeerIds { unique: true },
            max_peers_per_address: PEERS_MAX,
            half_open_max: limits::HALF_OPEN_MAX,
            half_open_max_per_address: limits::HALF_OPEN_PER_ADDRESS_MAX,
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
    /// What of `mtu` is left to header and commands.
    pub(crate) const fn room(&self, mtu: u16) -> u16 {
        if self.checksum { mtu - CHECKSUM_LEN as u16 } else { mtu }
    }

    /// The window a host with its own `bandwidth` in bytes per second grants: 4 KiB per 64 KiB/s.
    pub(crate) fn window(bandwidth: u32) -> u32 {
        if bandwidth == 0 {
            return super::WINDOW_MAX;
        }
        (bandwidth / BANDWIDTH_SCALE)
            .saturating_mul(super::WINDOW_MIN)
            .clamp(super::WINDOW_MIN, super::WINDOW_MAX)
    }

    /// The window towards a peer that takes `incoming` when this side sends `outgoing` bytes per second.
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
