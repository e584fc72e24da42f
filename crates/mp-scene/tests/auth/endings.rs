//! The ways in which an authentication ends.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use mp_core::limits::{OUTBOX_PACKETS_MAX, OUTBOX_STUCK_DELIVERIES};
use mp_core::{ConnectionStatus, Instant, StateMachine};
use mp_scene::prelude::*;
use mp_scene::testing::Lan;

use super::model::{Input, State, TIMEOUT_MS, peer};
use super::sides::{Side, at};

/// Returns an authenticating peer with an open transport, connected to `others` by links of their
/// own numbers.
fn side(id: i32, others: &[i32]) -> Side {
    let mut side = Side::new(id, true);
    side.take(at(0), &Input::Opened);
    for &other in others {
        side.take(at(0), &Input::Connected(other, other as u32));
    }
    side
}

fn packet(from: i32, packet: &[u8]) -> Input {
    Input::Packet(from, from as u32, packet.to_vec())
}

fn authenticating(side: &mut Side) -> Vec<i32> {
    side.state(at(0)).authenticating
}

#[test]
fn every_ending_removes_the_peer_from_authenticating_peers() {
    type Ending = (&'static str, fn(i32) -> Vec<Input>);
    let endings: [Ending; 7] = [
        ("both completed, the local peer last", |other| {
            vec![packet(other, &[7, 0]), Input::Complete(other)]
        }),
        ("both completed, the remote peer last", |other| {
            vec![Input::Complete(other), packet(other, &[7, 0])]
        }),
        ("the link is lost", |other| vec![Input::Disconnected(other, other as u32)]),
        ("the link is lost after the local completion", |other| {
            vec![Input::Complete(other), Input::Disconnected(other, other as u32)]
        }),
        ("disconnect_peer", |other| vec![Input::Kick(other)]),
        ("clear", |_| vec![Input::Clear]),
        ("the transport closes", |_| vec![Input::Closed]),
    ];
    for (own, other) in [(1, 2), (2, 1)] {
        for (ending, inputs) in endings {
            let mut side = side(own, &[other]);
            assert_eq!(authenticating(&mut side), [other]);
            for input in inputs(other) {
                side.take(at(1), &input);
            }
            let State { authenticating, timeout_ms, .. } = side.state(at(1));
            assert_eq!((authenticating, timeout_ms), (vec![], None), "{ending} at {own}");
            // A late timeout must have no effect.
            assert_eq!(side.take(at(2 * TIMEOUT_MS), &Input::Turn).ended, [], "{ending} at {own}");
        }
        let mut side = side(own, &[other]);
        side.idle(0, TIMEOUT_MS);
        side.take(at(TIMEOUT_MS), &Input::Turn);
        assert_eq!(authenticating(&mut side), [] as [i32; 0], "timeout at {own}");
    }
}

/// In Godot, a completed peer stays in the list until the remote peer's completion is received
/// (godotengine/godot#122284). It is removed before `peer_connected`.
#[test]
fn admitted_peer_is_not_in_authenticating_peers_at_peer_connected() {
    let lists = Rc::new(RefCell::new(Vec::new()));
    let game = || {
        let lists = lists.clone();
        Branch::builder("/root").on_peer_auth(|_, _, _| {}).on_signal(move |scene, signal| {
            let multiplayer = scene.multiplayer_mut();
            match *signal {
                Signal::PeerAuthenticating(peer) => multiplayer.complete_auth(peer).unwrap(),
                Signal::PeerConnected(_) => {
                    lists.borrow_mut().push(multiplayer.authenticating_peers().count());
                }
                _ => {}
            }
        })
    };
    let mut lan = Lan::new(game()).unwrap();
    lan.join(game()).unwrap();
    lan.settle();
    assert_eq!(*lists.borrow(), [0, 0]);
}

#[test]
fn password_admits_only_peers_that_know_it() {
    let server = Branch::builder("/root").on_peer_auth(|scene, peer, password| {
        let multiplayer = scene.multiplayer_mut();
        if password == b"swordfish" {
            multiplayer.send_auth(peer, b"welcome").unwrap();
            multiplayer.complete_auth(peer).unwrap();
        } else {
            multiplayer.disconnect_peer(peer);
        }
    });
    let client = |password: &'static [u8]| {
        let answered = |scene: &mut Scene, server, answer: &[u8]| {
            assert_eq!(answer, b"welcome");
            scene.multiplayer_mut().complete_auth(server).unwrap();
        };
        Branch::builder("/root").on_peer_auth(answered).on_signal(move |scene, signal| {
            if let Signal::PeerAuthenticating(server) = signal {
                scene.multiplayer_mut().send_auth(*server, password).unwrap();
            }
        })
    };
    let mut lan = Lan::new(server).unwrap();
    let friend = lan.join(client(b"swordfish")).unwrap();
    let intruder = lan.join(client(b"sesame")).unwrap();
    let another = lan.join(client(b"swordfish")).unwrap();
    lan.settle();
    assert_eq!(lan.scene(PeerId::SERVER).peers(), [friend, another]);
    assert_eq!(lan.scene(friend).peers(), [PeerId::SERVER, another]);
    let signals: Vec<_> = std::iter::from_fn(|| lan.branch(intruder).next_signal()).collect();
    assert_eq!(
        signals,
        [
            Signal::PeerAuthenticating(PeerId::SERVER),
            Signal::PeerAuthenticationFailed(PeerId::SERVER),
            Signal::ConnectionFailed,
        ]
    );
}

/// In Godot, the session that ends was never announced (godotengine/godot#95183).
#[test]
fn client_that_is_not_admitted_reports_connection_failed() {
    for opened_as in [ConnectionStatus::Connecting, ConnectionStatus::Connected] {
        for completes in [false, true] {
            let mut side = Side::new(2, true);
            side.open_as(at(0), opened_as);
            side.take(at(0), &Input::Connected(1, 1));
            let mut expected = vec![Signal::ConnectionFailed];
            if completes {
                side.take(at(0), &packet(1, &[7, 0]));
                side.take(at(0), &Input::Complete(1));
                expected = vec![Signal::ServerDisconnected];
            }
            assert_eq!(side.take(at(1), &Input::Closed).signals, expected, "{opened_as:?}");
        }
    }
    // A peer of a mesh, which has no server.
    let mut side = Side::new(2, true);
    side.open_as(at(0), ConnectionStatus::Connected);
    side.take(at(0), &Input::Connected(3, 3));
    assert_eq!(side.take(at(1), &Input::Closed).signals, [Signal::ServerDisconnected]);
}

#[test]
fn authenticating_peers_are_listed_in_order_of_connection() {
    let mut side = side(1, &[2, 3, 4, 5]);
    side.take(at(0), &Input::Kick(2));
    assert_eq!(authenticating(&mut side), [3, 4, 5]);
    side.take(at(0), &Input::Disconnected(4, 4));
    side.take(at(0), &Input::Connected(2, 6));
    assert_eq!(authenticating(&mut side), [3, 5, 2]);
}

#[test]
fn all_timed_out_peers_are_disconnected_before_signals_are_emitted() {
    let mut side = side(1, &[2, 3]);
    side.take(at(1), &Input::Connected(4, 4));
    side.idle(1, TIMEOUT_MS);
    assert_eq!(side.take(at(TIMEOUT_MS - 1), &Input::Turn), Default::default());
    let did = side.take(at(TIMEOUT_MS), &Input::Turn);
    assert_eq!(did.ended, [(2, 2), (3, 3)]);
    let failed = [2, 3].map(|id| Signal::PeerAuthenticationFailed(peer(id)));
    assert_eq!(did.signals, failed);
    // The results of further events of these links do not matter.
    for input in [packet(2, &[7, 0]), packet(3, &[7, 0, 1]), Input::Disconnected(2, 2)] {
        assert_eq!(side.take(at(TIMEOUT_MS), &input), Default::default(), "{input:?}");
    }
    let State { authenticating, stray, .. } = side.state(at(TIMEOUT_MS));
    assert_eq!((authenticating, stray), (vec![4], 2));
}

#[test]
fn time_in_which_the_process_did_not_run_does_not_count_against_peers() {
    let mut side = side(1, &[2]);
    side.idle(0, 1_000);
    // The process is stopped for an hour. Packets of the peer stay in the socket.
    let hour = 3_600_000;
    side.idle(hour, hour + 1_000);
    assert_eq!(side.branch.scene().stats().stalls, 1);
    assert_eq!(side.take(at(hour + 1_000), &packet(2, &[7, 0, 1])).signals.len(), 1);
    // A peer that sends nothing while the process runs still times out.
    side.idle(hour + 1_000, hour + TIMEOUT_MS - 1_500);
    let did = side.take(at(hour + TIMEOUT_MS - 500), &Input::Turn);
    assert_eq!(did.signals, [Signal::PeerAuthenticationFailed(peer(2))]);
}

#[test]
fn rarely_run_branch_times_peers_out_late() {
    let mut side = side(1, &[2]);
    for turn in 1..3 {
        assert_eq!(side.take(at(turn * 10_000), &Input::Turn), Default::default());
    }
    let did = side.take(at(30_000), &Input::Turn);
    assert_eq!(did.signals, [Signal::PeerAuthenticationFailed(peer(2))]);
    assert_eq!(side.branch.scene().stats().stalls, 3);
}

/// Godot receives packets before it checks timeouts.
#[test]
fn completion_in_the_turn_of_the_timeout_is_accepted() {
    let mut side = side(1, &[2]);
    side.take(at(0), &Input::Complete(2));
    let did = side.take(at(2 * TIMEOUT_MS), &packet(2, &[7, 0]));
    assert_eq!(did.signals, [Signal::PeerConnected(peer(2))]);
    assert_eq!(side.take(at(2 * TIMEOUT_MS), &Input::Turn), Default::default());
}

#[test]
fn auth_timeout_is_in_whole_milliseconds_and_zero_disables_it() {
    let mut side = side(1, &[2]);
    let timeouts = [
        (Duration::from_micros(1_999), Some(1)),
        (Duration::from_micros(999), None),
        (Duration::ZERO, None),
        (Duration::from_millis(999), Some(999)),
        // The next turn; see `TIMER_INTERVAL`.
        (Duration::from_secs(60), Some(1_000)),
    ];
    for (timeout, due) in timeouts {
        side.branch.scene().multiplayer_mut().set_auth_timeout(timeout);
        assert_eq!(side.state(at(0)).timeout_ms, due, "{timeout:?}");
    }
    // A timeout that exceeds the range of `Instant`.
    side.branch.scene().multiplayer_mut().set_auth_timeout(Duration::MAX);
    side.branch.end_turn(Instant::from_micros(u64::MAX - 1));
    assert_eq!(authenticating(&mut side), [2]);
}

#[test]
fn pending_peers_stay_pending_when_authentication_is_disabled() {
    let mut side = side(1, &[2]);
    side.branch.scene().multiplayer_mut().set_authentication(false);
    side.take(at(0), &Input::Connected(3, 3));
    let State { authenticating, peers, .. } = side.state(at(0));
    assert_eq!((authenticating, peers), (vec![2], vec![3]));
    side.take(at(0), &packet(2, &[7, 0]));
    assert_eq!(side.take(at(0), &packet(2, &[3, 1])).signals, []);
    assert_eq!(side.take(at(0), &Input::Complete(2)).code, 0);
    assert_eq!(side.state(at(0)).peers, [3, 2]);
}

#[test]
fn returning_peer_authenticates_again() {
    let mut side = side(1, &[2]);
    side.take(at(0), &packet(2, &[7, 0]));
    side.take(at(0), &Input::Kick(2));
    side.branch.scene().multiplayer_mut().set_auth_timeout(Duration::from_millis(900));
    side.take(at(5), &Input::Connected(2, 9));
    // The loss of the first link is reported late.
    assert_eq!(side.take(at(5), &Input::Disconnected(2, 2)), Default::default());
    assert_eq!(side.state(at(5)).timeout_ms, Some(900));
    side.take(at(5), &Input::Complete(2));
    assert_eq!(
        side.state(at(5)).peers,
        [] as [i32; 0],
        "the completion of the previous link must not count"
    );
}

#[test]
fn second_peer_with_the_id_of_a_pending_one_is_rejected() {
    let mut side = side(1, &[2]);
    let did = side.take(at(0), &Input::Connected(2, 7));
    assert_eq!((did.signals, did.ended), (vec![], vec![(2, 7)]));
    assert_eq!(authenticating(&mut side), [2]);
    assert_eq!(side.branch.scene().stats().duplicate_ids, 1);
}

#[test]
fn client_sends_nothing_through_a_server_that_has_not_admitted_it() {
    let mut side = side(2, &[1]);
    for target in [Target::All, Target::AllExcept(peer(3)), Target::Peer(peer(3))] {
        let (mode, channel) = (TransferMode::Reliable, Channel(0));
        let said = side.branch.scene().send_bytes(b"secret", target, mode, channel);
        assert_eq!(said, Err(mp_scene::SendBytesError::NotConnected), "{target:?}");
    }
    assert_eq!(side.take(at(0), &Input::Clear).sent, []);
}

#[test]
fn only_packets_of_admitted_peers_count_as_received() {
    let mut side = side(1, &[2]);
    for bytes in [&[7, 0, 1][..], &[7, 0], &[3, 1]] {
        side.take(at(0), &packet(2, bytes));
    }
    assert_eq!(side.branch.scene().stats().packets_received, 0);
    side.take(at(0), &Input::Complete(2));
    side.take(at(0), &packet(2, &[3, 1]));
    assert_eq!(side.branch.scene().stats().packets_received, 1);
}

/// The packet that exceeds the limit can be the announcement of a new peer or of a removal.
#[test]
fn abandoned_transport_emits_no_signals_for_its_peers() {
    for (last, before) in [
        (Input::Complete(3), Some(Signal::PeerConnected(peer(3)))),
        (Input::Disconnected(4, 4), Some(Signal::PeerDisconnected(peer(4)))),
        (Input::Kick(4), None),
    ] {
        let mut side = side(1, &[2, 4]);
        for id in [2, 4] {
            side.take(at(0), &packet(id, &[7, 0]));
            side.take(at(0), &Input::Complete(id));
        }
        side.take(at(0), &Input::Connected(3, 3));
        side.take(at(0), &packet(3, &[7, 0]));
        // The completion fits, the announcement does not.
        let room = usize::from(last == Input::Complete(3));
        for _ in 0..OUTBOX_PACKETS_MAX - room {
            let (mode, channel) = (TransferMode::Reliable, Channel(0));
            side.branch.scene().send_bytes(&[1], peer(2), mode, channel).unwrap();
        }
        for _ in 0..OUTBOX_STUCK_DELIVERIES {
            side.branch.deliver(&mut |_, message| Err(message));
        }
        let did = side.take(at(0), &last);
        let expected: Vec<_> = before.into_iter().chain([Signal::ServerDisconnected]).collect();
        assert_eq!(did.signals, expected, "{last:?}");
        let State { authenticating, peers, connected, .. } = side.state(at(0));
        assert_eq!((authenticating, peers, connected), (vec![], vec![], false), "{last:?}");
    }
}
