//! Godot's stateful interface over ENet, on a virtual network with loss.
#![allow(missing_docs, reason = "a test")]

use std::net::SocketAddr;
use std::time::Duration;

use mp_core::PeerSignal::{PeerConnected, PeerDisconnected};
use mp_core::godot3::{self, NetworkedMultiplayerPeer};
use mp_core::{
    Channel, ConnectionStatus, Instant, MultiplayerPeer, PacketPeer, PacketPeerError, PeerId,
    PeerSignal, Rng, SendError, Target, TransferMode,
};
use mp_transport_enet::testing::{Link, Network, Socket};
use mp_transport_enet::{ClientOptions, EnetMultiplayerPeer, ServerOptions};

type Enet = EnetMultiplayerPeer<Socket>;

const SEED: u64 = 0x51;

fn server_address() -> SocketAddr {
    "10.0.0.1:7777".parse().expect("an address")
}

/// Returns a network with 10 % loss, and a server on it.
fn network() -> (Network, Enet) {
    let latency = Duration::from_millis(20);
    let link = Link { latency, loss_permille: 100, ..Link::default() };
    let network = Network::new(Rng::seed_from_u64(SEED), link);
    let options = ServerOptions::default().seed([1; 32]);
    let server = Enet::server(network.socket(server_address()), options).expect("a server");
    (network, server)
}

fn client(network: &Network, number: u8, channels: u8) -> Enet {
    let address = SocketAddr::from(([10, 0, 1, number], 7_777));
    let options = ClientOptions::default().seed([number; 32]).channels(channels);
    Enet::client(network.socket(address), server_address(), options).expect("a client")
}

/// Runs turns of 5 ms for `millis`.
fn pass<P: MultiplayerPeer>(network: &Network, millis: u64, peers: &mut [&mut PacketPeer<P>]) {
    let end = network.now() + Duration::from_millis(millis);
    while network.now() < end {
        let now = network.now() + Duration::from_millis(5);
        network.advance(now);
        peers.iter_mut().for_each(|peer| peer.poll(now));
    }
}

fn signals<P: MultiplayerPeer>(peer: &mut PacketPeer<P>) -> Vec<PeerSignal> {
    std::iter::from_fn(|| peer.next_signal()).collect()
}

#[test]
fn packets_keep_their_mode_and_channel_over_enet() {
    let (network, server) = network();
    let mut server = PacketPeer::new(server);
    let mut client = PacketPeer::new(client(&network, 2, 253));
    pass(&network, 3_000, &mut [&mut server, &mut client]);
    let id = client.unique_id();
    assert_eq!(signals(&mut server), [PeerConnected(id)], "seed {SEED:#x}");
    assert_eq!(signals(&mut client), [PeerConnected(PeerId::SERVER)]);

    network.set_link(Link::default());
    let mut sent = Vec::new();
    for channel in [Channel(0), Channel(3), Channel(253)] {
        for mode in TransferMode::ALL {
            client.set_transfer_mode(mode);
            client.set_transfer_channel(channel);
            client.put_packet(vec![channel.0, mode.to_raw()]).unwrap();
            pass(&network, 50, &mut [&mut server, &mut client]);
            sent.push((Some(id), Some(mode), Some(channel), vec![channel.0, mode.to_raw()]));
        }
    }
    let mut read = Vec::new();
    while server.available_packet_count() > 0 {
        let (from, mode, channel) =
            (server.packet_peer(), server.packet_mode(), server.packet_channel());
        read.push((from, mode, channel, server.next_packet().unwrap().to_vec()));
    }
    assert_eq!(read, sent);
}

#[test]
fn reliable_packets_reach_all_but_one_over_a_network_that_loses() {
    let (network, server) = network();
    let mut server = PacketPeer::new(server);
    let [mut two, mut three] = [2, 3].map(|number| PacketPeer::new(client(&network, number, 253)));
    pass(&network, 3_000, &mut [&mut server, &mut two, &mut three]);
    assert_eq!(server.peers().len(), 2, "seed {SEED:#x}");

    server.set_target_peer(Target::AllExcept(two.unique_id()));
    for number in 0..100_u8 {
        server.put_packet(vec![number]).unwrap();
    }
    pass(&network, 5_000, &mut [&mut server, &mut two, &mut three]);
    assert_eq!(two.available_packet_count(), 0);
    let read = std::iter::from_fn(|| three.next_packet().ok()).map(|packet| packet[0]);
    assert!(read.eq(0..100), "seed {SEED:#x}");
}

#[test]
fn sending_on_a_channel_that_was_not_agreed_on_is_an_error() {
    let (network, server) = network();
    let mut server = PacketPeer::new(server);
    let mut client = PacketPeer::new(client(&network, 2, 1));
    pass(&network, 3_000, &mut [&mut server, &mut client]);
    client.set_transfer_channel(Channel(2));
    let error = client.put_packet("x").unwrap_err();
    let rejected = SendError::Channel { channel: 2, last: 1 };
    assert_eq!((error, error.godot_code()), (PacketPeerError::Rejected(rejected), 31));
}

#[test]
fn a_graceful_disconnect_is_signaled_when_it_is_acknowledged() {
    let (network, server) = network();
    let mut server = PacketPeer::new(server);
    let mut client = PacketPeer::new(client(&network, 2, 253));
    pass(&network, 3_000, &mut [&mut server, &mut client]);
    signals(&mut server);
    let id = client.unique_id();
    server.disconnect_peer(id, false).unwrap();
    server.flush(network.now());
    assert_eq!(signals(&mut server), []);
    pass(&network, 5_000, &mut [&mut server, &mut client]);
    assert_eq!(signals(&mut server), [PeerDisconnected(id)], "seed {SEED:#x}");
    assert_eq!(signals(&mut client).last(), Some(&PeerDisconnected(PeerId::SERVER)));
    assert_eq!(client.connection_status(), ConnectionStatus::Disconnected);
}

#[test]
fn a_client_of_godot_3_is_notified_without_a_reply() {
    let (network, _) = network();
    let mut client = NetworkedMultiplayerPeer::new(client(&network, 2, 253));
    let mut waits = 0;
    while client.connection_status() == ConnectionStatus::Connecting {
        client.poll_blocking(network.now(), |_, at_most| {
            network.advance(network.now() + at_most);
            network.now()
        });
        waits += 1;
    }
    assert_eq!(client.next_signal(), Some(godot3::PeerSignal::ConnectionFailed));
    // ENet times out after 31.5 s. Each poll waits a second.
    assert_eq!(waits, 32);
    assert!(network.now() > Instant::from_millis(31_000));
}

#[test]
fn the_documented_defaults_of_godot_3_reject_clients_over_enet() {
    let (network, server) = network();
    let mut server = NetworkedMultiplayerPeer::new(server);
    let mut refused = NetworkedMultiplayerPeer::new(client(&network, 2, 253));
    pass(&network, 3_000, &mut [&mut *server, &mut *refused]);
    assert_eq!(refused.next_signal(), Some(godot3::PeerSignal::ConnectionFailed));

    server.set_refuse_new_connections(false);
    let mut welcome = NetworkedMultiplayerPeer::new(client(&network, 3, 253));
    pass(&network, 3_000, &mut [&mut *server, &mut *welcome]);
    assert_eq!(welcome.connection_status(), ConnectionStatus::Connected, "seed {SEED:#x}");
}
