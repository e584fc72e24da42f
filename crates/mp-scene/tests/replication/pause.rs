//! Clients that are loading.

use mp_core::{
    ConnectionId, ConnectionOrigin, ConnectionStatus, EndpointId, EndpointInfo, Instant, PeerEvent,
    StateMachine, Target, ToBranch, ToEndpoint,
};
use mp_scene::limits::PAUSED_PACKETS_MAX;
use mp_scene::prelude::*;

use crate::game::*;

#[test]
fn paused_client_receives_reliable_packets_later_and_the_newest_properties() {
    let (mut lan, ids) = lan(2);
    let node = add_unit(&mut lan, "U1", 1);
    lan.settle();
    let stats_before = lan.scene(SERVER).stats();
    lan.scene(SERVER).multiplayer_mut().pause_peer(ids[0]);
    assert!(lan.scene(SERVER).multiplayer().is_paused(ids[0]));

    add_unit(&mut lan, "U2", 2);
    lan.scene(SERVER).rpc(node, "poke", ()).unwrap();
    for hp in 10..20 {
        unit_at(&mut lan, SERVER, "U1").unwrap().hp = hp;
        lan.step();
    }
    lan.settle();
    assert_eq!(hp_at(&mut lan, ids[0], "U1"), Some(1), "a paused peer must not be sent properties");
    assert_eq!((hp_at(&mut lan, ids[0], "U2"), hp_at(&mut lan, ids[1], "U2")), (None, Some(2)));
    assert!(lan.scene(SERVER).stats().skipped_steps > stats_before.skipped_steps);

    lan.scene(SERVER).multiplayer_mut().resume_peer(ids[0]);
    lan.settle();
    assert_eq!((hp_at(&mut lan, ids[0], "U1"), hp_at(&mut lan, ids[0], "U2")), (Some(19), Some(2)));
    assert_eq!(unit_at(&mut lan, ids[0], "U1").unwrap().poked, [1]);
    assert_eq!(lan.scene(ids[0]).stats().refused_calls, 0);
}

#[test]
fn unreliable_packets_for_a_paused_peer_are_dropped_and_counted() {
    let (mut lan, ids) = lan(1);
    lan.scene(SERVER).multiplayer_mut().pause_peer(ids[0]);
    let scene = lan.scene(SERVER);
    scene.send_bytes(b"now or never", Target::All, TransferMode::Unreliable, Channel(0)).unwrap();
    assert_eq!(lan.scene(SERVER).stats().paused_drops, 1);
    lan.scene(SERVER).multiplayer_mut().resume_peer(ids[0]);
    lan.settle();
    assert!(!signals(&mut lan, ids[0]).iter().any(|s| matches!(s, Signal::PeerPacket { .. })));
}

#[test]
fn paused_client_with_a_full_queue_is_disconnected() {
    let (mut lan, ids) = lan(1);
    lan.scene(SERVER).multiplayer_mut().pause_peer(ids[0]);
    for _ in 0..=PAUSED_PACKETS_MAX {
        let scene = lan.scene(SERVER);
        scene.send_bytes(b"x", Target::All, TransferMode::Reliable, Channel(0)).unwrap();
    }
    lan.settle();
    assert!(lan.scene(SERVER).peers().is_empty());
    assert!(signals(&mut lan, ids[0]).contains(&Signal::ServerDisconnected));
}

#[test]
fn peers_of_a_blocked_endpoint_are_sent_only_the_newest_properties_afterwards() {
    const ENDPOINT: EndpointId = EndpointId(0);
    let mut now = Instant::from_millis(1_000);
    let mut server = game().build().unwrap();
    let status = ConnectionStatus::Connected;
    let (relay_supported, max_packet_size) = (true, 1 << 24);
    let info = EndpointInfo {
        unique_id: SERVER,
        status,
        relay_supported,
        max_packet_size,
        outlives_program: false,
    };
    server.handle_input(now, ToBranch::Opened(ENDPOINT, info));
    let connection = ConnectionId { slot: 0, generation: 0 };
    let (claimed_id, origin) = (PeerId::new(2), ConnectionOrigin::Process);
    let connected = PeerEvent::Connected { connection, claimed_id, origin };
    server.handle_input(now, ToBranch::Events(ENDPOINT, vec![connected]));
    let scene = server.scene();
    let node = scene.add_instance("Units", unit().instantiate()).unwrap();
    let node: NodeRef<Unit> = NodeRef::new(node);

    for x in 0..20_u8 {
        now += std::time::Duration::from_millis(20);
        server.scene().get_mut(node).unwrap().position.x = f32::from(x);
        server.end_turn(now);
        server.deliver(&mut |_, message| Err(message));
    }
    let mut syncs = Vec::new();
    let mut take = |server: &mut Branch| {
        server.deliver(&mut |_, message| {
            if let ToEndpoint::Send(batch) = message {
                let packets = batch.into_iter().map(|packet| packet.joined());
                syncs.extend(packets.filter(|packet| packet[0] == 6));
            }
            Ok(())
        });
    };
    take(&mut server);
    server.end_turn(now + std::time::Duration::from_millis(20));
    take(&mut server);
    let x_of = |packet: &[u8]| f32::from_le_bytes(packet[15..19].try_into().unwrap());
    let sent: Vec<_> = syncs.iter().map(|packet| x_of(packet)).collect();
    assert_eq!(sent, [0.0, 19.0], "the first and the newest position must be sent");
    assert_eq!(server.scene().stats().skipped_steps, 19);
}
