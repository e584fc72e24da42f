//! Accounting of traffic by method, node and property, and copies of the nodes.
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod vectors;

use bytes::Bytes;
use mp_core::variant::Vector3;
use mp_scene::limits::TRAFFIC_ROWS_MAX;
use mp_scene::prelude::*;
use mp_scene::testing::Lan;
use mp_scene::{
    Inspection, PacketKind, PacketStats, TrafficCount, TrafficReport, TrafficRow, TrafficViewer,
};
use vectors::world::{World, peer_id, unhex};

#[derive(Default)]
struct Log;

impl Node for Log {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new()
            .method("note", RpcConfig::any_peer(), |_: &mut Self, _, (_,): (String,)| {})
            .method("order", RpcConfig::authority(), |_: &mut Self, _, ()| {})
    }
}

#[derive(Default)]
struct Mover {
    position: Replicated<Vector3>,
    health: Replicated<i64>,
}

impl Node for Mover {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("position", |mover: &mut Self| &mut mover.position)
            .property("health", |mover: &mut Self| &mut mover.health)
    }
}

fn mover() -> PackedScene {
    PackedScene::new("res://mover.tscn", || {
        let config = ReplicationConfig::new().always(".:position").on_change(".:health");
        let sync = MultiplayerSynchronizer::new(config);
        Instance::new("Mover", Mover::default()).child(Instance::new("Sync", sync))
    })
}

fn game() -> BranchBuilder {
    Branch::builder("/root/Game").tick_rate(1_000).setup(|scene| {
        scene.add("Log", Log)?;
        scene.add("Movers", Group)?;
        scene.add("Spawner", MultiplayerSpawner::new("../Movers").with_scene(&mover()))?;
        scene.add_instance(".", mover().instantiate().named("Own"))?;
        Ok(())
    })
}

/// A server with two clients, whose traffic is counted once all paths are known.
fn counted() -> (Lan, PeerId, PeerId, TrafficViewer) {
    let mut lan = Lan::new(game()).unwrap();
    let (alice, bob) = (lan.join(game()).unwrap(), lan.join(game()).unwrap());
    lan.settle();
    let viewer = lan.scene(SERVER).multiplayer_mut().view_traffic();
    (lan, alice, bob, viewer)
}

const SERVER: PeerId = PeerId::SERVER;

fn report(lan: &mut Lan) -> TrafficReport {
    lan.scene(SERVER).multiplayer().traffic().expect("a viewer has started the accounting")
}

/// Returns the row of a member, which must exist.
fn row<'a>(
    report: &'a TrafficReport,
    kind: PacketKind,
    node: &str,
    member: &str,
) -> &'a TrafficRow {
    let found =
        report.rows.iter().find(|it| (it.kind, &*it.node, &*it.member) == (kind, node, member));
    found.unwrap_or_else(|| panic!("no row {kind:?} {node} {member} in {report:#?}"))
}

/// Returns the bytes of all rows of a kind: received and sent.
fn bytes(report: &TrafficReport, kind: PacketKind) -> (u64, u64) {
    let rows = report.rows.iter().filter(|row| row.kind == kind && !row.is_relayed);
    rows.fold((0, 0), |sum, row| (sum.0 + row.received.bytes, sum.1 + row.sent.bytes))
}

fn pair(count: TrafficCount) -> (u64, u64) {
    (count.packets, count.bytes)
}

fn own(lan: &mut Lan) -> NodeRef<Mover> {
    lan.scene(SERVER).node("Own").unwrap()
}

#[test]
fn calls_count_by_method_with_the_bytes_of_their_packets() {
    let (mut lan, alice, _, _viewer) = counted();
    let log = lan.scene(alice).node::<Log>("Log").unwrap();
    for text in ["a", "longer", ""] {
        lan.scene(alice).rpc_id(SERVER, log, "note", (text,)).unwrap();
    }
    let log = lan.scene(SERVER).node::<Log>("Log").unwrap();
    lan.scene(SERVER).rpc(log, "order", ()).unwrap();
    lan.scene(SERVER).rpc_id(alice, log, "note", ("x",)).unwrap();
    lan.settle();

    let report = report(&mut lan);
    let rpc = PacketKind::Rpc;
    let (note, order) = (row(&report, rpc, "Log", "note"), row(&report, rpc, "Log", "order"));
    assert_eq!((note.received.packets, note.sent.packets), (3, 1));
    assert_eq!((order.received.packets, order.sent.packets), (0, 2));
    let all = (report.packets.received.bytes(rpc), report.packets.sent.bytes(rpc));
    assert_eq!(bytes(&report, rpc), all);
    assert!(all.0 > 0 && all.1 > 0);
}

#[test]
fn sync_counts_each_property_once_per_receiver_and_step() {
    let (mut lan, .., _viewer) = counted();
    for _ in 0..10 {
        lan.step();
    }
    let report = report(&mut lan);
    let position = row(&report, PacketKind::Sync, "Own/Sync", ".:position").sent;
    let heads = row(&report, PacketKind::Sync, "Own/Sync", "").sent;
    let packets = report.packets.sent.packets(PacketKind::Sync);
    assert_eq!((position.packets, heads.packets), (packets, packets));
    assert_eq!((position.bytes, heads.bytes), (packets * 16, packets * 8));
    // The head of a SYNC packet belongs to no node.
    assert_eq!(report.packets.sent.bytes(PacketKind::Sync), packets * (3 + 8 + 16));
    assert!(packets >= 20, "{packets}");
}

#[test]
fn delta_counts_the_changed_property_once_per_receiver() {
    let (mut lan, .., _viewer) = counted();
    let own = own(&mut lan);
    for health in [1, 2, 300] {
        *lan.scene(SERVER).get_mut(own).unwrap().health = health;
        lan.settle();
    }
    let report = report(&mut lan);
    let health = row(&report, PacketKind::Delta, "Own/Sync", ".:health").sent;
    let heads = row(&report, PacketKind::Delta, "Own/Sync", "").sent;
    assert_eq!((health.packets, pair(heads)), (6, (6, 6 * 16)));
    let all = report.packets.sent.bytes(PacketKind::Delta);
    assert_eq!(health.bytes + heads.bytes + 6, all);
}

#[test]
fn spawn_counts_the_properties_of_its_state_and_the_rest_by_node() {
    let (mut lan, .., _viewer) = counted();
    let spawned = mover().instantiate().named("New");
    lan.scene(SERVER).add_instance("Movers", spawned).unwrap();
    lan.settle();
    let report = report(&mut lan);
    let rest = row(&report, PacketKind::Spawn, "Movers/New", "").sent;
    let position = row(&report, PacketKind::Spawn, "Movers/New/Sync", ".:position").sent;
    let health = row(&report, PacketKind::Spawn, "Movers/New/Sync", ".:health").sent;
    assert_eq!((rest.packets, pair(position), health.packets), (2, (2, 32), 2));
    assert_eq!(bytes(&report, PacketKind::Spawn).1, report.packets.sent.bytes(PacketKind::Spawn));
}

#[test]
fn received_properties_and_nodes_count_as_the_sender_counts_them() {
    let (mut lan, alice, _, _viewer) = counted();
    let _at_alice = lan.scene(alice).multiplayer_mut().view_traffic();
    for peer in [SERVER, alice] {
        let own = lan.scene(peer).node::<Mover>("Own").unwrap();
        let spawner = lan.scene(peer).node::<MultiplayerSpawner>("Spawner").unwrap();
        let tree = lan.scene(peer).tree_mut();
        tree.set_multiplayer_authority(own, alice, true).unwrap();
        tree.set_multiplayer_authority(spawner, alice, true).unwrap();
    }
    lan.settle();
    let spawned = mover().instantiate().named("New");
    let spawned = lan.scene(alice).add_instance("Movers", spawned).unwrap();
    lan.scene(alice).tree_mut().set_multiplayer_authority(spawned, alice, true).unwrap();
    let own = lan.scene(alice).node::<Mover>("Own").unwrap();
    *lan.scene(alice).get_mut(own).unwrap().health = 7;
    lan.settle();
    let (at_server, at_alice) =
        (report(&mut lan), lan.scene(alice).multiplayer().traffic().unwrap());
    let health = row(&at_server, PacketKind::Delta, "Own/Sync", ".:health").received;
    assert!(health.packets > 0);
    let spawned = row(&at_server, PacketKind::Spawn, "Movers/New", "").received;
    // Alice sends to the server and, through it, to Bob.
    let sent = row(&at_alice, PacketKind::Spawn, "Movers/New", "").sent;
    assert_eq!((2 * spawned.packets, 2 * spawned.bytes), pair(sent));
    let (received, _) = bytes(&at_server, PacketKind::Sync);
    let heads = 3 * at_server.packets.received.packets(PacketKind::Sync);
    // The packet of the last step is not received yet, or was received before the accounting.
    let all = at_server.packets.received.bytes(PacketKind::Sync);
    assert!(received > 0 && received + heads <= all, "{received} + {heads} of {all}");
}

#[test]
fn nothing_is_counted_without_a_viewer() {
    let (mut lan, .., first) = counted();
    let second = lan.scene(SERVER).multiplayer_mut().view_traffic();
    drop(first);
    lan.settle();
    assert!(!report(&mut lan).rows.is_empty(), "one of two viewers stays");
    drop(second);
    assert_eq!(lan.scene(SERVER).multiplayer().traffic(), None);
    lan.settle();
    let _next = lan.scene(SERVER).multiplayer_mut().view_traffic();
    assert_eq!(report(&mut lan).rows, [], "a new viewer begins at zero");
    assert_eq!(report(&mut lan).packets, PacketStats::default());
}

#[test]
fn viewer_that_follows_another_one_at_once_begins_at_zero() {
    let (mut lan, .., first) = counted();
    lan.settle();
    drop(first);
    let _second = lan.scene(SERVER).multiplayer_mut().view_traffic();
    assert_eq!(report(&mut lan).rows, []);
    lan.settle();
    let sent = report(&mut lan).packets.sent.packets(PacketKind::Sync);
    assert_eq!(row(&report(&mut lan), PacketKind::Sync, "Own/Sync", "").sent.packets, sent);
}

#[test]
fn methods_beyond_the_maximum_are_counted_together() {
    let nodes = TRAFFIC_ROWS_MAX + 76;
    let crowd = move || {
        Branch::builder("/root/Game").setup(move |scene| {
            (0..nodes)
                .try_for_each(|number| Ok(scene.add(&format!("Log{number}"), Log).map(drop)?))
        })
    };
    let mut lan = Lan::new(crowd()).unwrap();
    lan.join(crowd()).unwrap();
    lan.settle();
    let _viewer = lan.scene(SERVER).multiplayer_mut().view_traffic();
    for number in 0..nodes {
        let log = lan.scene(SERVER).node::<Log>(&format!("Log{number}")).unwrap();
        lan.scene(SERVER).rpc(log, "order", ()).unwrap();
    }
    lan.settle();
    let report = report(&mut lan);
    assert_eq!((report.rows.len(), report.other_sent.packets), (TRAFFIC_ROWS_MAX, 76));
    let rows = bytes(&report, PacketKind::Rpc).1;
    assert_eq!(rows + report.other_sent.bytes, report.packets.sent.bytes(PacketKind::Rpc));
}

#[test]
fn packets_between_clients_count_by_announced_path_and_number_of_the_method() {
    let mut lan = Lan::new(Branch::builder("/root/Game")).unwrap();
    let (alice, bob) = (lan.join(game()).unwrap(), lan.join(game()).unwrap());
    lan.settle();
    let log = lan.scene(alice).node::<Log>("Log").unwrap();
    // The path is announced before there is a viewer.
    lan.scene(alice).rpc_id(bob, log, "note", ("a",)).unwrap();
    lan.settle();
    let _viewer = lan.scene(SERVER).multiplayer_mut().view_traffic();
    lan.scene(alice).rpc_id(bob, log, "note", ("b",)).unwrap();
    lan.scene(alice).send_bytes(b"raw", bob, TransferMode::Reliable, Channel(0)).unwrap();
    lan.settle();
    let report = report(&mut lan);
    let note = row(&report, PacketKind::Rpc, "Log", "method 0");
    assert!(note.is_relayed);
    assert_eq!((note.received.packets, note.sent), (1, note.received));
    let raw = row(&report, PacketKind::Raw, "", "");
    assert_eq!(pair(raw.received), (1, 4));
    // A RELAY has 6 bytes before its content.
    let all = report.packets.sent.bytes(PacketKind::Relay);
    assert_eq!(note.sent.bytes + raw.sent.bytes + 2 * 6, all);
}

/// A relay with the clients 2 and 3, and its traffic after 2 has sent these packets to 3.
fn relayed(packets: &[Vec<u8>]) -> TrafficReport {
    let mut world = World::new(1..=3, true);
    for client in 2..=3 {
        world.link_at(1, client);
    }
    world.flush(1);
    let _viewer = world.scene(1).multiplayer_mut().view_traffic();
    for packet in packets {
        let packet = [&[7, 3][..], &3_i32.to_le_bytes(), packet].concat();
        world.receive(1, 2, TransferMode::Reliable, Channel(0), Bytes::from(packet));
    }
    let traffic = world.scene(1).multiplayer().traffic().unwrap();
    world.scene(1).multiplayer_mut().disconnect_peer(peer_id(2));
    traffic
}

fn announcement(id: u32, path: &[u8]) -> Vec<u8> {
    [&[1][..], &[b'0'; 32], &[0], &id.to_le_bytes(), path, &[0]].concat()
}

#[test]
fn names_from_clients_are_bounded_texts_without_control_characters() {
    let markup = b"<script>alert(1)</script>";
    let long = vec![b'x'; 60_000];
    let report = relayed(&[
        announcement(5, markup),
        announcement(6, &long),
        announcement(7, b"a\x1b[2J\nb"),
        unhex("800500").to_vec(),
        unhex("800600").to_vec(),
        unhex("800900").to_vec(),
    ]);
    let calls: Vec<_> = report.rows.iter().filter(|row| row.kind == PacketKind::Rpc).collect();
    assert_eq!(calls[0].node, "<script>alert(1)</script>");
    assert!(calls[1].node.starts_with("xxx") && calls[1].node.len() <= 256);
    assert_eq!(calls[2].node, "path id 9 of peer 2");
    assert!(report.rows.iter().all(|row| row.node.len() <= 256));
    assert!(report.rows.iter().any(|row| row.node == "a\u{fffd}[2J\u{fffd}b"));
}

#[test]
fn a_client_that_calls_ever_new_nodes_fills_no_more_than_the_table() {
    let call = |id: u32| [&[0x20][..], &id.to_le_bytes(), &[0, 0]].concat();
    let packets: Vec<_> = (0..3 * TRAFFIC_ROWS_MAX as u32).map(call).collect();
    let report = relayed(&packets);
    assert_eq!(report.rows.len(), TRAFFIC_ROWS_MAX);
    assert_eq!(report.other_sent.packets, 2 * TRAFFIC_ROWS_MAX as u64);
    assert_eq!(report.other_received, report.other_sent);
}

#[test]
fn inspection_has_nodes_with_authority_origin_and_values() {
    let (mut lan, .., _viewer) = counted();
    let spawned = mover().instantiate().named("New");
    lan.scene(SERVER).add_instance("Movers", spawned).unwrap();
    let own = own(&mut lan);
    *lan.scene(SERVER).get_mut(own).unwrap().health = 42;
    let Inspection { nodes, omitted, .. } = lan.scene(SERVER).inspect(100);
    let paths: Vec<_> = nodes.iter().map(|node| (node.depth, &*node.path)).collect();
    let expected = [
        (0, ".."),
        (1, "."),
        (2, "Log"),
        (2, "Movers"),
        (3, "Movers/New"),
        (4, "Movers/New/Sync"),
        (2, "Spawner"),
        (2, "Own"),
        (3, "Own/Sync"),
    ];
    assert_eq!((paths, omitted), (expected.to_vec(), 0));
    let of = |path: &str| nodes.iter().find(|node| node.path == path).unwrap();
    assert_eq!(of("Movers/New").spawned_by, Some(SERVER));
    assert_eq!(of("Own").spawned_by, None);
    assert!(of("Spawner").is_spawner && of("Own/Sync").is_synchronizer);
    let values: Vec<_> = of("Own/Sync")
        .properties
        .iter()
        .map(|it| (&*it.path, it.value.as_deref(), it.mode, it.spawn))
        .collect();
    assert_eq!(
        values,
        [
            (".:position", Some("(0.0, 0.0, 0.0)"), ReplicationMode::Always, true),
            (".:health", Some("42"), ReplicationMode::OnChange, true),
        ]
    );
    assert_eq!(of("Own").authority, SERVER);

    let Inspection { nodes, omitted, .. } = lan.scene(SERVER).inspect(3);
    assert_eq!((nodes.len(), omitted), (3, 6));
}
