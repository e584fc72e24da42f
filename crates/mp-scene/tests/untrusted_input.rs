//! Untrusted input: no packet causes a panic or unbounded memory, and the other peers continue to
//! play.
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod vectors;

use std::sync::LazyLock;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mp_core::TransferMode;
use mp_scene::codec::{Limits, Objects};
use mp_scene::limits::{
    MALFORMED_PACKETS_MAX, PATH_CACHE_BYTES_MAX, PATH_ENTRY_BYTES, REORDER_PACKETS_MAX,
    REORDER_TIME,
};
use mp_scene::prelude::*;
use mp_scene::{GodotQuirks, Refusal, SceneMessage, SceneStats};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use vectors::nodes::{Event, script};
use vectors::scenarios;
use vectors::world::{World, hex, peer_id, unhex};

/// Packets that Godot sent, and one of each SYS command.
static RECORDED: LazyLock<Vec<Bytes>> = LazyLock::new(|| {
    let mut packets: Vec<Bytes> = scenarios("rpc.json")
        .iter()
        .flat_map(|scenario| scenario["steps"].as_array().unwrap().clone())
        .flat_map(|step| step["packets"].as_array().unwrap().clone())
        .map(|packet| unhex(packet["hex"].as_str().unwrap()))
        .collect();
    packets.extend(
        [
            "0700",
            "070001",
            "070103000000",
            "070203000000",
            "07030000000003a2",
            "070302000000800100",
        ]
        .map(unhex),
    );
    packets.sort();
    packets.dedup();
    packets
});

/// A recorded packet with some bytes changed, removed or added, or random bytes.
fn packet() -> impl Strategy<Value = Bytes> {
    let change = (any::<prop::sample::Index>(), any::<u8>());
    let mutated = (
        any::<prop::sample::Index>(),
        prop::collection::vec(change, 0..4),
        0..8_usize,
        prop::collection::vec(any::<u8>(), 0..4),
    );
    let mutated = mutated.prop_map(|(which, changes, cut, tail)| {
        let mut bytes = which.get(&RECORDED).to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(bytes.len().saturating_sub(cut).max(1));
        bytes.extend(tail);
        Bytes::from(bytes)
    });
    let arbitrary = prop::collection::vec(any::<u8>(), 0..80).prop_map(Bytes::from);
    prop_oneof![4 => mutated, 1 => arbitrary]
}

/// Returns a server with id 1, and clients 2 and 3.
fn world() -> World {
    let mut world = World::new(1..=3, true);
    for peer in 1..=3 {
        world.add(peer, "A", script("rpc_node"));
    }
    world.link(1, 2);
    world.link(1, 3);
    settle(&mut world);
    world.take_events();
    world
}

fn settle(world: &mut World) {
    for _ in 0..3 {
        for peer in 1..=3 {
            world.poll(peer);
        }
    }
    world.take_sent();
}

fn send(world: &mut World, from: i32, packet: Bytes) {
    world.receive(1, from, TransferMode::Reliable, Channel(0), packet);
}

/// Returns whether client 3 and the server can call each other.
fn plays(world: &mut World, client: i32) -> bool {
    settle(world);
    world.take_events();
    for (from, to) in [(client, 1), (1, client)] {
        let scene = world.scene(from);
        let node = scene.find("A").unwrap();
        if scene.rpc_id(peer_id(to), node, "B_upper", (from,)).is_err() {
            return false;
        }
        world.collect(from);
    }
    settle(world);
    let calls = world.take_events();
    let made_by = |sender: i32| {
        calls.iter().any(|event| {
            matches!(event, Event::Call { args, sender: by, .. }
                if *by == sender && *args == [Variant::from(sender)])
        })
    };
    made_by(client) && made_by(1)
}

/// A fixed seed, so that the cases are always the same.
fn runs(cases: u32) -> ProptestConfig {
    let rng_seed = RngSeed::Fixed(0x6d70);
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(runs(4_000))]

    #[test]
    fn decoded_packet_can_be_encoded_again(packet in packet()) {
        let limits = Limits { full_objects: Some(|_| true), ..Limits::default() };
        if let Ok(message) = Codec::default().decode(&packet, &limits) {
            let mut bytes = BytesMut::new();
            Codec::default().encode(&message, Objects::Full, &mut bytes).unwrap();
            let again = Codec::default().decode(&bytes.freeze(), &limits);
            // Compared as text, since NaN does not equal itself.
            let again = again.map(complete);
            prop_assert_eq!(format!("{again:?}"), format!("{:?}", Ok::<_, ()>(complete(message))));
        }
    }
}

proptest! {
    #![proptest_config(runs(400))]

    #[test]
    fn untrusted_packets_do_not_disturb_other_peers(packets in prop::collection::vec(packet(), 1..60)) {
        let mut world = world();
        for packet in packets {
            send(&mut world, 2, packet);
            world.poll(2);
            world.poll(3);
        }
        prop_assert!(plays(&mut world, 3));
    }
}

/// Returns a call as it is after a round trip, in which undecodable arguments have become null.
fn complete(message: SceneMessage) -> SceneMessage {
    match message {
        SceneMessage::RemoteCall(call) => {
            SceneMessage::RemoteCall(mp_scene::RemoteCall { complete: true, ..call })
        }
        other => other,
    }
}

#[test]
fn peer_that_sends_malformed_packets_is_disconnected_and_counted() {
    let mut world = world();
    for _ in 0..MALFORMED_PACKETS_MAX - 1 {
        send(&mut world, 2, Bytes::from_static(&[0xB0]));
    }
    assert_eq!(world.take_disconnected(), []);
    send(&mut world, 2, Bytes::from_static(&[0xB0]));
    assert_eq!(world.take_disconnected(), [(1, 2)]);
    assert_eq!(world.scene(1).stats().malformed_packets, MALFORMED_PACKETS_MAX);
    assert!(plays(&mut world, 3));
}

#[test]
fn refused_calls_do_not_count_as_malformed() {
    let mut world = world();
    // An unknown path id, an unknown method.
    for packet in ["808000", "a0060000802a4100"] {
        send(&mut world, 2, unhex(packet));
    }
    let SceneStats { malformed_packets, refused_calls, .. } = world.scene(1).stats();
    assert_eq!((malformed_packets, refused_calls), (0, 2));
    let refusals: Vec<_> = world.scene(1).multiplayer().refusals().iter().collect();
    assert_eq!(refusals, [(Refusal::NoMethod, 1), (Refusal::UnknownPathId, 1)]);
}

#[test]
fn path_ids_of_a_peer_are_bounded() {
    let mut world = world();
    let names = 0..300;
    for name in names.clone() {
        world.add(1, &format!("n{name}"), script("rpc_node"));
    }
    // Paths of 64 KiB.
    let detour = "./".repeat(32 * 1024);
    let fit = PATH_CACHE_BYTES_MAX / (PATH_ENTRY_BYTES + detour.len() + "n100".len());
    let checksum = "30".repeat(32);
    for name in names.clone() {
        let (id, path) = (hex(&u32::to_le_bytes(name + 1)), format!("{detour}n{name}"));
        send(&mut world, 2, unhex(&format!("01{checksum}00{id}{}00", hex(path.as_bytes()))));
    }
    let confirmed = world.take_sent().iter().filter(|packet| packet.to == 2).count();
    assert_eq!(confirmed, fit);
    let refused = names.len() - fit;
    assert_eq!(world.scene(1).stats().refused_announcements as usize, refused);
    let refusals = world.scene(1).multiplayer().refusals();
    assert_eq!(refusals.get(Refusal::TooManyPathIds) as usize, refused);
    assert!(plays(&mut world, 3));
}

#[test]
fn client_does_not_accept_announcements_of_peers_from_other_clients() {
    let mut world = world();
    // Client 2 announces peer 9 to the server, and through the relay to client 3.
    send(&mut world, 2, unhex("070109000000"));
    send(&mut world, 2, unhex("070303000000070109000000"));
    settle(&mut world);
    assert_eq!(world.scene(1).peers(), [peer_id(2), peer_id(3)]);
    assert_eq!(world.scene(3).peers(), [peer_id(1), peer_id(2)]);
    assert_eq!(world.scene(1).stats().malformed_packets, 1);
    assert_eq!(world.scene(3).stats().malformed_packets, 1);
}

#[test]
fn a_path_cannot_leave_the_multiplayer_root() {
    let mut world = world();
    world.scene(1).add("../Outside", Group).unwrap();
    world.add_foreign(1, "../Outside", "A", script("rpc_node"));
    for path in ["../Outside/A", "/root/Outside/A", "A/../../Outside/A"] {
        send(&mut world, 2, unhex(&format!("a00600008000{}00", hex(path.as_bytes()))));
    }
    assert_eq!(world.scene(1).stats().refused_calls, 3);

    world.scene(1).multiplayer_mut().set_quirks(GodotQuirks::ALL);
    send(
        &mut world,
        2,
        unhex(&format!("a006000080 00{}00", hex(b"../Outside/A")).replace(' ', "")),
    );
    assert_eq!(world.scene(1).stats().refused_calls, 3, "the quirk must behave like Godot");
}

#[test]
fn a_peer_is_not_announced_to_itself() {
    let mut world = world();
    world.receive(2, 1, TransferMode::Reliable, Channel(0), unhex("070102000000"));
    assert_eq!(world.scene(2).peers(), [peer_id(1), peer_id(3)]);
    assert_eq!(world.scene(2).stats().malformed_packets, 1);
}

#[test]
fn ids_that_are_not_positive_are_refused() {
    let mut world = world();
    // A raw packet relayed for −1, and ADD_PEER of 0.
    for packet in ["0703ffffffff03aa", "070100000000"] {
        world.receive(2, 1, TransferMode::Reliable, Channel(0), unhex(packet));
    }
    assert_eq!(world.take_events(), []);
    assert_eq!(world.scene(2).stats().malformed_packets, 2);
}

#[test]
fn an_unknown_peer_is_not_disconnected() {
    let mut world = world();
    world.scene(1).multiplayer_mut().disconnect_peer(peer_id(77));
    world.flush(1);
    assert_eq!(world.take_disconnected(), []);
    assert_eq!(world.take_sent(), []);
}

#[test]
fn pending_peer_has_no_effect() {
    let mut world = World::new(1..=2, true);
    world.add(1, "A", script("rpc_node"));
    world.scene(1).multiplayer_mut().set_authentication(true);
    world.link(1, 2);
    world.take_events();
    // The remote peer completes; the local peer does not.
    send(&mut world, 2, Bytes::from_static(&[0x07, 0x00]));
    for packet in RECORDED.iter().filter(|packet| !packet.starts_with(&[0x07, 0x00])) {
        send(&mut world, 2, packet.clone());
    }
    assert_eq!(world.take_events(), []);
    assert_eq!(world.take_sent(), []);
    assert_eq!(world.scene(1).peers(), []);
    assert!(world.scene(1).stats().malformed_packets > 100);
}

#[test]
fn call_with_undecodable_arguments_is_not_made() {
    let mut world = world();
    // Two arguments are announced, one is present.
    send(&mut world, 2, unhex("2009000080 00 02 0205 4100".replace(' ', "").as_str()));
    assert_eq!(world.take_events(), []);
    assert_eq!(world.scene(1).stats().refused_calls, 1);
}

#[test]
fn call_of_a_node_with_another_rpc_table_is_not_made() {
    let mut world = world();
    let checksum = "30".repeat(32);
    send(&mut world, 2, unhex(&format!("01{checksum}00010000004100")));
    assert_eq!(
        world.take_sent().pop().unwrap().hex,
        "020001000000",
        "the confirmation must report the mismatch"
    );
    // By path id, and by path.
    for call in ["800100", "a006000080004100"] {
        send(&mut world, 2, unhex(call));
    }
    assert_eq!(world.take_events(), []);
    assert_eq!(world.scene(1).stats().refused_calls, 2);
    assert!(plays(&mut world, 3), "only calls of that peer must be refused");
}

#[test]
fn relayed_packets_are_deferred_until_their_sender_is_announced() {
    let mut world = world();
    let relayed = |from: &str, inner: &str| unhex(&format!("0703{from}000000{inner}"));
    let mut receive = |packet| world.receive(2, 1, TransferMode::Reliable, Channel(3), packet);
    receive(relayed("09", "0301"));
    receive(relayed("08", "0302"));
    receive(relayed("09", "a006000080004100"));
    receive(relayed("09", "0303"));
    receive(unhex("070109000000"));
    let events = world.take_events();
    let received: Vec<_> = events
        .iter()
        .map(|event| match event {
            Event::Bytes { from, hex, .. } => format!("{from}: {hex}"),
            Event::Signal { name, args, .. } => format!("{name} {args:?}"),
            Event::Call { node, sender, .. } => format!("{sender} calls {node}"),
            Event::Emitted { what, .. } => what.clone(),
        })
        .collect();
    assert_eq!(received, ["peer_connected [9]", "9: 01", "9 calls A", "9: 03"]);
}

#[test]
fn deferred_relayed_packets_are_bounded_and_reliable_ones_are_not_lost_silently() {
    let mut world = world();
    let packet = unhex("0703090000000342");
    let receive = |world: &mut World, mode| {
        world.receive(2, 1, mode, Channel(3), packet.clone());
        world.collect(2);
        (world.scene(2).stats().stray_packets, world.take_disconnected())
    };
    for _ in 0..REORDER_PACKETS_MAX {
        assert_eq!(receive(&mut world, TransferMode::Reliable), (0, vec![]));
    }
    assert_eq!(
        receive(&mut world, TransferMode::Unreliable),
        (1, vec![]),
        "an unreliable packet must be dropped and counted"
    );
    assert_eq!(
        receive(&mut world, TransferMode::Reliable),
        (2, vec![(2, 1)]),
        "a reliable packet must end the session"
    );
}

#[test]
fn relayed_packets_of_a_peer_that_is_never_announced_are_dropped_after_a_minute() {
    let mut world = world();
    let packet = unhex("0703090000000342");
    world.receive(2, 1, TransferMode::Reliable, Channel(3), packet);
    world.pass(REORDER_TIME - Duration::from_millis(1));
    world.flush(2);
    assert_eq!(world.scene(2).stats().stray_packets, 0);
    world.pass(Duration::from_millis(1));
    world.flush(2);
    assert_eq!(world.scene(2).stats().stray_packets, 1);
}
