//! Receiving: events of the transport become peers, signals and queued packets.

use super::{PacketPeer, PeerSignal};
use crate::{ConnectionId, DisconnectReason, Farewell, MultiplayerPeer, Packet, PeerEvent, PeerId};

impl<P: MultiplayerPeer> PacketPeer<P> {
    pub(super) fn take(&mut self, event: PeerEvent) {
        match event {
            PeerEvent::UniqueId(_) => {} // `unique_id` reads it from the transport
            PeerEvent::Connected { connection, claimed_id, ref origin } => {
                match self.admit(connection, claimed_id) {
                    Ok(id) => {
                        self.stats.connected += 1;
                        self.signal(PeerSignal::PeerConnected(id));
                        if self.inbound.is_held() {
                            self.peer.hold(connection, true);
                        }
                    }
                    Err(reason) => {
                        tracing::debug!(%connection, %origin, %reason, "connection rejected");
                        self.stats.turned_away += 1;
                        self.peer.disconnect(connection, reason, Farewell::Polite);
                    }
                }
            }
            PeerEvent::Packet(packet) => self.receive(packet),
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
        if self.roster.insert(id, connection) { Ok(id) } else { Err(DisconnectReason::DuplicateId) }
    }

    fn receive(&mut self, packet: Packet) {
        let connection = packet.from;
        let Some(id) = self.roster.id(connection) else { return };
        if self.inbound.is_overflowing() {
            self.stats.packets_overflowed += 1;
            if packet.mode.is_reliable() {
                self.end_now(id, DisconnectReason::QueueFull);
            }
            return;
        }
        self.stats.packets_received += 1;
        if self.inbound.push(id, packet) {
            self.stats.holds += 1;
            self.hold_links(true);
        }
    }

    /// Closes a peer's connection immediately and emits `PeerDisconnected`.
    pub(crate) fn end_now(&mut self, id: PeerId, reason: DisconnectReason) {
        if let Some(connection) = self.roster.connection(id) {
            self.peer.disconnect(connection, reason, Farewell::Abrupt);
            self.remove(connection);
            self.signal(PeerSignal::PeerDisconnected(id));
        }
    }

    pub(super) fn remove(&mut self, connection: ConnectionId) -> Option<PeerId> {
        let removed = self.roster.remove(connection);
        self.stats.disconnected += u64::from(removed.is_some());
        removed
    }

    /// Drops the unread packets of a connection that was removed by force, and its `PeerConnected`
    /// if it is the last signal of the peer.
    pub(super) fn withdraw(&mut self, connection: ConnectionId, id: PeerId) {
        self.stats.packets_withdrawn += self.inbound.withdraw(connection) as u64;
        self.release();
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

    pub(super) fn release(&mut self) {
        if self.inbound.release() {
            self.hold_links(false);
        }
    }

    fn hold_links(&mut self, held: bool) {
        for connection in self.roster.connections() {
            self.peer.hold(connection, held);
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
