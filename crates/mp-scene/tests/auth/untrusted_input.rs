//! Untrusted input where peers authenticate: from an admitted peer, from a pending one, and from a
//! server that is not admitted.

use std::sync::LazyLock;

use bytes::Bytes;
use mp_core::TransferMode;
use mp_core::limits::PACKET_BYTES_MAX;
use mp_scene::limits::{MALFORMED_PACKETS_MAX, SIGNAL_BYTES_MAX, SIGNALS_MAX};
use mp_scene::prelude::*;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::model::{Input, State, peer};
use super::sides::{Side, at};
use super::vectors::nodes::{Event, script};
use super::vectors::scenarios;
use super::vectors::world::{World, peer_id, unhex};

/// An admitted client that behaves well.
const FRIEND: i32 = 2;
/// An admitted client that sends untrusted input.
const GUEST: i32 = 3;
/// A client that has completed but is not admitted.
const PENDING: i32 = 4;

/// Packets that Godot sent.
static RECORDED: LazyLock<Vec<Bytes>> = LazyLock::new(|| {
    let scenarios = ["rpc.json", "sys.json"].map(scenarios).concat();
    let steps = scenarios.iter().flat_map(|scenario| scenario["steps"].as_array().unwrap());
    let packets = steps.flat_map(|step| step["packets"].as_array().unwrap());
    let mut packets: Vec<_> = packets.map(|it| unhex(it["hex"].as_str().unwrap())).collect();
    packets.sort();
    packets.dedup();
    packets
});

/// SYS packets about any peer, with any content.
fn sys() -> impl Strategy<Value = Bytes> {
    let id = prop_oneof![4 => -5_i32..6, 1 => any::<i32>()];
    (0..5_u8, id, prop::option::of(any::<prop::sample::Index>())).prop_map(|(kind, id, inner)| {
        let mut bytes = vec![0x07, kind];
        bytes.extend(id.to_le_bytes());
        if let Some(inner) = inner {
            bytes.extend(inner.get(&RECORDED[..]).iter());
        }
        bytes.into()
    })
}

/// A completion, a SYS packet, a recorded packet with a changed byte or cut off, or random bytes.
fn packet() -> impl Strategy<Value = Bytes> {
    let change = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0..4);
    let changed = change.prop_map(|(which, at, byte, cut)| {
        let mut bytes = which.get(&RECORDED).to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes.truncate(bytes.len().saturating_sub(cut as usize).max(1));
        Bytes::from(bytes)
    });
    let arbitrary = prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
    let completion = Just(Bytes::from_static(&[0x07, 0x00]));
    prop_oneof![1 => completion, 3 => sys(), 4 => changed, 1 => arbitrary]
}

/// Returns peers that all authenticate; all but [`PENDING`] are admitted.
fn world() -> World {
    let mut world = World::new(1..=PENDING, true);
    for side in world.ids() {
        world.add(side, "A", script("rpc_node"));
        world.scene(side).multiplayer_mut().set_authentication(true);
    }
    for client in [FRIEND, GUEST, PENDING] {
        world.link(1, client);
        world.scene(client).multiplayer_mut().complete_auth(PeerId::SERVER).unwrap();
        if client != PENDING {
            world.scene(1).multiplayer_mut().complete_auth(peer_id(client)).unwrap();
        }
    }
    world.collect(PENDING);
    settle(&mut world);
    world.take_sent();
    world.take_events();
    assert_eq!(world.scene(1).peers(), [peer_id(FRIEND), peer_id(GUEST)]);
    world
}

fn settle(world: &mut World) {
    for side in [1, FRIEND, GUEST].repeat(3) {
        world.collect(side);
        world.poll(side);
    }
}

fn send(world: &mut World, from: i32, packet: Bytes) {
    world.receive(1, from, TransferMode::Reliable, Channel(0), packet);
}

/// Returns whether the server and the friend can call each other.
fn plays(world: &mut World) -> bool {
    settle(world);
    world.take_events();
    for (from, to) in [(FRIEND, 1), (1, FRIEND)] {
        let scene = world.scene(from);
        let node = scene.find("A").unwrap();
        scene.rpc_id(peer_id(to), node, "B_upper", (from,)).unwrap();
        world.collect(from);
    }
    settle(world);
    let events = world.take_events();
    let called_by = |by: i32| {
        events.iter().any(|event| {
            matches!(event, Event::Call { method, args, sender, .. }
                if method == "B_upper" && *sender == by && *args == [Variant::from(by)])
        })
    };
    called_by(FRIEND) && called_by(1)
}

/// Returns the peer that caused an event.
fn author(event: &Event) -> i32 {
    match event {
        Event::Call { sender, .. } => *sender,
        Event::Bytes { from, .. } => *from,
        Event::Signal { args, .. } => args.first().copied().unwrap_or(1),
        Event::Emitted { .. } => 1,
    }
}

fn is_auth(event: &Event) -> bool {
    matches!(event, Event::Bytes { what: "auth_callback", .. })
}

/// A fixed seed, so that the cases are always the same.
fn runs(cases: u32) -> ProptestConfig {
    let rng_seed = RngSeed::Fixed(0x6d70);
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(runs(250))]

    #[test]
    fn untrusted_packets_have_no_effect_on_others_and_pending_peers_cause_no_events(
        packets in prop::collection::vec((prop::bool::ANY, packet()), 1..60),
    ) {
        let mut world = world();
        for (pending, packet) in packets {
            send(&mut world, if pending { PENDING } else { GUEST }, packet);
            world.poll(FRIEND);
        }
        settle(&mut world);
        for event in world.take_events() {
            prop_assert!(author(&event) != PENDING || is_auth(&event), "{event:?}");
        }
        for packet in world.take_sent() {
            prop_assert!(packet.to != PENDING && packet.from != PENDING, "{packet:?}");
        }
        let server = world.scene(1);
        prop_assert_eq!(server.peers(), [peer_id(FRIEND), peer_id(GUEST)]);
        let pending: Vec<_> = server.multiplayer().authenticating_peers().collect();
        prop_assert_eq!(pending, [peer_id(PENDING)]);
        prop_assert!(plays(&mut world));
    }

    #[test]
    fn pending_server_causes_no_events(
        packets in prop::collection::vec(packet(), 1..60),
    ) {
        let mut world = World::new(1..=2, true);
        world.add(2, "A", script("rpc_node"));
        world.scene(2).multiplayer_mut().set_authentication(true);
        world.link_at(2, 1);
        world.take_events();
        for packet in packets {
            world.receive(2, 1, TransferMode::Reliable, Channel(0), packet);
        }
        let failed = Event::Signal {
            peer: 2,
            name: "peer_authentication_failed".to_owned(),
            args: vec![1],
        };
        for event in world.take_events() {
            prop_assert!(is_auth(&event) || event == failed, "{event:?}");
        }
        prop_assert_eq!(world.take_sent(), []);
        prop_assert_eq!(world.scene(2).peers(), []);
    }
}

#[test]
fn malformed_packets_of_a_pending_peer_close_only_its_own_link() {
    let mut world = world();
    for _ in 0..MALFORMED_PACKETS_MAX - 1 {
        send(&mut world, PENDING, Bytes::from_static(&[0x03, 0x01]));
    }
    assert_eq!(world.take_disconnected(), []);
    for _ in 0..10 {
        send(&mut world, PENDING, Bytes::from_static(&[0x03, 0x01]));
    }
    assert_eq!(world.take_disconnected(), [(1, PENDING)]);
    world.unlink(1, PENDING);
    assert_eq!(world.scene(1).multiplayer().authenticating_peers().len(), 0);
    assert!(plays(&mut world));
}

#[test]
fn nothing_is_relayed_to_or_from_a_pending_peer() {
    let mut world = world();
    // To the pending peer, to all but the friend, to all; and from the pending peer.
    for packet in ["07030400000003a1", "0703feffffff03a2", "07030000000003a3"] {
        send(&mut world, GUEST, unhex(packet));
    }
    let to: Vec<_> = world.take_sent().into_iter().map(|packet| packet.to).collect();
    assert_eq!(to, [FRIEND]);
    send(&mut world, PENDING, unhex("07030200000003a4"));
    assert_eq!(world.take_sent(), []);
}

#[test]
fn queued_signals_are_bounded_in_number_and_in_bytes() {
    let bulk = |len: usize, link: u32, kind: &[u8]| {
        let mut packet = kind.to_vec();
        packet.resize(len, 0x5A);
        Input::Packet(2, link, packet)
    };
    let kept = |side: &mut Side| {
        let (mut count, mut bytes) = (0, 0);
        for signal in std::iter::from_fn(|| side.branch.next_signal()) {
            count += 1;
            if let Signal::PeerAuth { data, .. } | Signal::PeerPacket { data, .. } = signal {
                bytes += data.len();
            }
        }
        (count, bytes)
    };
    for (authenticates, kind) in [(true, &[0x07, 0x00][..]), (false, &[0x03])] {
        let mut side = Side::new(1, authenticates);
        side.take(at(0), &Input::Opened);
        side.take(at(0), &Input::Connected(2, 2));

        let packet = bulk(1 << 20, 2, kind);
        for _ in 0..40 {
            side.hand_over(at(0), &packet);
        }
        assert_eq!(side.branch.dropped_signals(), 40 - 16);
        let (count, bytes) = kept(&mut side);
        assert_eq!(count, 16);
        assert!(bytes <= SIGNAL_BYTES_MAX, "{bytes}");

        // A packet of the maximum size is delivered.
        side.hand_over(at(0), &bulk(PACKET_BYTES_MAX, 2, kind));
        assert_eq!(kept(&mut side).0, 1);

        for _ in 0..SIGNALS_MAX + 10 {
            side.hand_over(at(0), &bulk(kind.len() + 1, 2, kind));
        }
        assert_eq!(kept(&mut side), (SIGNALS_MAX, SIGNALS_MAX));
    }
}

/// Godot 4.6.3 does not check such an announcement: the signals are emitted again, and the
/// connection stays.
#[test]
fn server_that_announces_itself_stays_connected() {
    let mut side = Side::new(2, false);
    side.take(at(0), &Input::Opened);
    side.take(at(0), &Input::Connected(1, 1));
    let announced = side.take(at(0), &Input::Packet(1, 1, vec![7, 1, 1, 0, 0, 0]));
    assert_eq!(announced.signals, [Signal::ConnectedToServer, Signal::PeerConnected(peer(1))]);
    assert_eq!(side.take(at(0), &Input::Say(1)).sent, [(1, 1, vec![0x03, 0x5A])]);
    let lost = side.take(at(0), &Input::Disconnected(1, 1));
    assert_eq!(lost.signals, [Signal::PeerDisconnected(peer(1))]);
    // The link belongs to no peer now.
    side.take(at(0), &Input::Packet(1, 1, vec![3, 1]));
    let State { peers, stray, .. } = side.state(at(0));
    assert_eq!((peers, stray), (vec![], 1));
}

#[test]
fn packets_that_overtake_the_completion_are_deferred() {
    let mut side = Side::new(1, true);
    side.take(at(0), &Input::Opened);
    side.take(at(0), &Input::Connected(2, 2));
    let said = |byte| Input::Packet(2, 2, vec![0x03, byte]);
    side.take(at(0), &Input::Complete(2));
    assert_eq!(side.take(at(0), &said(2)).signals, []);
    let completed = side.take(at(0), &Input::Packet(2, 2, vec![0x07, 0x00]));
    let data = Bytes::from_static(&[2]);
    let expected = [Signal::PeerConnected(peer(2)), Signal::PeerPacket { from: peer(2), data }];
    assert_eq!(completed.signals, expected);
    assert_eq!(side.state(at(0)).malformed, 0);
}
