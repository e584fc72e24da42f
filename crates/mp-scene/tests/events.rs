//! Events of a branch for its host besides signals: peers that leave without one, and endpoints
//! that it abandons.
#![allow(missing_docs, reason = "a test")]

use mp_core::limits::{OUTBOX_PACKETS_MAX, OUTBOX_STUCK_DELIVERIES};
use mp_core::{
    Channel, ConnectionId, ConnectionOrigin, ConnectionStatus, DisconnectReason, EndpointId,
    EndpointInfo, Instant, PeerEvent, PeerId, StateMachine, Target, ToBranch, TransferMode,
};
use mp_host::HostedBranch;
use mp_scene::{Branch, BranchEvent, Signal};

const ENDPOINT: EndpointId = EndpointId(1);
const NOW: Instant = Instant::from_millis(1);

/// A server on one endpoint.
fn server() -> Branch {
    let mut branch = Branch::builder("/root").build().unwrap();
    open(&mut branch, ENDPOINT);
    branch
}

fn open(branch: &mut Branch, endpoint: EndpointId) {
    let info = EndpointInfo {
        unique_id: PeerId::SERVER,
        status: ConnectionStatus::Connected,
        relay_supported: true,
        max_packet_size: 1 << 20,
        outlives_program: false,
    };
    branch.handle_input(NOW, ToBranch::Opened(endpoint, info));
}

/// Queues `count` reliable packets for all peers.
fn send(branch: &mut Branch, count: usize) {
    for _ in 0..count {
        let (mode, channel) = (TransferMode::Reliable, Channel(0));
        let _ = branch.scene().send_bytes(b"x", Target::All, mode, channel);
    }
    branch.end_turn(NOW);
}

/// Refuses deliveries until the limit for an endpoint that accepts nothing applies.
fn refuse(branch: &mut Branch) {
    for _ in 0..OUTBOX_STUCK_DELIVERIES {
        branch.deliver(&mut |_, message| Err(message));
    }
}

fn join(branch: &mut Branch, slot: u32, id: PeerId) {
    let connection = ConnectionId { slot, generation: 0 };
    let (claimed_id, origin) = (Some(id), ConnectionOrigin::Process);
    let connected = PeerEvent::Connected { connection, claimed_id, origin };
    branch.handle_input(NOW, ToBranch::Events(ENDPOINT, vec![connected]));
}

fn peer(id: i32) -> PeerId {
    PeerId::new(id).unwrap()
}

fn events(branch: &mut Branch) -> Vec<BranchEvent> {
    std::iter::from_fn(|| branch.next_event()).collect()
}

#[test]
fn a_peer_that_leaves_without_a_signal_is_reported_in_order_with_signals() {
    let mut branch = server();
    join(&mut branch, 0, peer(2));
    branch.scene().multiplayer_mut().disconnect_peer(peer(2));
    branch.scene().multiplayer_mut().disconnect_peer(peer(3));
    join(&mut branch, 1, peer(2));
    let connected = BranchEvent::Signal(Signal::PeerConnected(peer(2)));
    let expected = [connected.clone(), BranchEvent::PeerGone(peer(2)), connected];
    assert_eq!(events(&mut branch), expected);
}

#[test]
fn peers_of_a_cleared_session_are_reported() {
    let mut branch = server();
    join(&mut branch, 0, peer(2));
    branch.scene().multiplayer_mut().set_authentication(true);
    join(&mut branch, 1, peer(3));
    events(&mut branch);
    branch.handle_input(NOW, ToBranch::Closed(ENDPOINT, DisconnectReason::Closed));
    let expected = [
        BranchEvent::Signal(Signal::ServerDisconnected),
        BranchEvent::PeerGone(peer(2)),
        BranchEvent::PeerGone(peer(3)),
    ];
    assert_eq!(events(&mut branch), expected);
}

#[test]
fn next_signal_returns_signals_only() {
    let mut branch = server();
    join(&mut branch, 0, peer(2));
    branch.scene().multiplayer_mut().disconnect_peer(peer(2));
    join(&mut branch, 1, peer(3));
    let signals: Vec<_> = std::iter::from_fn(|| branch.next_signal()).collect();
    assert_eq!(signals, [Signal::PeerConnected(peer(2)), Signal::PeerConnected(peer(3))]);
}

#[test]
fn an_endpoint_that_accepts_nothing_is_abandoned() {
    let mut branch = server();
    join(&mut branch, 0, peer(2));
    send(&mut branch, 1);
    refuse(&mut branch);
    send(&mut branch, OUTBOX_PACKETS_MAX - 1);
    assert_eq!(branch.next_abandoned(), None);
    send(&mut branch, 1);
    assert_eq!(branch.next_abandoned(), Some(ENDPOINT));
    assert_eq!(branch.next_abandoned(), None);
    assert_eq!(branch.scene().peers(), []);
}

#[test]
fn a_peer_that_is_disconnected_as_its_endpoint_is_abandoned_leaves_without_a_signal() {
    let mut branch = server();
    open(&mut branch, EndpointId(2));
    join(&mut branch, 0, peer(2));
    join(&mut branch, 1, peer(3));
    send(&mut branch, 1);
    refuse(&mut branch);
    while branch.queued_packets() < OUTBOX_PACKETS_MAX {
        send(&mut branch, 1);
    }
    events(&mut branch);
    // Announcing the departures takes one packet more than the queue accepts.
    branch.scene().multiplayer_mut().disconnect_peer(peer(2));
    branch.end_turn(NOW);
    let left = BranchEvent::Signal(Signal::PeerDisconnected(peer(3)));
    assert_eq!(events(&mut branch), [BranchEvent::PeerGone(peer(2)), left]);
    assert_eq!(branch.next_abandoned(), Some(ENDPOINT));
}
