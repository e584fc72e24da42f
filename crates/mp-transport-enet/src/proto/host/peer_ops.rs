//! Operations of programs on single peers of a host.

use std::net::SocketAddr;
use std::time::Duration;

use mp_core::{ConnectionId, ConnectionStats};

use super::Host;
use crate::proto::command::ThrottleParameters;
use crate::proto::peer::{Peer, State};
use crate::proto::{HostStatistic, PeerState, PeerStatistic, TimeoutConfig};

impl Host {
    /// Returns all connections in the order of their slots, including half-open ones.
    pub fn connections(&self) -> impl Iterator<Item = ConnectionId> + '_ {
        let peers = self.slots.entries().map(|entry| &entry.peer);
        let known = peers.filter(|peer| !matches!(peer.state(), State::Abandoned { .. }));
        known.map(Peer::connection)
    }

    /// Returns whether there are events to poll.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Returns the state of a connection; [`PeerState::Disconnected`] if it is unknown.
    pub fn peer_state(&self, connection: ConnectionId) -> PeerState {
        let peer = self.slots.peer(connection);
        peer.map_or(PeerState::Disconnected, Peer::godot_state)
    }

    /// Returns a statistic of a connection; `None` if it is unknown.
    pub fn peer_statistic(
        &self,
        connection: ConnectionId,
        statistic: PeerStatistic,
    ) -> Option<u32> {
        self.slots.peer(connection).map(|peer| peer.statistic(statistic))
    }

    /// Returns the remote address of a connection; `None` if it is unknown.
    pub fn address(&self, connection: ConnectionId) -> Option<SocketAddr> {
        self.slots.peer(connection).map(|peer| peer.path().remote)
    }

    /// Returns a statistic of the host, and resets it.
    pub fn pop_statistic(&mut self, statistic: HostStatistic) -> u64 {
        let total = match statistic {
            HostStatistic::TotalSentData => self.stats.bytes_sent,
            HostStatistic::TotalSentPackets => self.stats.datagrams_sent,
            HostStatistic::TotalReceivedData => self.stats.bytes_received,
            HostStatistic::TotalReceivedPackets => self.stats.datagrams_received,
        };
        total - std::mem::replace(&mut self.popped[statistic as usize], total)
    }

    /// Sets the maximum number of channels for new clients, 1 to 255; 0 means 255.
    pub const fn set_channel_limit(&mut self, channels: u8) {
        self.settings.channel_limit = if channels == 0 { 255 } else { channels };
    }

    /// Sends a PING to a connection.
    pub fn ping(&mut self, connection: ConnectionId) {
        let Some(peer) = self.slots.peer_mut(connection) else { return };
        peer.ping();
        self.touch(connection.slot as u16);
    }

    /// Sets the time without an acknowledgement after which an idle connection is pinged; zero
    /// means the default of 500 ms.
    pub fn set_ping_interval(&mut self, connection: ConnectionId, interval: Duration) {
        let Some(peer) = self.slots.peer_mut(connection) else { return };
        peer.set_ping_interval(match interval {
            Duration::ZERO => crate::proto::PING_INTERVAL,
            interval => interval,
        });
        self.touch(connection.slot as u16);
    }

    /// Sets when a connection times out.
    pub fn set_timeout(&mut self, connection: ConnectionId, config: TimeoutConfig) {
        if let Some(peer) = self.slots.peer_mut(connection) {
            peer.set_timeout(config);
        }
    }

    /// Configures the packet throttle of a connection on both sides. The local side applies it if
    /// [`packet_throttle`](crate::proto::HostSettings::packet_throttle) is set.
    pub fn configure_throttle(&mut self, connection: ConnectionId, parameters: ThrottleParameters) {
        let Some(peer) = self.slots.peer_mut(connection) else { return };
        peer.configure_throttle(parameters);
        self.touch(connection.slot as u16);
    }

    /// Returns the number of channels of a connection; `None` if it is unknown.
    pub fn channel_count(&self, connection: ConnectionId) -> Option<u8> {
        self.slots.peer(connection).map(Peer::channel_count)
    }

    /// Returns the statistics of a connection; `None` if it is unknown.
    pub fn connection_stats(&self, connection: ConnectionId) -> Option<ConnectionStats> {
        self.slots.peer(connection).map(Peer::stats)
    }

    /// Returns the bytes of incomplete and out-of-order packets of a connection; `None` if it is
    /// unknown.
    pub fn waiting_bytes(&self, connection: ConnectionId) -> Option<usize> {
        self.slots.peer(connection).map(Peer::waiting_bytes)
    }
}
