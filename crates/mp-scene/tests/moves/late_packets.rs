//! Packets that a moved client has sent for the old branch.

use std::time::Duration;

use bytes::Bytes;
use mp_scene::prelude::Group;
use mp_scene::{CallNode, Refusal, RemoteCall, SceneMessage, Spawn, SpawnSource};

use crate::world::*;

fn simplify(id: u32, path: &str, world: &mut World) -> SceneMessage {
    let scene = world.scene(LOBBY);
    let node = scene.find(path).unwrap();
    let checksum = *mp_scene::tree::NodeTree::rpc_ids(scene.tree(), node).unwrap().checksum();
    SceneMessage::SimplifyPath { id, checksum, path: path.to_owned() }
}

fn call(id: u32, number: i64) -> SceneMessage {
    let node = CallNode::Id { id, wide: false };
    SceneMessage::RemoteCall(RemoteCall {
        node,
        method: 0,
        args: vec![number.into()],
        complete: true,
    })
}

fn spawn(net_id: u32, spawner: u32) -> SceneMessage {
    let (source, name) = (SpawnSource::Scene(0), format!("Unit{net_id}"));
    let (synchronizers, state) = (vec![net_id + 1], Bytes::new());
    SceneMessage::Spawn(Spawn { source, spawner, net_id, synchronizers, name, state })
}

#[test]
fn call_in_flight_reaches_no_node_of_the_new_branch() {
    let mut world = World::new();
    let mover = world.join();
    let node = world.client(mover).find("Shared").unwrap();
    world.client(mover).rpc_id(SERVER, node, "poke", (1,)).unwrap();
    world.settle();
    for number in 2..5 {
        world.client(mover).rpc_id(SERVER, node, "poke", (number,)).unwrap();
    }
    world
        .client(mover)
        .send_bytes(b"raw", SERVER, mp_core::TransferMode::Reliable, mp_core::Channel(0))
        .unwrap();
    world.move_peer(mover, LOBBY, ARENA);
    world.server_turn(); // the connection is held
    world.settle();
    world.client(mover).rpc_id(SERVER, node, "poke", (5,)).unwrap();
    world.settle();
    assert_eq!(unit_in(world.scene(LOBBY), "Shared").called, [1]);
    assert_eq!(unit_in(world.scene(ARENA), "Shared").called, [5]);
    let (lobby, arena) = (world.scene(LOBBY).stats(), world.scene(ARENA).stats());
    assert_eq!(arena.moved_packets, 4, "{arena:?}");
    assert_eq!(lobby.stray_packets + arena.stray_packets, 0);
    assert_eq!(lobby.malformed_packets + arena.malformed_packets, 0);
}

#[test]
fn packets_for_nodes_of_the_old_branch_are_counted_apart() {
    let mut world = World::new();
    for scene in [LOBBY, ARENA] {
        let scene = world.scene(scene);
        let spawner = scene.find("OwnSpawner").unwrap();
        scene.tree_mut().set_multiplayer_authority(spawner, peer(7), false).unwrap();
    }
    world.add_unit(LOBBY, "Unit", 1);
    world.add_unit(ARENA, "Unit", 1);
    let mut client = world.connect_raw(7);
    let of_spawner = simplify(1, "OwnSpawner", &mut world);
    client.send(&of_spawner);
    let of_unit = simplify(2, "Units/Unit", &mut world);
    client.send(&of_unit);
    client.send(&spawn(1, 1));
    world.settle_with(&mut client);
    assert!(world.scene(LOBBY).find("Own/Unit1").is_ok());

    world.move_peer(peer(7), LOBBY, ARENA);
    world.server_turn(); // the connection is held
    // In flight: ids that the client goes on to use.
    client.send(&spawn(3, 1));
    world.settle_with(&mut client);
    client.confirm();
    world.settle_with(&mut client);
    let before = world.scene(ARENA).stats().moved_packets;
    for net_id in [1, 3] {
        let mut element = (net_id + 1u32).to_le_bytes().to_vec();
        element.extend([2, 0, 0, 0, 2, 5]); // two bytes: the int 5
        client.send(&SceneMessage::Sync { time: 9, elements: element.clone().into() });
        let mut delta = (net_id + 1u32).to_le_bytes().to_vec();
        delta.extend(1u64.to_le_bytes());
        delta.extend([2, 0, 0, 0, 2, 5]);
        client.send(&SceneMessage::Delta(delta.into()));
        client.send(&SceneMessage::Despawn(net_id));
    }
    client.send(&call(2, 1));
    world.settle_with(&mut client);
    let stats = world.scene(ARENA).stats();
    assert_eq!(stats.moved_packets - before, 7, "{stats:?}");
    assert_eq!((stats.malformed_packets, stats.refused_elements), (0, 0));
    assert_eq!((stats.refused_calls, stats.refused_announcements), (0, 0));
    assert_eq!(unit_in(world.scene(ARENA), "Units/Unit").called, [] as [i64; 0]);

    // New ids, and path ids of nodes that both branches have, are accepted.
    client.send(&spawn(5, 1));
    world.settle_with(&mut client);
    assert!(world.scene(ARENA).find("Own/Unit5").is_ok());
    // Nothing of the old branch was deferred: the session does not time out.
    world.run(Duration::from_secs(40));
    client.poll(mp_core::Instant::ZERO);
    assert!(client.is_connected());
    assert_eq!(world.scene(ARENA).multiplayer().refusals().get(Refusal::NoSynchronizer), 0);
}

#[test]
fn path_id_in_flight_stays_valid_for_a_node_of_both_branches() {
    let mut world = World::new();
    world.add_unit(ARENA, "Unit", 1);
    world.add_unit(LOBBY, "Unit", 1);
    let mut client = world.connect_raw(7);
    let (shared, unit) = (simplify(1, "Shared", &mut world), simplify(2, "Units/Unit", &mut world));
    world.move_peer(peer(7), LOBBY, ARENA);
    world.server_turn(); // the connection is held
    client.send(&shared);
    client.send(&unit);
    world.settle_with(&mut client);
    client.confirm();
    world.settle_with(&mut client);
    let confirmed = client.log.iter().filter(|it| matches!(it, SceneMessage::ConfirmPath { .. }));
    assert_eq!(confirmed.count(), 1, "the unit of the old branch is not in the new one");
    client.send(&call(1, 5));
    client.send(&call(2, 6));
    world.settle_with(&mut client);
    assert_eq!(unit_in(world.scene(ARENA), "Shared").called, [5]);
    assert_eq!(unit_in(world.scene(ARENA), "Units/Unit").called, [] as [i64; 0]);
}

#[test]
fn call_by_a_carried_path_id_is_refused_if_the_rpc_tables_differ() {
    let mut world = World::new();
    let mut client = world.connect_raw(7);
    let SceneMessage::SimplifyPath { id, path, .. } = simplify(1, "Shared", &mut world) else {
        unreachable!()
    };
    client.send(&SceneMessage::SimplifyPath {
        id,
        path,
        checksum: *b"00000000000000000000000000000000",
    });
    world.settle_with(&mut client);
    world.move_peer(peer(7), LOBBY, ARENA);
    world.settle_with(&mut client);
    client.confirm();
    client.send(&call(1, 5));
    world.settle_with(&mut client);
    assert_eq!(unit_in(world.scene(ARENA), "Shared").called, [] as [i64; 0]);
    assert_eq!(world.scene(ARENA).multiplayer().refusals().get(Refusal::MismatchedRpcTable), 1);
}

#[test]
fn malformed_packets_count_against_the_budget_of_all_branches() {
    let mut world = World::new();
    let mut client = world.connect_raw(7);
    let malformed = SceneMessage::AddPeer(peer(9)); // only a server sends it
    let max = mp_scene::limits::MALFORMED_PACKETS_MAX;
    for _ in 0..max - 1 {
        client.send(&malformed);
    }
    world.settle_with(&mut client);
    world.move_peer(peer(7), LOBBY, ARENA);
    world.settle_with(&mut client);
    client.confirm();
    world.settle_with(&mut client);
    assert!(client.is_connected());
    client.send(&malformed);
    world.settle_with(&mut client);
    assert!(!client.is_connected());
}

#[test]
fn packet_for_a_peer_that_left_and_returned_is_not_relayed_to_its_new_session() {
    let mut world = World::new();
    let (mut mover, mut stayer) = (world.connect_raw(7), world.connect_raw(8));
    let mut newcomer = world.connect_raw(9);
    for (from, to) in [(LOBBY, ARENA), (ARENA, LOBBY)] {
        world.move_peer(peer(7), from, to);
        world.settle_with(&mut mover);
        mover.confirm();
    }
    world.settle_with(&mut mover);
    mover.log.clear();
    // The stayer has not received yet that the mover left.
    let relay = |text: &'static [u8]| {
        let inner = [&[3], text].concat().into(); // RAW
        SceneMessage::Relay { peer: 7, inner }
    };
    stayer.send(&relay(b"of the old session"));
    world.settle_with(&mut stayer);
    stayer.confirm();
    stayer.send(&relay(b"of the new session"));
    world.settle_with(&mut mover);
    let relayed = |log: &[SceneMessage]| {
        log.iter().filter(|it| matches!(it, SceneMessage::Relay { .. })).count()
    };
    assert_eq!(relayed(&mover.log), 1, "{:?}", mover.log);
    assert_eq!(world.scene(LOBBY).stats().moved_packets, 1);

    // A peer that returns to others who never met it, or that arrives for the first time, costs
    // them no fence.
    world.settle_with(&mut newcomer);
    let fences = |client: &RawClient| client.announced().iter().filter(|(_, at)| at == ".").count();
    assert_eq!(fences(&stayer), 1);
    stayer.log.clear();
    world.move_peer(peer(9), LOBBY, ARENA);
    world.settle_with(&mut newcomer);
    assert_eq!(fences(&stayer), 0);
}

#[test]
fn path_id_of_a_node_that_the_new_branch_announces_is_counted_apart() {
    let mut world = World::new();
    world.scene(LOBBY).add("Units/Unit", Group).unwrap();
    world.add_unit(ARENA, "Unit", 1);
    let mut client = world.connect_raw(7);
    let unit = simplify(1, "Units/Unit", &mut world);
    client.send(&unit);
    world.settle_with(&mut client);
    world.move_peer(peer(7), LOBBY, ARENA);
    world.settle_with(&mut client);
    client.confirm();
    client.send(&call(1, 5));
    world.settle_with(&mut client);
    let stats = world.scene(ARENA).stats();
    assert_eq!((stats.moved_packets, stats.refused_calls), (1, 0));
}
