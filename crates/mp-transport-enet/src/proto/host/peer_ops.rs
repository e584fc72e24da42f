//! What programs do with single peers of a host.

use std::net::SocketAddr;
use std::time::Duration;

use mp_core::{ConnectionId, DisconnectReason, Farewell};

use super::{Goodbye, Host, goodbye};
use crate::proto::command::{Body, ThrottleParameters};
use crate::proto::peer::State;
use crate::proto::{
    HostSendError, HostStatistic, PacketFlags, Patience, Payload, PeerState, PeerStatistic,
};

impl Host {
    /// All links, half-open ones included, by their slots.
    pub fn connections(&self) -> impl Iterator<Item = ConnectionId> + '_ {
        let peers = self.slots.occupied().filter_map(|slot| self.slots.get(slot));
        let known = peers.filter(|peer| !matches!(peer.state, State::Abandoned { .. }));
        known.map(|peer| peer.connection)
    }

    /// Whether there are events that nobody has taken.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Where a link stands; [`PeerState::Disconnected`] when it is unknown.
    pub fn peer_state(&self, connection: ConnectionId) -> PeerState {
        let peer = self.slots.connection(connection);
        peer.map_or(PeerState::Disconnected, |peer| peer.godot_state())
    }

    /// A figure of a link; `None` when it is unknown.
    pub fn peer_statistic(
        &self,
        connection: ConnectionId,
        statistic: PeerStatistic,
    ) -> Option<u32> {
        self.slots.connection(connection).map(|peer| peer.statistic(statistic))
    }

    /// Where the other side of a link is; `None` when it is unknown.
    pub fn address(&self, connection: ConnectionId) -> Option<SocketAddr> {
        self.slots.connection(connection).map(|peer| peer.address)
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

    /// Queues a packet for every connected peer. One that cannot take it, because it has fewer channels, is skipped.
    ///
    /// # Errors
    ///
    /// When the packet is too large for every peer.
    pub fn broadcast(
        &mut self,
        channel: u8,
        flags: PacketFlags,
        payload: &Payload,
    ) -> Result<(), HostSendError> {
        let connections: Vec<ConnectionId> = self.connections().collect();
        let payload = payload.clone().shared_by(connections.len());
        for connection in connections {
            match self.send(connection, channel, flags, payload.clone()) {
                Ok(()) | Err(HostSendError::NoChannel { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Most channels that are granted to clients from now on, 1 to 255; 0 means 255.
    pub const fn set_channel_limit(&mut self, channels: u8) {
        self.settings.channel_limit = if channels == 0 { 255 } else { channels };
    }

    /// Asks a link at once whether it is there.
    pub fn ping(&mut self, connection: ConnectionId) {
        let Some(peer) = self.slots.connection_mut(connection) else { return };
        if peer.state == State::Connected {
            peer.sender.queue_control(Body::Ping);
            self.touch(connection.slot as u16);
        }
    }

    /// How long after its last acknowledgement an idle link is asked whether it is there; zero means the default of
    /// 500 ms.
    pub fn set_ping_interval(&mut self, connection: ConnectionId, interval: Duration) {
        let Some(peer) = self.slots.connection_mut(connection) else { return };
        peer.ping_interval = match interval {
            Duration::ZERO => crate::proto::PING_INTERVAL,
            interval => interval,
        };
        self.touch(connection.slot as u16);
    }

    /// When a link is given up.
    pub fn set_patience(&mut self, connection: ConnectionId, patience: Patience) {
        if let Some(peer) = self.slots.connection_mut(connection) {
            peer.patience = patience;
        }
    }

    /// Configures the packet throttle of a link, and asks its other side to do the same. Whether this side follows it at
    /// all is a setting ([`packet_throttle`](crate::proto::HostSettings::packet_throttle)).
    pub fn configure_throttle(&mut self, connection: ConnectionId, parameters: ThrottleParameters) {
        let Some(peer) = self.slots.connection_mut(connection) else { return };
        if peer.state == State::Connected {
            peer.throttle.configure(parameters);
            peer.sender.queue_control(Body::ThrottleConfigure(parameters));
            self.touch(connection.slot as u16);
        }
    }

    /// Ends a link at once. The other side is told once, with `data`, at the end of the turn; should that be lost, it
    /// notices by its timeout. What was queued is lost. Reported with `reason`.
    pub fn disconnect_now(
        &mut self,
        connection: ConnectionId,
        data: u32,
        reason: DisconnectReason,
    ) {
        self.say_goodbye(connection, data);
        self.reset(connection, reason);
    }

    /// Forgets a link without a word to the other side, which notices by its timeout. Reported with `reason`.
    pub fn reset(&mut self, connection: ConnectionId, reason: DisconnectReason) {
        let Some(peer) = self.slots.connection(connection) else { return };
        peer.report_end(reason, &mut self.events);
        self.remove(connection.slot as u16);
    }

    /// Gives up an attempt to connect, without an event. CONNECT is not sent again; when the server
    /// answers all the same it is sent a DISCONNECT, so that nobody occupies its slot.
    pub(crate) fn abandon(&mut self, connection: ConnectionId) {
        let now = self.now.as_millis();
        let Some(peer) = self.slots.connection_mut(connection) else { return };
        if peer.state == State::Connecting {
            peer.abandon(now);
            self.touch(connection.slot as u16);
        } else {
            // It was answered in this turn, and that is not acknowledged yet.
            self.disconnect(connection, 0, DisconnectReason::Closed, Farewell::Abrupt);
        }
    }

    /// Ends a link when everything accepted for it has been acknowledged (Godot: `peer_disconnect_later`).
    pub fn disconnect_later(&mut self, connection: ConnectionId, data: u32) {
        self.disconnect(connection, data, DisconnectReason::Closed, Farewell::Drain);
    }

    /// The one datagram that tells a peer that it is over.
    pub(super) fn say_goodbye(&mut self, connection: ConnectionId, data: u32) {
        let Some(peer) = self.slots.connection_mut(connection) else { return };
        if matches!(peer.state, State::Connected | State::DisconnectLater | State::Disconnecting) {
            let sequence = peer.sender.next_control_sequence();
            let session = peer.sessions.outgoing & 3;
            let bytes = goodbye(peer.outgoing_id, session, sequence, data);
            let (to, from, connect_id) = (peer.address, peer.local, peer.connect_id);
            self.goodbyes.push_back(Goodbye { to, from, connect_id, bytes });
        }
    }
}
