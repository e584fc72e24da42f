//! What Godot lets programs ask about hosts and peers, under its names and numbers.
#![expect(clippy::exhaustive_enums, reason = "Godot lists the statistics and states")]

use super::loss::LOSS_SCALE;
use super::throttle::SCALE;
use super::{Peer, State};

/// A figure of a peer (Godot: `ENetPacketPeer.PeerStatistic`). Times are in milliseconds; epochs are on the host's
/// clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerStatistic {
    /// Mean part of the reliable commands that was lost, in 65,536ths.
    PacketLoss = 0,
    /// Its variance.
    PacketLossVariance = 1,
    /// When its measurement began.
    PacketLossEpoch = 2,
    /// Mean round-trip time; 500 before the first.
    RoundTripTime = 3,
    /// Its variance.
    RoundTripTimeVariance = 4,
    /// The lowest mean of the last interval of the throttle.
    LastRoundTripTime = 5,
    /// The highest variance of that interval.
    LastRoundTripTimeVariance = 6,
    /// How many 32nds of unreliable packets are sent.
    PacketThrottle = 7,
    /// How many 32nds the bandwidth allows.
    PacketThrottleLimit = 8,
    /// Where it stands within the 32.
    PacketThrottleCounter = 9,
    /// When the current interval began.
    PacketThrottleEpoch = 10,
    /// By how many 32nds a good round trip raises it.
    PacketThrottleAcceleration = 11,
    /// By how many 32nds a bad one lowers it.
    PacketThrottleDeceleration = 12,
    /// How long an interval is.
    PacketThrottleInterval = 13,
}

impl PeerStatistic {
    /// What is all of the loss.
    pub const PACKET_LOSS_SCALE: u32 = LOSS_SCALE;
    /// What is all of the throttle.
    pub const PACKET_THROTTLE_SCALE: u32 = SCALE;

    /// All of them, in the order of their numbers.
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

/// A figure of a host (Godot: `ENetConnection.HostStatistic`). A datagram's bytes are those of UDP's payload.
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
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [
        Self::TotalSentData,
        Self::TotalSentPackets,
        Self::TotalReceivedData,
        Self::TotalReceivedPackets,
    ];
}

/// Where a connection stands (Godot: `ENetPacketPeer.PeerState`). `CONNECTION_PENDING` (3) and `CONNECTION_SUCCEEDED` (4)
/// do not occur: a connection is `Connected` as soon as the other side's answer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerState {
    /// It is over, or was never there.
    Disconnected = 0,
    /// This side asked for it and waits.
    Connecting = 1,
    /// The other side asked for it and is being answered.
    AcknowledgingConnect = 2,
    /// Packets travel.
    Connected = 5,
    /// What was accepted is delivered before the end.
    DisconnectLater = 6,
    /// This side ends it and waits for the acknowledgement.
    Disconnecting = 7,
    /// The other side ends it; the acknowledgement is about to leave.
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
