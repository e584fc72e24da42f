//! Behaviour of connections while datagrams are lost.

mod common;

use std::time::Duration;

use common::{Conditions, Network, Relay};
use mp_core::{
    Channel, ConnectionId, Instant, MultiplayerPeer, Outgoing, PeerEvent, PeerId, Prefix,
    TransferMode,
};
use mp_transport_webrtc::{Options, WebRtcMultiplayerPeer};

use common::VirtualSocket;

struct Pair {
    network: Network,
    relay: Relay,
    server: WebRtcMultiplayerPeer<VirtualSocket>,
    client: WebRtcMultiplayerPeer<VirtualSocket>,
    to_client: Option<ConnectionId>,
    to_server: Option<ConnectionId>,
    at_server: Vec<PeerEvent>,
    at_client: Vec<PeerEvent>,
}

impl Pair {
    fn new(seed: u64, conditions: Conditions) -> Self {
        let network = Network::new(seed, conditions);
        let mut relay = Relay::new();
        let id = PeerId::new(2).unwrap();
        let mut server =
            WebRtcMultiplayerPeer::server(network.socket(), Options::default()).unwrap();
        let mut client =
            WebRtcMultiplayerPeer::client(network.socket(), id, Options::default()).unwrap();
        relay.insert(PeerId::SERVER, server.signaling());
        relay.insert(id, client.signaling());
        relay.connect(id, PeerId::SERVER);
        Self {
            network,
            relay,
            server,
            client,
            to_client: None,
            to_server: None,
            at_server: Vec::new(),
            at_client: Vec::new(),
        }
    }

    fn turn(&mut self) -> Instant {
        self.relay.run();
        let now = self.network.advance(Duration::from_millis(5));
        self.server.poll(now);
        while let Some(event) = self.server.next_event() {
            if let PeerEvent::Connected { connection, .. } = event {
                self.to_client = Some(connection);
            }
            self.at_server.push(event);
        }
        self.server.flush(now);
        self.client.poll(now);
        while let Some(event) = self.client.next_event() {
            if let PeerEvent::Connected { connection, .. } = event {
                self.to_server = Some(connection);
            }
            self.at_client.push(event);
        }
        self.client.flush(now);
        now
    }

    fn connect(&mut self) {
        for _ in 0..6_000 {
            self.turn();
            if self.to_client.is_some() && self.to_server.is_some() {
                return;
            }
        }
        panic!("no connection");
    }

    fn send(&mut self, from_server: bool, mode: TransferMode, payload: Vec<u8>) {
        let (peer, to) = match from_server {
            true => (&mut self.server, self.to_client),
            false => (&mut self.client, self.to_server),
        };
        let (to, channel, prefix) = (to.unwrap().into(), Channel(0), Prefix::EMPTY);
        peer.send(Outgoing { to, mode, channel, prefix, payload: payload.into() }).unwrap();
    }
}

fn packets(events: &[PeerEvent]) -> Vec<&[u8]> {
    let packets = events.iter().filter_map(|event| match event {
        PeerEvent::Packet(packet) => Some(&packet.payload[..]),
        _ => None,
    });
    packets.collect()
}

#[test]
fn reliable_packets_arrive_once_and_in_order_at_5_percent_loss() {
    let conditions = Conditions {
        latency: Duration::from_millis(10),
        jitter: Duration::from_millis(15),
        loss: 50,
    };
    for seed in 0..4 {
        let mut pair = Pair::new(seed, conditions);
        pair.connect();
        let sent: Vec<Vec<u8>> = (0..300_u32).map(|n| n.to_le_bytes().repeat(50)).collect();
        for payload in &sent {
            pair.send(true, TransferMode::Reliable, payload.clone());
            pair.send(false, TransferMode::Reliable, payload.clone());
        }
        for _ in 0..12_000 {
            pair.turn();
            if packets(&pair.at_client).len() == 300 && packets(&pair.at_server).len() == 300 {
                break;
            }
        }
        assert_eq!(packets(&pair.at_client), sent, "seed {seed}");
        assert_eq!(packets(&pair.at_server), sent, "seed {seed}");
    }
}
