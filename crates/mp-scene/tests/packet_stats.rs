//! Packets are counted by kind, once per receiver.
#![allow(missing_docs, reason = "a test")]

use mp_scene::prelude::*;
use mp_scene::testing::Lan;
use mp_scene::{PacketCounts, PacketKind, PacketStats, Refusal};

#[derive(Default)]
struct Log;

impl Node for Log {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method("note", RpcConfig::any_peer(), |_: &mut Self, _, ()| {}).method(
            "order",
            RpcConfig::authority(),
            |_: &mut Self, _, ()| {},
        )
    }
}

fn game() -> BranchBuilder {
    Branch::builder("/root/Game").setup(|scene| {
        scene.add("Things", Group)?;
        scene.add("Spawner", MultiplayerSpawner::new("../Things").with_scene(&thing()))?;
        Ok(scene.add("Log", Log).map(drop)?)
    })
}

fn thing() -> PackedScene {
    PackedScene::new("res://thing.tscn", || Instance::new("Thing", Group))
}

/// A server with two clients.
fn lan() -> (Lan, PeerId, PeerId) {
    let mut lan = Lan::new(game()).unwrap();
    let (alice, bob) = (lan.join(game()).unwrap(), lan.join(game()).unwrap());
    lan.settle();
    (lan, alice, bob)
}

fn stats(lan: &mut Lan, of: PeerId) -> PacketStats {
    lan.scene(of).multiplayer().packet_stats()
}

/// Returns the numbers of packets by kind, without kinds of which there are none.
fn counts(counts: &PacketCounts) -> Vec<(PacketKind, u64)> {
    let all = PacketKind::ALL.into_iter().map(|kind| (kind, counts.packets(kind)));
    all.filter(|&(_, packets)| packets > 0).collect()
}

#[test]
fn packets_of_the_program_count_once_per_receiver() {
    let (mut lan, alice, _) = lan();
    let before = stats(&mut lan, PeerId::SERVER);
    assert_eq!(counts(&before.sent), [(PacketKind::Sys, 2)], "each client and the other one");

    let reliable = TransferMode::Reliable;
    lan.scene(PeerId::SERVER).send_bytes(b"12345", Target::All, reliable, Channel(0)).unwrap();
    lan.scene(alice).send_bytes(b"123", PeerId::SERVER, reliable, Channel(0)).unwrap();
    lan.settle();
    let since = stats(&mut lan, PeerId::SERVER).since(&before);
    assert_eq!(counts(&since.sent), [(PacketKind::Raw, 2)]);
    assert_eq!(since.sent.bytes(PacketKind::Raw), 2 * 6);
    assert_eq!(counts(&since.received), [(PacketKind::Raw, 1)]);
    assert_eq!(since.received.bytes(PacketKind::Raw), 4);
}

#[test]
fn packets_between_clients_count_as_relay_on_the_server() {
    let (mut lan, alice, bob) = lan();
    let before = stats(&mut lan, PeerId::SERVER);
    lan.scene(alice).send_bytes(b"1", bob, TransferMode::Unreliable, Channel(0)).unwrap();
    lan.settle();
    let since = stats(&mut lan, PeerId::SERVER).since(&before);
    assert_eq!(counts(&since.received), [(PacketKind::Relay, 1)]);
    assert_eq!(counts(&since.sent), [(PacketKind::Relay, 1)]);
    assert_eq!(since.sent.bytes(PacketKind::Relay), 6 + 2);
}

#[test]
fn calls_paths_and_spawned_nodes_have_their_own_kinds() {
    let (mut lan, alice, _) = lan();
    let before = stats(&mut lan, PeerId::SERVER);
    let log = lan.scene(alice).node::<Log>("Log").unwrap();
    for _ in 0..3 {
        lan.scene(alice).rpc_id(PeerId::SERVER, log, "note", ()).unwrap();
    }
    let spawned = lan.scene(PeerId::SERVER).add_instance("Things", thing().instantiate());
    let spawned = spawned.unwrap();
    lan.settle();
    lan.scene(PeerId::SERVER).remove(spawned).unwrap();
    lan.settle();
    let since = stats(&mut lan, PeerId::SERVER).since(&before);
    assert_eq!(since.received.packets(PacketKind::Rpc), 3);
    assert_eq!(since.sent.packets(PacketKind::Spawn), 2);
    assert_eq!(since.sent.packets(PacketKind::Despawn), 2);
    // The path of the called node, and its confirmation; the spawner's path for both clients.
    assert_eq!(since.received.packets(PacketKind::Path), 1 + 2);
    assert_eq!(since.sent.packets(PacketKind::Path), 1 + 2);
}

#[test]
fn refused_calls_are_counted_by_reason() {
    let (mut lan, alice, bob) = lan();
    let log = lan.scene(alice).node::<Log>("Log").unwrap();
    // The node's authority is the server.
    lan.scene(alice).rpc_id(bob, log, "order", ()).unwrap();
    lan.settle();
    let multiplayer = lan.scene(bob).multiplayer();
    assert_eq!(multiplayer.call_refusals().get(Refusal::NotAllowed), 1);
    assert_eq!(multiplayer.call_refusals().total(), multiplayer.stats().refused_calls);
}
