//! A server and its clients over the memory network.

use bytes::Bytes;
use mp_core::{Instant, MemoryMultiplayerPeer, MultiplayerPeer, PacketPeer, PeerId, PeerSignal};

pub(crate) const NOW: Instant = Instant::from_millis(1_000);

pub(crate) fn id(raw: i32) -> PeerId {
    PeerId::new(raw).expect("positive")
}

/// A server with the connected clients 2, 3, …; no signal has been read.
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

    /// Runs turns until packets on their way are received.
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

/// Reads all packets, with their senders.
pub(crate) fn packets<P: MultiplayerPeer>(peer: &mut PacketPeer<P>) -> Vec<(i32, Bytes)> {
    let mut all = Vec::new();
    while let Some(from) = peer.packet_peer() {
        all.push((from.get(), peer.next_packet().expect("a packet is queued")));
    }
    all
}
