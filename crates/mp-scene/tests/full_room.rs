//! Announcements of peers in a full room, and changes of properties: each is queued once for all
//! receivers, also when many players join at the same time.

use bytes::BytesMut;
use mp_core::limits::BATCH_EVENTS_MAX;
use mp_core::{
    Channel, ConnectionId, ConnectionOrigin, ConnectionStatus, DisconnectReason, EndpointId,
    EndpointInfo, Instant, OutgoingPacket, Packet, PeerEvent, PeerId, StateMachine, ToBranch,
    ToEndpoint, TransferMode,
};
use mp_scene::codec::{Limits, Objects};
use mp_scene::prelude::*;
use mp_scene::{ConfirmedNode, SceneMessage};

const ENDPOINT: EndpointId = EndpointId(1);
/// ENet's maximum.
const PLAYERS: u16 = 4_095;

fn arrival(slot: u16) -> PeerEvent {
    let connection = ConnectionId { slot: slot.into(), generation: 0 };
    let claimed_id = PeerId::new(2 + i32::from(slot));
    PeerEvent::Connected { connection, claimed_id, origin: ConnectionOrigin::Process }
}

/// Returns a server without peers, on an endpoint that relays.
fn room() -> Branch {
    opened(Branch::builder("/root"))
}

/// Returns a server on an endpoint that relays.
fn opened(branch: BranchBuilder) -> Branch {
    let mut branch = branch.build().unwrap();
    let info = EndpointInfo {
        unique_id: PeerId::SERVER,
        status: ConnectionStatus::Connected,
        relay_supported: true,
        max_packet_size: 1 << 20,
        outlives_program: false,
    };
    branch.handle_input(Instant::from_millis(1), ToBranch::Opened(ENDPOINT, info));
    branch
}

/// Returns the packets queued for the endpoint.
fn delivered(branch: &mut Branch) -> Vec<OutgoingPacket> {
    let mut packets = Vec::new();
    branch.deliver(&mut |_, message| {
        match message {
            ToEndpoint::Send(batch) => packets.extend(batch),
            other => panic!("{other:?}"),
        }
        Ok(())
    });
    packets
}

#[test]
fn removal_of_a_peer_is_queued_once_for_all_others() {
    let (mut branch, now) = (room(), Instant::from_millis(1));
    branch.handle_input(now, ToBranch::Events(ENDPOINT, (0..4).map(arrival).collect()));
    delivered(&mut branch);
    let (connection, reason) = (ConnectionId { slot: 1, generation: 0 }, DisconnectReason::Timeout);
    let event = PeerEvent::Disconnected { connection, reason };
    branch.handle_input(now, ToBranch::Events(ENDPOINT, vec![event]));
    let [packet] = &delivered(&mut branch)[..] else { panic!("the removal must be queued once") };
    assert_eq!(packet.payload[..], [7, 2, 3, 0, 0, 0]);
    let to = [0, 2, 3].map(|slot| ConnectionId { slot, generation: 0 });
    // The order is the one before the last peer takes the position of the one that left.
    assert_eq!(packet.to.as_slice(), to);
}

#[test]
fn announcements_to_a_new_peer_share_memory() {
    let (mut branch, now) = (room(), Instant::from_millis(1));
    branch.handle_input(now, ToBranch::Events(ENDPOINT, (0..40).map(arrival).collect()));
    delivered(&mut branch);
    branch.handle_input(now, ToBranch::Events(ENDPOINT, vec![arrival(40)]));
    let packets = delivered(&mut branch);
    let new = [ConnectionId { slot: 40, generation: 0 }];
    let to_new: Vec<_> = packets.iter().filter(|packet| packet.to.as_slice() == new).collect();
    assert_eq!(to_new.len(), 40);
    for (packet, next) in to_new.iter().zip(&to_new[1..]) {
        assert_eq!(packet.payload.as_ptr_range().end, next.payload.as_ptr());
    }
}

#[derive(Default)]
struct Counter {
    value: Replicated<i64>,
}

impl Node for Counter {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("value", |counter: &mut Self| &mut counter.value)
    }
}

#[test]
fn a_change_is_queued_once_for_all_peers() {
    let room = Branch::builder("/root").server_relay(false).setup(|scene| {
        scene.add("Counter", Counter::default())?;
        let config = ReplicationConfig::new().on_change(".:value");
        scene.add("Counter/Sync", MultiplayerSynchronizer::new(config))?;
        Ok(())
    });
    let mut branch = opened(room);
    let connections = [0, 1, 2].map(|slot| ConnectionId { slot, generation: 0 });
    let mut now = Instant::from_millis(1);
    branch.handle_input(now, ToBranch::Events(ENDPOINT, (0..3).map(arrival).collect()));
    let mut changes = Vec::new();
    for value in 0..20 {
        let counter = branch.scene().node::<Counter>("Counter").unwrap();
        *branch.scene().get_mut(counter).unwrap().value = value;
        now += std::time::Duration::from_millis(20);
        branch.end_turn(now);
        changes.clear();
        for packet in delivered(&mut branch) {
            match Codec::default().decode(&packet.payload, &Limits::default()).unwrap() {
                SceneMessage::Delta(_) => changes.push(packet.to.as_slice().to_vec()),
                SceneMessage::SimplifyPath { id, .. } => {
                    for &connection in packet.to.as_slice() {
                        confirm(&mut branch, now, connection, id);
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(changes, [connections]);
}

/// Receives the confirmation of a path id from a peer.
fn confirm(branch: &mut Branch, now: Instant, from: ConnectionId, id: u32) {
    let mut packet = BytesMut::new();
    let message = SceneMessage::ConfirmPath { node: ConfirmedNode::Id(id), checksum_ok: true };
    Codec::default().encode(&message, Objects::Ids, &mut packet).unwrap();
    let (mode, channel, payload) = (TransferMode::Reliable, Channel(0), packet.freeze());
    let packet = PeerEvent::Packet(Packet { from, mode, channel, payload });
    branch.handle_input(now, ToBranch::Events(ENDPOINT, vec![packet]));
}

/// A new peer needs one packet for each existing peer and one for all of them. A batch of new peers
/// in an almost full room queues a million packets before the endpoint can accept one.
#[test]
fn full_batch_of_players_joins_an_almost_full_room() {
    let (mut branch, now) = (room(), Instant::from_millis(1));
    // The first peers join with the relay disabled, which only saves time.
    let first = PLAYERS - BATCH_EVENTS_MAX as u16;
    branch.scene().multiplayer_mut().set_server_relay(false);
    branch.handle_input(now, ToBranch::Events(ENDPOINT, (0..first).map(arrival).collect()));
    branch.scene().multiplayer_mut().set_server_relay(true);

    branch.handle_input(now, ToBranch::Events(ENDPOINT, (first..PLAYERS).map(arrival).collect()));

    branch.end_turn(now);
    let announced = delivered(&mut branch).len();
    assert_eq!(branch.scene().peers().len(), usize::from(PLAYERS));
    let pairs = (first..PLAYERS).map(usize::from).sum::<usize>();
    assert_eq!(
        announced,
        pairs + BATCH_EVENTS_MAX,
        "a new peer must be announced to all by one packet"
    );
}
