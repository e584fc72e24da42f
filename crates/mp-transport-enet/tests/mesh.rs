//! A mesh of three peers, each with a connection to each other.

mod common;

use std::time::Duration;

use common::address;
use mp_core::{
    Channel, CloseMode, ConnectionId, ConnectionStatus, DisconnectReason, Instant, MultiplayerPeer,
    OutgoingPacket, PeerEvent, PeerId, Prefix, Rng, SendError, TransferMode,
};
use mp_transport_enet::proto::{Admission, HostEvent, HostSettings, PeerState};
use mp_transport_enet::testing::{Link, Network, Socket};
use mp_transport_enet::{AddMeshPeerError, EnetConnection, EnetMesh};

fn id(number: i32) -> PeerId {
    PeerId::new(number).unwrap()
}

fn network() -> Network {
    let link = Link { latency: Duration::from_millis(5), loss_permille: 50, ..Link::default() };
    let network = Network::new(Rng::seed_from_u64(4), link);
    network.advance(Instant::from_millis(1_000));
    network
}

fn connection(network: &Network, at: &str) -> EnetConnection<Socket> {
    let mut settings = HostSettings::default();
    settings.admission = Admission::Anybody;
    settings.max_peers = 1;
    EnetConnection::with_socket(network.socket(address(at)), settings, Some([3; 32])).unwrap()
}

/// Returns two hosts that are connected to each other.
fn pair(network: &Network, ours: &str, theirs: &str) -> [EnetConnection<Socket>; 2] {
    let mut sides = [connection(network, ours), connection(network, theirs)];
    sides[1].connect_to_host(address(ours), 255, 0).unwrap();
    let mut connected = [false; 2];
    while connected != [true; 2] {
        network.advance(network.now() + Duration::from_millis(1));
        for (side, connected) in sides.iter_mut().zip(&mut connected) {
            let event = side.service(network.now());
            *connected |= matches!(event, Some(HostEvent::Connected { .. }));
            assert!(network.now() < Instant::from_millis(60_000), "no connection");
        }
    }
    sides
}

/// Returns three peers of a mesh. `links[a][b]` is the connection of `a` to `b`.
fn mesh(network: &Network) -> ([EnetMesh<Socket>; 3], [[Option<ConnectionId>; 3]; 3]) {
    let mut peers = [1, 2, 3].map(|number| EnetMesh::new(id(number)));
    let mut links = [[None; 3]; 3];
    for (number, (a, b)) in [(0, 1), (0, 2), (1, 2)].into_iter().enumerate() {
        let at = |side| format!("10.0.{number}.{side}:7");
        let [ours, theirs] = pair(network, &at(1), &at(2));
        links[a][b] = Some(peers[a].add_mesh_peer(id(b as i32 + 1), ours).unwrap());
        links[b][a] = Some(peers[b].add_mesh_peer(id(a as i32 + 1), theirs).unwrap());
    }
    (peers, links)
}

fn run(network: &Network, peers: &mut [EnetMesh<Socket>; 3], millis: u64) -> [Vec<PeerEvent>; 3] {
    let mut events = [const { Vec::new() }; 3];
    for _ in 0..millis {
        network.advance(network.now() + Duration::from_millis(1));
        for (peer, events) in peers.iter_mut().zip(&mut events) {
            peer.poll(network.now());
            events.extend(std::iter::from_fn(|| peer.next_event()));
            peer.flush(network.now());
        }
    }
    events
}

fn send(peer: &mut EnetMesh<Socket>, to: ConnectionId, text: &str) -> Result<(), SendError> {
    let payload = bytes::Bytes::copy_from_slice(text.as_bytes());
    let (to, prefix) = (to.into(), Prefix::EMPTY);
    let (mode, channel) = (TransferMode::Reliable, Channel(2));
    peer.send(OutgoingPacket { to, mode, channel, prefix, payload })
}

#[test]
fn all_peers_of_a_mesh_reach_each_other() {
    let network = network();
    let (mut peers, links) = mesh(&network);
    for peer in &peers {
        assert_eq!(peer.connection_status(), ConnectionStatus::Connected);
        assert!(!peer.is_server_relay_supported());
    }
    let joined = run(&network, &mut peers, 1);
    for (a, events) in joined.iter().enumerate() {
        let claimed: Vec<_> = events
            .iter()
            .map(|event| match event {
                PeerEvent::Connected { claimed_id, .. } => claimed_id.unwrap().get() as usize - 1,
                other => panic!("{other:?}"),
            })
            .collect();
        let others: Vec<usize> = (0..3).filter(|&b| b != a).collect();
        assert_eq!(claimed, others);
    }
    for a in 0..3 {
        for b in (0..3).filter(|&b| b != a) {
            send(&mut peers[a], links[a][b].unwrap(), &format!("{a} to {b}")).unwrap();
        }
    }
    let events = run(&network, &mut peers, 3_000);
    for (b, events) in events.iter().enumerate() {
        let mut texts: Vec<String> = events
            .iter()
            .map(|event| match event {
                PeerEvent::Packet(packet) => {
                    let from = (0..3).find(|&a| links[b][a] == Some(packet.from)).unwrap();
                    let text = str::from_utf8(&packet.payload).unwrap();
                    assert_eq!((packet.channel, &text[..1]), (Channel(2), &*from.to_string()));
                    text.to_owned()
                }
                other => panic!("{other:?}"),
            })
            .collect();
        texts.sort();
        let expected: Vec<_> = (0..3).filter(|&a| a != b).map(|a| format!("{a} to {b}")).collect();
        assert_eq!(texts, expected);
    }
}

#[test]
fn a_disconnecting_peer_of_a_mesh_does_not_affect_the_others() {
    let network = network();
    let (mut peers, links) = mesh(&network);
    run(&network, &mut peers, 1);
    peers[0].disconnect(links[0][1].unwrap(), DisconnectReason::Kicked, CloseMode::Graceful);
    let events = run(&network, &mut peers, 3_000);
    let end = |connection, reason| PeerEvent::Disconnected { connection, reason };
    assert_eq!(events[0], [end(links[0][1].unwrap(), DisconnectReason::Kicked)]);
    assert_eq!(events[1], [end(links[1][0].unwrap(), DisconnectReason::Remote(0))]);
    assert_eq!(events[2], []);
    assert!(peers[0].host(links[0][1].unwrap()).is_none(), "the connection must be removed");
    assert_eq!(peers[0].peer(links[0][2].unwrap()).unwrap().state(), PeerState::Connected);

    network.set_link(Link::default());
    peers[2].close();
    assert_eq!(peers[2].connection_status(), ConnectionStatus::Disconnected);
    assert_eq!(send(&mut peers[2], links[2][0].unwrap(), "x"), Err(SendError::NotConnected));
    let events = run(&network, &mut peers, 100);
    assert_eq!(events[0], [end(links[0][2].unwrap(), DisconnectReason::Remote(0))]);
    assert_eq!(events[1], [end(links[1][2].unwrap(), DisconnectReason::Remote(0))]);
    assert_eq!(peers[0].poll_timeout(), None, "no turn must be due");
}

#[test]
fn a_connection_must_be_fit_for_a_mesh() {
    let network = network();
    let mut mesh = EnetMesh::new(id(5));
    let lonely = connection(&network, "10.1.0.1:1");
    assert_eq!(mesh.add_mesh_peer(id(6), lonely).unwrap_err(), AddMeshPeerError::Peers(0));
    let mut hopeful = connection(&network, "10.1.0.2:1");
    hopeful.connect_to_host(address("10.1.0.9:1"), 2, 0).unwrap();
    let error = mesh.add_mesh_peer(id(6), hopeful).unwrap_err();
    assert_eq!(error, AddMeshPeerError::NotConnected(PeerState::Connecting));
    let [one, other] = pair(&network, "10.1.0.3:1", "10.1.0.4:1");
    let error = mesh.add_mesh_peer(id(5), one).unwrap_err();
    assert_eq!(error.to_string(), "peer id 5 is in use; each peer of a mesh needs its own");
    mesh.add_mesh_peer(id(6), other).unwrap();
    let [one, _other] = pair(&network, "10.1.0.5:1", "10.1.0.6:1");
    assert_eq!(mesh.add_mesh_peer(id(6), one).unwrap_err(), AddMeshPeerError::IdTaken(id(6)));
    mesh.close();
    let [one, _other] = pair(&network, "10.1.0.7:1", "10.1.0.8:1");
    assert_eq!(mesh.add_mesh_peer(id(7), one).unwrap_err(), AddMeshPeerError::Closed);
}
