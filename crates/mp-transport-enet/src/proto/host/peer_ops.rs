//! What programs do with single peers of a host.

use std::net::SocketAddr;
use std::time::Duration;

use mp_core::{ConnectionId, ConnectionStats};

use super::Host;
use crate::proto::command::ThrottleParameters;
use crate::proto::peer::{Peer, State};
use crate::proto::{HostStatistic, Patience, PeerState, PeerStatistic};

impl Host {
    /// All links, half-open ones included, by their slots.
    pub fn connections(&self) -> impl Iterator<Item = ConnectionId> + '_ {
        let peers = self.slots.entries().map(|entry| &entry.peer);
        let known = peers.filter(|peer| !matches!(peer.state(), State::Abandoned { .. }));
        known.map(Peer::connection)
    }

    /// Whether there are events that nobody has taken.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Where a link stands; [`PeerState::Disconnected`] when it is unknown.
    pub fn peer_state(&self, connection: ConnectionId) -> PeerState {
        let peer = self.slots.peer(connection);
        peer.map_or(PeerState::Disconnected, Peer::godot_state)
    }

    /// A figure of a link; `None` when it is unknown.
    pub fn peer_statistic(
        &self,
        connection: ConnectionId,
        statistic: PeerStatistic,
    ) -> Option<u32> {
        self.slots.peer(connection).map(|peer| peer.statistic(statistic))
    }

    /// Where the other side of a link is; `None` when it is unknown.
    pub fn address(&self, connection: ConnectionId) -> Option<SocketAddr> {
        self.slots.peer(connection).map(|peer| peer.path().remote)
    }

    /// A figure of the host since it was asked for the last time, or since it was made.
    pub fn pop_statistic(&mut self, statistic: HostStatistic) -> u64 {
        let total = match statistic {
            HostStatistic::TotalSentData => self.stats.bytes_sent,
            HostStatistic::TotalSentPackets => self.stats.datagrams_sent,
            HostStatistic::TotalReceivedData => self.stats.bytes_received,
            HostStatistic::TotalReceivedPackets => self.stats.datagrams_received,
        };
        total - std::mem::replace(&mut self.popped[statistic as usize], total)
    }

    /// Most channels that are granted to clients from now on, 1 to 255; 0 means 255.
    pub const fn set_channel_limit(&mut self, channels: u8) {
        self.settings.channel_limit = if channels == 0 { 255 } else { channels };
    }

    /// Asks a link at once whether it is there.
    pub fn ping(&mut self, connection: ConnectionId) {
        let Some(peer) = self.slots.peer_mut(connection) else { return };
        peer.ping();
        self.touch(connection.slot as u16);
    }

    /// How long after its last acknowledgement an idle link is asked whether it is there; zero means the default of
    /// 500 ms.
    pub fn set_ping_interval(&mut self, connection: ConnectionId, interval: Duration) {
        let Some(peer) = self.slots.peer_mut(connection) else { return };
        peer.set_ping_interval(match interval {
            Duration::ZERO => crate::proto::PING_INTERVAL,
            interval => interval,
        });
        self.touch(connection.slot as u16);
    }

    /// When a link is given up.
    pub fn set_patience(&mut self, connection: ConnectionId, patience: Patience) {
        if let Some(peer) = self.slots.peer_mut(connection) {
            peer.set_patience(patience);
        }
    }

    /// Configures the packet throttle of a link, and asks its other side to do the same. Whether this side follows it at
    /// all is a setting ([`packet_throttle`](crate::proto::HostSettings::packet_throttle)).
    pub fn configure_throttle(&mut self, connection: ConnectionId, parameters: ThrottleParameters) {
        let Some(peer) = self.slots.peer_mut(connection) else { return };
        peer.configure_throttle(parameters);
        self.touch(connection.slot as u16);
    }

    /// How many channels a link has; `None` when it is unknown.
    pub fn channel_count(&self, connection: ConnectionId) -> Option<u8> {
        self.slots.peer(connection).map(Peer::channel_count)
    }

    /// Figures of a link; `None` when it is unknown.
    pub fn connection_stats(&self, connection: ConnectionId) -> Option<ConnectionStats> {
        self.slots.peer(connection).map(Peer::stats)
    }

    /// Bytes that a link holds of packets that wait for others, or for their missing pieces; `None` when it is unknown.
    pub fn waiting_bytes(&self, connection: ConnectionId) -> Option<usize> {
        self.slots.peer(connection).map(Peer::waiting_bytes)
    }
}
