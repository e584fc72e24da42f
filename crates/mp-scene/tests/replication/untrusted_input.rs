//! Untrusted SPAWN, SYNC and DELTA: no panic, no unbounded memory, no effect on other peers.

use bytes::Bytes;
use mp_core::{
    ConnectionId, ConnectionOrigin, ConnectionStatus, EndpointId, EndpointInfo, Instant, Packet,
    PeerEvent, StateMachine, ToBranch,
};
use mp_scene::Refusal;
use mp_scene::limits::SPAWNED_NODES_MAX;
use mp_scene::prelude::*;
use proptest::prelude::*;

use crate::game::*;

const ENDPOINT: EndpointId = EndpointId(0);
const LINK: ConnectionId = ConnectionId { slot: 1, generation: 0 };
const NOW: Instant = Instant::from_millis(1_000);

/// Returns a client of a server that is the test, and has authority over all nodes.
fn client() -> Branch {
    let mut client = game().build().unwrap();
    let (unique_id, status) = (PeerId::new(2).unwrap(), ConnectionStatus::Connecting);
    let info = EndpointInfo {
        unique_id,
        status,
        relay_supported: true,
        max_packet_size: 1 << 24,
        outlives_program: false,
    };
    client.handle_input(NOW, ToBranch::Opened(ENDPOINT, info));
    let (claimed_id, origin) = (Some(PeerId::SERVER), ConnectionOrigin::Process);
    receive_event(&mut client, PeerEvent::Connected { connection: LINK, claimed_id, origin });
    // SIMPLIFY_PATH of the spawner as 1, and of the static synchronizer as 2.
    for (id, path) in [(1_u8, "Spawner"), (2, "Stats/Sync")] {
        let mut packet = vec![1];
        packet.extend_from_slice(b"d41d8cd98f00b204e9800998ecf8427e\0");
        packet.extend_from_slice(&[id, 0, 0, 0]);
        packet.extend_from_slice(path.as_bytes());
        packet.push(0);
        receive(&mut client, packet);
    }
    client
}

fn receive_event(branch: &mut Branch, event: PeerEvent) {
    branch.handle_input(NOW, ToBranch::Events(ENDPOINT, vec![event]));
}

fn receive(branch: &mut Branch, payload: impl Into<Bytes>) {
    let (mode, channel) = (TransferMode::Reliable, Channel(0));
    receive_event(
        branch,
        PeerEvent::Packet(Packet { from: LINK, mode, channel, payload: payload.into() }),
    );
}

fn spawn(name: &str, net_id: u32, scene: u8, ids: &[u32], state: &[u8]) -> Vec<u8> {
    let mut packet = vec![4, scene, 1, 0, 0, 0];
    packet.extend_from_slice(&net_id.to_le_bytes());
    packet.extend_from_slice(&(ids.len() as u32).to_le_bytes());
    packet.extend_from_slice(&(name.len() as u32 + 1).to_le_bytes());
    ids.iter().for_each(|id| packet.extend_from_slice(&id.to_le_bytes()));
    packet.extend_from_slice(name.as_bytes());
    packet.push(0);
    packet.extend_from_slice(state);
    packet
}

#[test]
fn handcrafted_spawn_is_accepted() {
    let mut client = client();
    receive(&mut client, spawn("U", 5, 0, &[6], &[0x02, 9]));
    let node: NodeRef<Unit> = NodeRef::new(client.scene().find("Units/U").unwrap());
    // The state is cut off, so none of it is set. The node stays, as in Godot.
    assert_eq!(client.scene().get(node).unwrap().hp, 0);
    receive(&mut client, vec![5, 5, 0, 0, 0]);
    assert!(client.scene().find("Units/U").is_err());
}

#[test]
fn spawn_with_a_generated_name_is_refused() {
    let mut client = client();
    receive(&mut client, spawn("@Node@2", 5, 1, &[], &[]));
    assert!(client.scene().find("Units/@Node@2").is_err());
    let stats = client.scene().stats();
    assert_eq!((stats.refused_announcements, stats.refused_calls), (1, 0));
    assert_eq!(client.scene().multiplayer().refusals().get(Refusal::NameNotPlain), 1);
}

#[test]
fn spawned_nodes_of_a_peer_are_bounded() {
    let mut client = client();
    let crates = SPAWNED_NODES_MAX as u32 + 20;
    for number in 0..crates {
        receive(&mut client, spawn(&format!("C{number}"), number, 1, &[], &[]));
    }
    let units = client.scene().find("Units").unwrap();
    assert_eq!(client.scene().tree().children(units).count(), SPAWNED_NODES_MAX);
    assert_eq!(client.scene().stats().refused_announcements, 20);
}

#[test]
fn nodes_of_a_disconnected_server_are_removed() {
    let mut client = client();
    for number in 0..10 {
        receive(&mut client, spawn(&format!("C{number}"), number, 1, &[], &[]));
    }
    let reason = mp_core::DisconnectReason::Timeout;
    client.handle_input(NOW, ToBranch::Closed(ENDPOINT, reason));
    let units = client.scene().find("Units").unwrap();
    assert_eq!(client.scene().tree().children(units).count(), 0);
}

/// Packets that are almost valid.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
    let id = || prop_oneof![0..8_u32, Just(0x8000_0002), any::<u32>()];
    prop_oneof![
        ("[a-c./]{0,3}", 0..6_u32, 0..4_u8, proptest::collection::vec(0..8_u32, 0..3), bytes())
            .prop_map(|(name, net_id, scene, ids, state)| {
                spawn(&name, net_id, if scene == 3 { 255 } else { scene }, &ids, &state)
            }),
        id().prop_map(|id| [&[5][..], &id.to_le_bytes()].concat()),
        (any::<u16>(), id(), 0..40_u32, bytes()).prop_map(|(time, id, size, values)| {
            let head = [&[6][..], &time.to_le_bytes(), &id.to_le_bytes(), &size.to_le_bytes()];
            [&head.concat()[..], &values].concat()
        }),
        (id(), any::<u64>(), 0..40_u32, bytes()).prop_map(|(id, mask, size, values)| {
            let head = [&[0x16][..], &id.to_le_bytes(), &mask.to_le_bytes(), &size.to_le_bytes()];
            [&head.concat()[..], &values].concat()
        }),
        (any::<u8>(), bytes()).prop_map(|(first, rest)| [&[first][..], &rest].concat()),
    ]
}

proptest! {
    #[test]
    fn untrusted_server_packets_do_not_break_the_client(
        packets in proptest::collection::vec(packet(), 0..60),
        cut in 0..64_usize,
    ) {
        let mut client = client();
        for (number, mut packet) in packets.into_iter().enumerate() {
            if number % 3 == 0 {
                packet.truncate(cut);
            }
            // A client that does not authenticate disconnects from a server that does.
            if matches!(packet[..], [first, 0, ..] if first & 7 == 7) {
                continue;
            }
            receive(&mut client, packet);
        }
        client.end_turn(NOW);
        // The client still accepts valid packets.
        receive(&mut client, spawn("Right", 77_777, 1, &[], &[]));
        prop_assert!(client.scene().find("Units/Right").is_ok());
    }
}
