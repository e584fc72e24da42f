//! Clients without a scene, which send what a test makes them send.

use bytes::{Bytes, BytesMut};
use mp_core::{
    ConnectionId, Instant, MemoryMultiplayerPeer, MultiplayerPeer, OutgoingPacket, PeerEvent,
    Prefix,
};
use mp_relay::HostSeat;
use mp_scene::codec::{Limits, Objects};
use mp_scene::prelude::*;
use mp_scene::{ConfirmedNode, SceneMessage, Spawn, SpawnSource};

use crate::game::*;

/// A client that sends what a test makes it send.
pub struct RawClient {
    transport: MemoryMultiplayerPeer,
    server: ConnectionId,
}

impl RawClient {
    pub fn join(lan: &mut mp_scene::testing::Lan, id: i32) -> Self {
        let mut transport = lan.peer(SERVER).address().connect(peer(id));
        lan.settle();
        transport.poll(Instant::ZERO);
        let server = std::iter::from_fn(|| transport.next_event()).find_map(|event| match event {
            PeerEvent::Connected { connection, .. } => Some(connection),
            _ => None,
        });
        Self { transport, server: server.expect("a connection") }
    }

    pub fn close(mut self, lan: &mut mp_scene::testing::Lan) {
        self.transport.close();
        self.transport.flush(Instant::ZERO);
        lan.settle();
    }

    pub fn send_bytes(&mut self, payload: Bytes) {
        let (to, mode, channel) = (self.server.into(), TransferMode::Reliable, Channel(0));
        let prefix = Prefix::EMPTY;
        self.transport.send(OutgoingPacket { to, mode, channel, prefix, payload }).unwrap();
        self.transport.flush(Instant::ZERO);
    }

    pub fn send(&mut self, message: &SceneMessage) {
        self.send_bytes(encode(message));
    }

    pub fn relay(&mut self, to: PeerId, message: &SceneMessage) {
        self.send(&SceneMessage::Relay { peer: to.get(), inner: encode(message) });
    }

    pub fn payloads(&mut self) -> Vec<Bytes> {
        self.transport.poll(Instant::ZERO);
        let events = std::iter::from_fn(|| self.transport.next_event());
        let packets = events.filter_map(|event| match event {
            PeerEvent::Packet(packet) => Some(packet.payload),
            _ => None,
        });
        packets.collect()
    }

    /// Confirms the paths that the room has announced.
    pub fn confirm(&mut self) {
        for message in self.received() {
            if let SceneMessage::SimplifyPath { id, .. } = message {
                let (node, checksum_ok) = (ConfirmedNode::Id(id), true);
                self.send(&SceneMessage::ConfirmPath { node, checksum_ok });
            }
        }
    }

    pub fn received(&mut self) -> Vec<SceneMessage> {
        let decode = |packet| Codec::default().decode(&packet, &Limits::default()).unwrap();
        self.payloads().into_iter().map(decode).collect()
    }
}

pub fn encode(message: &SceneMessage) -> Bytes {
    let mut payload = BytesMut::new();
    Codec::default().encode(message, Objects::Ids, &mut payload).unwrap();
    payload.freeze()
}

pub fn path(id: u32, path: &str) -> SceneMessage {
    SceneMessage::SimplifyPath { id, checksum: [b'0'; 32], path: path.to_owned() }
}

pub fn spawned(spawner: u32, net_id: u32) -> SceneMessage {
    let (source, name) = (SpawnSource::Scene(0), format!("Unit{net_id}"));
    let (synchronizers, state) = (vec![net_id + 1], Bytes::new());
    SceneMessage::Spawn(Spawn { source, spawner, net_id, synchronizers, name, state })
}

/// Returns a room with a host and a guest without scenes.
pub fn raw_room(seat: HostSeat) -> (mp_scene::testing::Lan, RawClient, RawClient) {
    let mut lan = room(seat);
    let mut host = RawClient::join(&mut lan, 2);
    let mut guest = RawClient::join(&mut lan, 3);
    host.confirm();
    lan.settle();
    guest.received();
    (lan, host, guest)
}
