//! Receiving: events of the transport become peers, signals and queued packets.

use super::{PacketPeer, PeerSignal};
use crate::{
    CloseMode, ConnectionId, DisconnectReason, MultiplayerPeer, Packet, PeerEvent, PeerId,
};

impl<P: MultiplayerPeer> PacketPeer<P> {
    pub(super) fn handle_event(&mut self, event: PeerEvent) {
        match event {
            // `unique_id` reads it from the transport; transports hold no connections.
            PeerEvent::UniqueId(_) | PeerEvent::Held { .. } => {}
            PeerEvent::Connected { connection, claimed_id, ref origin }
            | PeerEvent::Moved { connection, claimed_id, ref origin, .. }
            | PeerEvent::Resumed { connection, claimed_id, ref origin, .. } => {
                match self.admit(connection, claimed_id) {
                    Ok(id) => {
                        self.stats.connected += 1;
                        self.signal(PeerSignal::PeerConnected(id));
                        if self.receive_queue.is_paused() {
                            self.peer.pause_receiving(connection, true);
                        }
                    }
                    Err(reason) => {
                        tracing::debug!(%connection, %origin, %reason, "connection rejected");
                        self.stats.rejected_connections += 1;
                        self.peer.disconnect(connection, reason, CloseMode::Graceful);
                    }
                }
            }
            PeerEvent::Packet(packet) => self.receive_packet(packet),
            PeerEvent::Disconnected { connection, .. } => {
                if let Some(id) = self.remove(connection) {
                    self.signal(PeerSignal::PeerDisconnected(id));
                }
            }
        }
    }

    /// Decides the id of a new connection.
    fn admit(
        &mut self,
        connection: ConnectionId,
        claimed_id: Option<PeerId>,
    ) -> Result<PeerId, DisconnectReason> {
        let own = self.unique_id();
        let id = if own.is_server() { claimed_id } else { claimed_id.or(Some(PeerId::SERVER)) };
        let id = id.filter(|&id| id != own).ok_or(DisconnectReason::InvalidId)?;
        if self.peers.insert(id, connection) { Ok(id) } else { Err(DisconnectReason::DuplicateId) }
    }

    fn receive_packet(&mut self, packet: Packet) {
        let connection = packet.from;
        let Some(id) = self.peers.id(connection) else { return };
        if self.receive_queue.is_overflowing() {
            self.stats.packets_dropped += 1;
            if packet.mode.is_reliable() {
                self.disconnect_now(id, DisconnectReason::QueueFull);
            }
            return;
        }
        self.stats.packets_received += 1;
        if self.receive_queue.push(id, packet) {
            self.stats.pauses += 1;
            self.set_paused(true);
        }
    }

    /// Closes a peer's connection immediately and emits `PeerDisconnected`.
    pub(crate) fn disconnect_now(&mut self, id: PeerId, reason: DisconnectReason) {
        if let Some(connection) = self.peers.connection(id) {
            self.peer.disconnect(connection, reason, CloseMode::Immediate);
            self.remove(connection);
            self.signal(PeerSignal::PeerDisconnected(id));
        }
    }

    pub(super) fn remove(&mut self, connection: ConnectionId) -> Option<PeerId> {
        let removed = self.peers.remove(connection);
        self.stats.disconnected += u64::from(removed.is_some());
        removed
    }

    /// Drops the unread packets of a connection that was removed by force, and its `PeerConnected`
    /// if it is the last signal of the peer.
    pub(super) fn discard(&mut self, connection: ConnectionId, id: PeerId) {
        self.stats.packets_discarded += self.receive_queue.discard(connection) as u64;
        self.resume_if_drained();
        let last = self.signals.iter().rposition(|signal| signal.id() == id);
        if let Some(last) = last
            && self.signals[last] == PeerSignal::PeerConnected(id)
        {
            self.signals.remove(last);
        }
    }

    fn signal(&mut self, signal: PeerSignal) {
        if self.signals.len() >= SIGNALS_MAX {
            self.signals.pop_front();
            self.stats.signals_dropped += 1;
        }
        self.signals.push_back(signal);
    }

    pub(super) fn resume_if_drained(&mut self) {
        if self.receive_queue.resume_if_drained() {
            self.set_paused(false);
        }
    }

    fn set_paused(&mut self, paused: bool) {
        for connection in self.peers.connections() {
            self.peer.pause_receiving(connection, paused);
        }
    }
}

impl PeerSignal {
    const fn id(self) -> PeerId {
        match self {
            Self::PeerConnected(id) | Self::PeerDisconnected(id) => id,
        }
    }
}

/// Maximum number of queued signals: about one for each client of the largest ENet host.
const SIGNALS_MAX: usize = 4_096;
