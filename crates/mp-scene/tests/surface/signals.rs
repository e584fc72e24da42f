//! The order of signals and of announcements.

use mp_core::ConnectionStatus;
use mp_scene::prelude::*;

use super::vectors::nodes::Event;
use super::vectors::world::{World, peer_id};

/// Returns a server and clients that are not connected.
fn unconnected() -> World {
    World::new(1..=4, true)
}

/// Returns a connected server and two clients.
fn connected() -> World {
    let mut world = unconnected();
    world.link(1, 2);
    world.link(1, 3);
    settle(&mut world);
    world.take_events();
    world.take_sent();
    world
}

/// Returns a server and a client that are authenticating.
fn authenticating() -> World {
    let mut world = unconnected();
    for side in [1, 2] {
        world.scene(side).multiplayer_mut().set_authentication(true);
    }
    world.link(1, 2);
    world.take_events();
    world
}

fn settle(world: &mut World) {
    for side in world.ids().repeat(2) {
        world.poll(side);
    }
}

/// Returns the signals at `at`, such as `peer_connected 3`.
fn signals_of(events: &[Event], at: i32) -> Vec<String> {
    let signals = events.iter().filter_map(|event| match event {
        Event::Signal { peer, name, args } if *peer == at => Some((name.clone(), args.clone())),
        Event::Bytes { peer, what, from, .. } if *peer == at => {
            Some(((*what).to_owned(), vec![*from]))
        }
        _ => None,
    });
    signals
        .map(|(name, args)| args.iter().fold(name, |text, arg| format!("{text} {arg}")))
        .collect()
}

/// Cases: the world, an action, and the expected signals of each peer.
type Row = (&'static str, fn() -> World, fn(&mut World), &'static [(i32, &'static [&'static str])]);

const ROWS: &[Row] = &[
    (
        "a client's server answers",
        unconnected,
        |world| world.link(1, 2),
        &[(1, &["peer_connected 2"]), (2, &["connected_to_server", "peer_connected 1"])],
    ),
    (
        "a third peer connects",
        connected,
        |world| world.link(1, 4),
        &[
            (1, &["peer_connected 4"]),
            (2, &["peer_connected 4"]),
            (3, &["peer_connected 4"]),
            (
                4,
                &[
                    "connected_to_server",
                    "peer_connected 1",
                    "peer_connected 2",
                    "peer_connected 3",
                ],
            ),
        ],
    ),
    (
        "a client disconnects",
        connected,
        |world| world.unlink(1, 2),
        &[(1, &["peer_disconnected 2"]), (2, &[]), (3, &["peer_disconnected 2"])],
    ),
    (
        "a client is disconnected by the program",
        connected,
        |world| {
            world.scene(1).multiplayer_mut().disconnect_peer(peer_id(2));
            world.unlink(1, 2);
            world.unlink(2, 1);
        },
        &[(1, &[]), (2, &["peer_disconnected 1"]), (3, &["peer_disconnected 2"])],
    ),
    (
        "the server disconnects, then the transport: other clients are not reported",
        connected,
        |world| {
            world.unlink(2, 1);
            world.close_at_next_poll(2);
        },
        &[(1, &[]), (2, &["peer_disconnected 1", "server_disconnected"]), (3, &[])],
    ),
    (
        "the transport disconnects first",
        connected,
        |world| world.close_at_next_poll(2),
        &[(1, &[]), (2, &["server_disconnected"]), (3, &[])],
    ),
    (
        "no server answers",
        unconnected,
        |world| world.close_at_next_poll(2),
        &[(2, &["connection_failed"])],
    ),
    (
        "a client connects again",
        connected,
        |world| {
            world.close_at_next_poll(2);
            world.poll(2);
            world.unlink(1, 2);
            world.open(2, ConnectionStatus::Connecting, true);
            world.link(1, 2);
        },
        &[
            (1, &["peer_disconnected 2", "peer_connected 2"]),
            (
                2,
                &[
                    "server_disconnected",
                    "connected_to_server",
                    "peer_connected 1",
                    "peer_connected 3",
                ],
            ),
            (3, &["peer_disconnected 2", "peer_connected 2"]),
        ],
    ),
    (
        "the session is cleared",
        connected,
        |world| world.scene(1).multiplayer_mut().clear(),
        &[(1, &[]), (2, &[]), (3, &[])],
    ),
    (
        "two authenticating peers connect",
        || {
            let mut world = unconnected();
            for side in [1, 2] {
                world.scene(side).multiplayer_mut().set_authentication(true);
            }
            world
        },
        |world| world.link(1, 2),
        &[(1, &["peer_authenticating 2"]), (2, &["peer_authenticating 1"])],
    ),
    (
        "both complete",
        authenticating,
        |world| {
            for (side, other) in [(2, 1), (1, 2)] {
                world.scene(side).multiplayer_mut().send_auth(peer_id(other), b"x").unwrap();
                world.scene(side).multiplayer_mut().complete_auth(peer_id(other)).unwrap();
                world.collect(side);
            }
        },
        &[
            (1, &["auth_callback 2", "peer_connected 2"]),
            (2, &["auth_callback 1", "connected_to_server", "peer_connected 1"]),
        ],
    ),
    (
        "an authenticating peer disconnects, then the transport",
        authenticating,
        |world| {
            world.unlink(1, 2);
            world.unlink(2, 1);
            world.close_at_next_poll(2);
        },
        &[
            (1, &["peer_authentication_failed 2"]),
            // Godot emits server_disconnected, although there was no session.
            (2, &["peer_authentication_failed 1", "connection_failed"]),
        ],
    ),
    (
        "authentication times out at both peers",
        authenticating,
        |world| world.pass(std::time::Duration::from_secs(3)),
        &[(1, &["peer_authentication_failed 2"]), (2, &["peer_authentication_failed 1"])],
    ),
    (
        "an authenticating peer is disconnected by the program",
        authenticating,
        |world| world.scene(1).multiplayer_mut().disconnect_peer(peer_id(2)),
        &[(1, &[]), (2, &[])],
    ),
];

#[test]
fn signals_are_emitted_in_godots_order() {
    for (what, world, happens, expected) in ROWS {
        let mut world = world();
        happens(&mut world);
        settle(&mut world);
        let events = world.take_events();
        for (side, signals) in *expected {
            assert_eq!(signals_of(&events, *side), *signals, "{what}: at {side}");
        }
        let listed_sides = expected.iter().map(|(side, _)| *side);
        let others =
            world.ids().into_iter().filter(|side| !listed_sides.clone().any(|it| it == *side));
        for other in others {
            assert_eq!(signals_of(&events, other), [] as [&str; 0], "{what}: at {other}");
        }
    }
}

#[test]
fn a_new_peer_is_announced_to_the_others_before_they_are_announced_to_it() {
    let mut world = connected();
    world.link_at(1, 4);
    let announced: Vec<_> = world.take_sent().into_iter().map(|it| (it.to, it.hex)).collect();
    let expected =
        [(2, "070104000000"), (3, "070104000000"), (4, "070102000000"), (4, "070103000000")];
    assert_eq!(announced, expected.map(|(to, hex)| (to, hex.to_owned())));
}

#[test]
fn the_last_peer_moves_to_the_position_of_a_peer_that_leaves() {
    let mut world = connected();
    world.link(1, 4);
    settle(&mut world);
    world.take_sent();
    world.unlink(1, 2);
    let sent: Vec<_> = world.take_sent().into_iter().map(|it| (it.to, it.hex)).collect();
    assert_eq!(sent, [3, 4].map(|to| (to, "070202000000".to_owned())));
    assert_eq!(world.scene(1).peers(), [peer_id(4), peer_id(3)]);
}

#[test]
fn packets_of_a_connection_hook_follow_the_announcements() {
    let greet = |scene: &mut Scene, peer| {
        scene.send_bytes(b"hello", peer, TransferMode::Reliable, Channel(0)).unwrap();
    };
    let mut lan =
        mp_scene::testing::Lan::new(Branch::builder("/root").on_peer_connected(greet)).unwrap();
    let two = lan.join(Branch::builder("/root")).unwrap();
    lan.settle();
    let three = lan.join(Branch::builder("/root")).unwrap();
    lan.settle();
    let signals: Vec<_> = std::iter::from_fn(|| lan.branch(three).next_signal()).collect();
    let hello = Signal::PeerPacket { from: PeerId::SERVER, data: "hello".into() };
    let connected = Signal::PeerConnected;
    let expected = [Signal::ConnectedToServer, connected(PeerId::SERVER), connected(two), hello];
    assert_eq!(signals, expected);
}
