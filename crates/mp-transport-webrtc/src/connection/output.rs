//! Output of connections: events, signals and datagrams, in bounded queues.

use std::collections::VecDeque;

use mp_core::{
    ConnectionId, ConnectionOrigin, Packet, PeerEvent, PeerId, ReasonCounts, SharedLimit,
    TransportStats,
};
use mp_udp::NetworkPath;

use crate::candidate::IceCandidate;
use crate::limits::{
    DATAGRAMS_QUEUED_MAX, PENDING_BYTES_MAX, PENDING_BYTES_SHARE, QUEUED_BYTES_MAX,
    QUEUED_BYTES_SHARE, SIGNALS_MAX,
};
use crate::refusal::{DatagramRefusal, MessageRefusal};
use crate::sdp::SdpKind;
use crate::signal::Signal;

/// The output of all connections of a peer, and the limits of their memory.
#[derive(Debug)]
pub(crate) struct PeerOutput {
    /// Limit of the packets in send queues.
    pub(crate) queued: SharedLimit,
    /// Limit of the received packets that are not reported yet.
    pub(crate) pending: SharedLimit,
    /// Unreliable packets dropped at the limit of all connections.
    pub(crate) queue_drops: u64,
    pub(crate) events: VecDeque<PeerEvent>,
    /// `true` if a connection was opened since this was reset.
    pub(crate) has_connected: bool,
    pub(crate) signals: VecDeque<Signal>,
    pub(crate) datagrams: VecDeque<(NetworkPath, Vec<u8>)>,
    /// Signals dropped because [`SIGNALS_MAX`] were queued.
    pub(crate) dropped_signals: u64,
    /// Datagrams dropped because [`DATAGRAMS_QUEUED_MAX`] were queued.
    pub(crate) dropped_datagrams: u64,
    /// Datagrams that were ignored.
    pub(crate) refused_datagrams: ReasonCounts<DatagramRefusal>,
    /// Datagrams not sent because their destination is not validated.
    pub(crate) amplification_drops: u64,
    /// Datagrams dropped because their connection was paused.
    pub(crate) paused_drops: u64,
    /// Messages that were ignored.
    pub(crate) refused_messages: ReasonCounts<MessageRefusal>,
    /// Connections closed because one of their protocols failed.
    pub(crate) failed_connections: u64,
    /// Packets and datagrams of all connections.
    pub(crate) traffic: TransportStats,
}

impl Default for PeerOutput {
    fn default() -> Self {
        Self {
            queued: SharedLimit::new(QUEUED_BYTES_MAX, QUEUED_BYTES_SHARE),
            pending: SharedLimit::new(PENDING_BYTES_MAX, PENDING_BYTES_SHARE),
            queue_drops: 0,
            events: VecDeque::new(),
            has_connected: false,
            signals: VecDeque::new(),
            datagrams: VecDeque::new(),
            dropped_signals: 0,
            dropped_datagrams: 0,
            refused_datagrams: ReasonCounts::default(),
            amplification_drops: 0,
            paused_drops: 0,
            refused_messages: ReasonCounts::default(),
            failed_connections: 0,
            traffic: TransportStats::default(),
        }
    }
}

impl PeerOutput {
    /// Reports a connection whose channels are all open.
    pub(super) fn connected(
        &mut self,
        connection: ConnectionId,
        claimed_id: PeerId,
        origin: ConnectionOrigin,
    ) {
        let claimed_id = Some(claimed_id);
        self.events.push_back(PeerEvent::Connected { connection, claimed_id, origin });
        self.traffic.completed_handshakes += 1;
        self.has_connected = true;
    }

    pub(super) fn packets(&mut self, packets: impl IntoIterator<Item = Packet>) {
        for packet in packets {
            self.traffic.connections.packets_received += 1;
            self.traffic.connections.bytes_received += packet.payload.len() as u64;
            self.events.push_back(PeerEvent::Packet(packet));
        }
    }

    pub(super) fn datagram(&mut self, path: NetworkPath, datagram: Vec<u8>) {
        if self.datagrams.len() < DATAGRAMS_QUEUED_MAX {
            self.traffic.datagrams_sent += 1;
            self.traffic.network_bytes_sent += datagram.len() as u64;
            self.datagrams.push_back((path, datagram));
        } else {
            self.dropped_datagrams += 1;
        }
    }

    pub(super) fn description(&mut self, peer: PeerId, kind: SdpKind, sdp: String) {
        self.signal(Signal::SessionDescriptionCreated { peer, kind, sdp });
    }

    pub(super) fn candidate(&mut self, peer: PeerId, mid: &str, name: String) {
        let candidate = IceCandidate { media: mid.to_owned(), index: 0, name };
        self.signal(Signal::IceCandidateCreated { peer, candidate });
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        if self.signals.len() < SIGNALS_MAX {
            self.signals.push_back(signal);
        } else {
            self.dropped_signals += 1;
        }
    }

    /// Removes the events of a connection from the queue.
    pub(crate) fn withdraw(&mut self, connection: ConnectionId) {
        self.events.retain(|event| match event {
            PeerEvent::Packet(packet) => packet.from != connection,
            PeerEvent::Connected { connection: of, .. }
            | PeerEvent::Disconnected { connection: of, .. } => *of != connection,
            _ => true,
        });
    }
}
