//! Relays that a branch of another process goes on serving.

use std::time::Duration;

use bytes::Bytes;
use mp_core::{
    Channel, ConnectionId, ConnectionOrigin, ConnectionStatus, DisconnectReason, EndpointId,
    EndpointInfo, Instant, OutgoingPacket, Packet, PeerEvent, PeerId, StateMachine, ToBranch,
    ToEndpoint, TransferMode,
};
use mp_scene::codec::godot::relay_prefix;
use mp_scene::{Branch, Handover, Keep};

const BEFORE: EndpointId = EndpointId(1);
const AFTER: EndpointId = EndpointId(7);
const NOW: Instant = Instant::from_millis(1_000);

fn relay() -> Branch {
    let mut branch = Branch::builder("/root").seed([1; 32]).build().unwrap();
    assert!(branch.keep_peers(Keep::for_(Duration::from_secs(10))));
    branch
}

fn id(slot: u32) -> ConnectionId {
    ConnectionId { slot, generation: 0 }
}

fn peer(slot: u32) -> PeerId {
    PeerId::new(slot as i32).unwrap()
}

fn info() -> EndpointInfo {
    EndpointInfo {
        unique_id: PeerId::SERVER,
        status: ConnectionStatus::Connected,
        relay_supported: true,
        max_packet_size: 1 << 20,
        outlives_program: false,
    }
}

fn connected(slot: u32) -> PeerEvent {
    let (connection, claimed_id) = (id(slot), Some(peer(slot)));
    PeerEvent::Connected { connection, claimed_id, origin: ConnectionOrigin::Process }
}

/// Returns a packet of one client for another.
fn relayed(from: u32, to: u32) -> PeerEvent {
    let mut payload = relay_prefix(to as i32).as_slice().to_vec();
    payload.extend_from_slice(&[3, 9]);
    let (mode, channel) = (TransferMode::Reliable, Channel(0));
    PeerEvent::Packet(Packet { from: id(from), mode, channel, payload: Bytes::from(payload) })
}

/// Handles events, and returns the packets that the branch sends, with their endpoint.
fn turn(
    branch: &mut Branch,
    now: Instant,
    endpoint: EndpointId,
    events: Vec<PeerEvent>,
) -> Vec<(EndpointId, OutgoingPacket)> {
    branch.handle_input(now, ToBranch::Events(endpoint, events));
    branch.end_turn(now);
    let mut sent = Vec::new();
    branch.deliver(&mut |to, message| {
        if let ToEndpoint::Send(packets) = message {
            sent.extend(packets.into_iter().map(|packet| (to, packet)));
        }
        Ok(())
    });
    sent
}

/// Returns a relay with three clients, of whom the last is kept.
fn with_clients() -> Branch {
    let mut branch = relay();
    branch.handle_input(NOW, ToBranch::Opened(BEFORE, info()));
    turn(&mut branch, NOW, BEFORE, vec![connected(2), connected(3), connected(4)]);
    let reason = DisconnectReason::Timeout;
    let lost = PeerEvent::Disconnected { connection: id(4), reason };
    turn(&mut branch, NOW, BEFORE, vec![lost]);
    branch
}

fn restored(handover: &Handover) -> Branch {
    let mut branch = relay();
    let endpoint_of = |endpoint| (endpoint == BEFORE).then_some(AFTER);
    branch.restore_handover(NOW, handover, endpoint_of).unwrap();
    branch
}

#[test]
fn clients_notice_nothing_when_another_branch_goes_on_with_them() {
    let handover = with_clients().handover().expect("a relay can be handed over");
    let handover = Handover::decode(&handover.encode()).unwrap();
    assert_eq!(handover.endpoints().collect::<Vec<_>>(), [BEFORE]);
    let connections = [(BEFORE, id(2), peer(2)), (BEFORE, id(3), peer(3))];
    assert_eq!(handover.connections().collect::<Vec<_>>(), connections);

    let mut branch = restored(&handover);
    assert_eq!(turn(&mut branch, NOW, AFTER, Vec::new()), []);
    assert_eq!(branch.scene().peers(), [peer(2), peer(3), peer(4)]);
    let sent = turn(&mut branch, NOW, AFTER, vec![relayed(2, 3)]);
    let [(AFTER, packet)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(packet.to.as_slice(), [id(3)]);
    assert_eq!(packet.prefix.as_slice(), relay_prefix(2).as_slice());
    assert_eq!(packet.payload[..], [3, 9]);
    // The kept client leaves when its time is over.
    let mut sent = Vec::new();
    for step in 1..=25 {
        let now = NOW + step * Duration::from_millis(500);
        sent.extend(turn(&mut branch, now, AFTER, Vec::new()));
    }
    assert_eq!(sent.len(), 1, "DEL_PEER for both: {sent:?}");
    assert_eq!(branch.scene().peers(), [peer(2), peer(3)]);
}

#[test]
fn client_that_resumes_after_a_handover_is_announced_to_the_others_anew() {
    let mut branch = restored(&with_clients().handover().unwrap());
    let resumed = PeerEvent::Resumed {
        connection: id(9),
        claimed_id: Some(peer(4)),
        origin: ConnectionOrigin::Process,
        of: peer(4),
    };
    let sent = turn(&mut branch, NOW, AFTER, vec![resumed]);
    let count =
        |connection| sent.iter().filter(|(_, it)| it.to.as_slice().contains(&connection)).count();
    // ADD_PEER of both, and DEL_PEER and ADD_PEER.
    assert_eq!(count(id(9)), 2);
    assert_eq!((count(id(2)), count(id(3))), (2, 2));
}

#[test]
fn branches_with_a_game_or_with_peers_already_are_not_handed_over() {
    let mut branch = with_clients();
    let handover = branch.handover().unwrap();
    assert!(branch.restore_handover(NOW, &handover, Some).is_err());
    assert!(relay().restore_handover(NOW, &handover, |_| None).is_err());
    branch.scene().add("Game", mp_scene::prelude::Group).unwrap();
    assert!(branch.handover().is_none());
    let bytes = handover.encode();
    for len in 0..bytes.len() {
        assert!(Handover::decode(&bytes[..len]).is_err());
    }
}

#[test]
fn damaged_handover_is_refused_or_restores_only_peers_that_it_has() {
    let bytes = with_clients().handover().unwrap().encode();
    // The last one is the longest number.
    let replacements: [&[u8]; 6] = [
        &[0],
        &[1],
        &[0x7f],
        &[0x80],
        &[0xff],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
    ];
    let (mut restored, mut refused) = (0, 0);
    for at in 0..bytes.len() {
        for replacement in replacements {
            let damaged = [&bytes[..at], replacement, &bytes[at + 1..]].concat();
            let Ok(handover) = Handover::decode(&damaged) else { continue };
            let mut branch = relay();
            let endpoint_of = |endpoint| (endpoint == BEFORE).then_some(AFTER);
            if branch.restore_handover(NOW, &handover, endpoint_of).is_err() {
                refused += 1;
                continue;
            }
            restored += 1;
            assert!(branch.scene().peers().len() <= 3);
            turn(&mut branch, NOW, AFTER, vec![relayed(2, 3)]);
            turn(&mut branch, NOW + Duration::from_secs(1), AFTER, vec![connected(9)]);
        }
    }
    assert!(restored > 10 && refused > 10, "{restored} restored, {refused} refused");
}
