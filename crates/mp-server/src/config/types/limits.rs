//! Limits of the server, of players and of rooms.

use std::path::PathBuf;
use std::time::Duration;

use mp_core::{GateLimits, Rate, ReceiveLimits};

/// Limits of the server and of each player: `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitsConfig {
    /// Maximum number of players, 1 to 65,535 (default: 256).
    pub max_clients: u32,
    /// Maximum number of players from one IPv4 address or IPv6 network of 64 bits, 1 to 4,095;
    /// `None`: no limit (default).
    pub max_clients_per_address: Option<u16>,
    /// Maximum number of new connections per second; `None`: no limit (default).
    pub handshakes_per_second: Option<u32>,
    /// Maximum rates of what one player sends.
    pub rates: RateConfig,
    /// Time after which a player is disconnected who sends more than the rates; `None`: never
    /// (default).
    pub max_rate_excess: Option<Duration>,
    /// Largest packet in bytes that a player may send, 1,024 to 32 MiB (default).
    pub max_packet_size: u32,
    /// Maximum of reliable bytes queued for one player, at least 64 KiB (default: 64 MiB).
    pub max_reliable_queue: u32,
    /// Maximum number of rooms, 1 to 1,000,000 (default: 10,000).
    pub max_rooms: u32,
    /// Maximum number of rooms that one player has created; `None`: no limit (default).
    pub max_rooms_per_owner: Option<u32>,
    /// Memory in bytes beyond which new players and rooms are rejected; `None`: no limit (default).
    pub max_memory: Option<u64>,
    /// Time by which the thread of the endpoints may be late before new players and rooms are
    /// rejected; `None`: no limit (default).
    pub max_lateness: Option<Duration>,
    /// File of bans; `None`: they end with the process (default).
    pub ban_file: Option<PathBuf>,
}

/// Maximum rates of packets and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateConfig {
    /// Packets per second; `None`: no limit (default).
    pub packets_per_second: Option<u32>,
    /// Packets at once beyond the rate; `None`: those of two seconds (default).
    pub packets_burst: Option<u32>,
    /// Bytes per second; `None`: no limit (default).
    pub bytes_per_second: Option<u64>,
    /// Bytes at once beyond the rate; `None`: those of two seconds (default).
    pub bytes_burst: Option<u64>,
}

impl RateConfig {
    /// Returns the limits of an endpoint or a branch.
    pub(crate) fn receive_limits(&self) -> ReceiveLimits {
        let rate = |per_second: Option<u64>, burst: Option<u64>| {
            let rate = Rate::per_second(per_second?);
            Some(burst.map_or(rate, |burst| rate.with_burst(burst)))
        };
        let mut limits = ReceiveLimits::default();
        let (packets, burst) = (self.packets_per_second, self.packets_burst);
        limits.packets = rate(packets.map(u64::from), burst.map(u64::from));
        limits.bytes = rate(self.bytes_per_second, self.bytes_burst);
        limits
    }
}

impl LimitsConfig {
    /// Returns the limits of the gate of all transports.
    pub(crate) fn gate_limits(&self) -> GateLimits {
        GateLimits {
            per_address: self.max_clients_per_address.map(u32::from),
            handshakes: self.handshakes_per_second.map(|rate| Rate::per_second(rate.into())),
        }
    }

    /// Returns the limits of each player.
    pub(crate) fn receive_limits(&self) -> ReceiveLimits {
        let mut limits = self.rates.receive_limits();
        limits.disconnect_after = self.max_rate_excess;
        limits
    }
}
