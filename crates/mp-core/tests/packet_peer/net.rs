//! A server and its clients in memory, and a transport that does what a test says.

use std::collections::VecDeque;

use bytes::Bytes;
use mp_core::{
    Channel, ConnectionId, ConnectionStatus, DisconnectReason, Farewell, Instant,
    MemoryMultiplayerPeer, MultiplayerPeer, Origin, Outgoing, Packet, PacketPeer, PeerEvent,
    PeerId, PeerSignal, SendError, TransferMode,
};

pub(crate) const NOW: Instant = Instant::from_millis(1_000);

pub(crate) fn id(raw: i32) -> PeerId {
    PeerId::new(raw).expect("positive")
}

/// A server whose clients are 2, 3, … and connected; nobody has taken a signal.
pub(crate) struct Net {
    pub(crate) server: PacketPeer<MemoryMultiplayerPeer>,
    pub(crate) clients: Vec<PacketPeer<MemoryMultiplayerPeer>>,
}

impl Net {
    pub(crate) fn with_clients(clients: i32) -> Self {
        let mut net =
            Self { server: PacketPeer::new(MemoryMultiplayerPeer::server()), clients: Vec::new() };
        for raw in 2..2 + clients {
            net.join(id(raw));
        }
        net.settle();
        net
    }

    pub(crate) fn join(&mut self, id: PeerId) {
        self.clients.push(PacketPeer::new(self.server.peer().address().connect(id)));
    }

    /// Turns until what was under way has arrived.
    pub(crate) fn settle(&mut self) {
        for _ in 0..3 {
            self.server.poll(NOW);
            self.clients.iter_mut().for_each(|client| client.poll(NOW));
        }
    }
}

pub(crate) fn signals<P: MultiplayerPeer>(peer: &mut PacketPeer<P>) -> Vec<PeerSignal> {
    std::iter::from_fn(|| peer.next_signal()).collect()
}

/// All that waits, with its senders.
pub(crate) fn packets<P: MultiplayerPeer>(peer: &mut PacketPeer<P>) -> Vec<(i32, Bytes)> {
    let mut all = Vec::new();
    while let Some(from) = peer.packet_peer() {
        all.push((from.get(), peer.next_packet().expect("one waits")));
    }
    all
}

/// Reports what it is told to and notes what it is asked to do.
#[derive(Debug)]
pub(crate) struct Scripted {
    pub(crate) unique_id: PeerId,
    pub(crate) status: ConnectionStatus,
    pub(crate) relays: bool,
    pub(crate) refuses_packets: Option<SendError>,
    pub(crate) due: Option<Instant>,
    pub(crate) events: VecDeque<PeerEvent>,
    pub(crate) sent: Vec<Outgoing>,
    pub(crate) disconnected: Vec<(ConnectionId, DisconnectReason, Farewell)>,
    pub(crate) held: Vec<(ConnectionId, bool)>,
}

impl Scripted {
    pub(crate) fn new(unique_id: i32) -> Self {
        Self {
            unique_id: id(unique_id),
            status: ConnectionStatus::Connected,
            relays: true,
            refuses_packets: None,
            due: None,
            events: VecDeque::new(),
            sent: Vec::new(),
            disconnected: Vec::new(),
            held: Vec::new(),
        }
    }

    pub(crate) fn connect(&mut self, slot: u32, claimed: Option<PeerId>) {
        self.events.push_back(PeerEvent::Connected {
            connection: link(slot),
            claimed_id: claimed,
            origin: Origin::Process,
        });
    }

    pub(crate) fn packets(&mut self, slot: u32, count: usize, mode: TransferMode, payload: Bytes) {
        let packet = Packet { from: link(slot), mode, channel: Channel(0), payload };
        self.events.extend(std::iter::repeat_n(PeerEvent::Packet(packet), count));
    }

    pub(crate) fn drop_link(&mut self, slot: u32) {
        let (connection, reason) = (link(slot), DisconnectReason::Remote(0));
        self.events.push_back(PeerEvent::Disconnected { connection, reason });
    }
}

pub(crate) const fn link(slot: u32) -> ConnectionId {
    ConnectionId { slot, generation: 0 }
}

impl MultiplayerPeer for Scripted {
    fn poll(&mut self, _now: Instant) {}

    fn next_event(&mut self) -> Option<PeerEvent> {
        self.events.pop_front()
    }

    fn send(&mut self, outgoing: Outgoing) -> Result<(), SendError> {
        if let Some(error) = self.refuses_packets {
            return Err(error);
        }
        self.sent.push(outgoing);
        Ok(())
    }

    fn flush(&mut self, _now: Instant) {}

    fn disconnect(&mut self, link: ConnectionId, reason: DisconnectReason, farewell: Farewell) {
        self.disconnected.push((link, reason, farewell));
    }

    fn close(&mut self) {
        self.status = ConnectionStatus::Disconnected;
    }

    fn unique_id(&self) -> PeerId {
        self.unique_id
    }

    fn connection_status(&self) -> ConnectionStatus {
        self.status
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    fn hold(&mut self, link: ConnectionId, held: bool) {
        self.held.push((link, held));
    }

    fn is_server_relay_supported(&self) -> bool {
        self.relays
    }
}
