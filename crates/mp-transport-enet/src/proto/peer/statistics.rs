//! Statistics and states of hosts and peers, with Godot's names and numbers.
#![expect(clippy::exhaustive_enums, reason = "Godot lists the statistics and states")]

use super::loss::LOSS_SCALE;
use super::throttle::SCALE;
use super::{Peer, State};

/// A statistic of a peer (Godot: `ENetPacketPeer.PeerStatistic`). Times are in milliseconds; epochs
/// are times of the host's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerStatistic {
    /// Mean fraction of reliable commands lost, in 65,536ths.
    PacketLoss = 0,
    /// Variance of the packet loss.
    PacketLossVariance = 1,
    /// Start of the current measurement of packet loss.
    PacketLossEpoch = 2,
    /// Mean round-trip time; 500 before the first sample.
    RoundTripTime = 3,
    /// Variance of the round-trip time.
    RoundTripTimeVariance = 4,
    /// Lowest mean round-trip time of the last throttle interval.
    LastRoundTripTime = 5,
    /// Highest variance of the round-trip time of the last throttle interval.
    LastRoundTripTimeVariance = 6,
    /// Fraction of unreliable packets sent, in 32nds.
    PacketThrottle = 7,
    /// Upper limit of that fraction from the bandwidth limits, in 32nds.
    PacketThrottleLimit = 8,
    /// Counter that selects the packets to drop, 0 to 31.
    PacketThrottleCounter = 9,
    /// Start of the current throttle interval.
    PacketThrottleEpoch = 10,
    /// Increase of the fraction for a good round-trip time, in 32nds.
    PacketThrottleAcceleration = 11,
    /// Decrease of the fraction for a bad round-trip time, in 32nds.
    PacketThrottleDeceleration = 12,
    /// Length of the throttle interval.
    PacketThrottleInterval = 13,
}

impl PeerStatistic {
    /// The value of [`PacketLoss`](Self::PacketLoss) if all commands are lost.
    pub const PACKET_LOSS_SCALE: u32 = LOSS_SCALE;
    /// The value of [`PacketThrottle`](Self::PacketThrottle) if all packets are sent.
    pub const PACKET_THROTTLE_SCALE: u32 = SCALE;

    /// All statistics in the order of their numbers.
    pub const ALL: [Self; 14] = [
        Self::PacketLoss,
        Self::PacketLossVariance,
        Self::PacketLossEpoch,
        Self::RoundTripTime,
        Self::RoundTripTimeVariance,
        Self::LastRoundTripTime,
        Self::LastRoundTripTimeVariance,
        Self::PacketThrottle,
        Self::PacketThrottleLimit,
        Self::PacketThrottleCounter,
        Self::PacketThrottleEpoch,
        Self::PacketThrottleAcceleration,
        Self::PacketThrottleDeceleration,
        Self::PacketThrottleInterval,
    ];
}

/// A statistic of a host (Godot: `ENetConnection.HostStatistic`). Bytes are those of the UDP
/// payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HostStatistic {
    /// Bytes sent.
    TotalSentData = 0,
    /// Datagrams sent.
    TotalSentPackets = 1,
    /// Bytes received.
    TotalReceivedData = 2,
    /// Datagrams received.
    TotalReceivedPackets = 3,
}

impl HostStatistic {
    /// All statistics in the order of their numbers.
    pub const ALL: [Self; 4] = [
        Self::TotalSentData,
        Self::TotalSentPackets,
        Self::TotalReceivedData,
        Self::TotalReceivedPackets,
    ];
}

/// The state of a connection (Godot: `ENetPacketPeer.PeerState`). `CONNECTION_PENDING` (3) and
/// `CONNECTION_SUCCEEDED` (4) do not occur: a client is `Connected` when it receives the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerState {
    /// The connection has ended, or never existed.
    Disconnected = 0,
    /// The local peer has sent a CONNECT.
    Connecting = 1,
    /// The remote peer has sent a CONNECT, and the reply is not acknowledged yet.
    AcknowledgingConnect = 2,
    /// Packets can be sent and received.
    Connected = 5,
    /// Accepted packets are delivered before the disconnect.
    DisconnectLater = 6,
    /// The local peer has sent a DISCONNECT, which is not acknowledged yet.
    Disconnecting = 7,
    /// The remote peer has sent a DISCONNECT, and the acknowledgement is not sent yet.
    AcknowledgingDisconnect = 8,
}

impl Peer {
    pub(crate) const fn godot_state(&self) -> PeerState {
        match self.state {
            State::Abandoned { .. } => PeerState::Disconnected,
            State::Connecting => PeerState::Connecting,
            State::HalfOpen => PeerState::AcknowledgingConnect,
            State::Connected => PeerState::Connected,
            State::DisconnectLater => PeerState::DisconnectLater,
            State::Disconnecting => PeerState::Disconnecting,
            State::AcknowledgingDisconnect => PeerState::AcknowledgingDisconnect,
        }
    }

    pub(crate) fn statistic(&self, statistic: PeerStatistic) -> u32 {
        let (round_trip, throttle, loss) = (&self.round_trip, &self.throttle, &self.loss);
        let parameters = throttle.parameters();
        match statistic {
            PeerStatistic::PacketLoss => loss.mean(),
            PeerStatistic::PacketLossVariance => loss.variance(),
            PeerStatistic::PacketLossEpoch => loss.epoch().unwrap_or(0) as u32,
            PeerStatistic::RoundTripTime => round_trip.mean(),
            PeerStatistic::RoundTripTimeVariance => round_trip.variance(),
            PeerStatistic::LastRoundTripTime => round_trip.last().0,
            PeerStatistic::LastRoundTripTimeVariance => round_trip.last().1,
            PeerStatistic::PacketThrottle => throttle.value(),
            PeerStatistic::PacketThrottleLimit => throttle.limit(),
            PeerStatistic::PacketThrottleCounter => throttle.counter(),
            PeerStatistic::PacketThrottleEpoch => round_trip.epoch().unwrap_or(0) as u32,
            PeerStatistic::PacketThrottleAcceleration => parameters.acceleration,
            PeerStatistic::PacketThrottleDeceleration => parameters.deceleration,
            PeerStatistic::PacketThrottleInterval => parameters.interval,
        }
    }
}
