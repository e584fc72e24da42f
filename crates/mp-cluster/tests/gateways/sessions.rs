//! Links from their first to their last message.

use std::time::Duration;

use bytes::Bytes;
use mp_cluster::{Epoch, FrameRefusal, GatewayEnd};
use mp_core::{
    AnnouncedId, BranchId, CarriedSession, Channel, CloseMode, ConnectionOrigin, DisconnectReason,
    EndpointId, Packet, PeerEvent, PeerId, ToBranch, ToEndpoint, TransferMode,
};

use super::pair::{BRANCH, Pair, connected, id, info, outgoing, packet};

const RELIABLE: TransferMode = TransferMode::Reliable;

#[test]
fn messages_cross_in_order_and_a_batch_is_one_frame() {
    let mut pair = Pair::new();
    let mut events = vec![connected(0), connected(1)];
    events.extend((0..100).map(|number| packet(number % 2, RELIABLE, &number.to_string())));
    pair.events(events.clone());
    pair.send();
    assert_eq!(pair.bus.len(), 1);
    pair.receive();
    let endpoint = pair.far().endpoint();
    assert_eq!(endpoint, EndpointId(900));
    let batch = ToBranch::Events(endpoint, events);
    assert_eq!(pair.to_branch, [ToBranch::Opened(endpoint, info()), batch]);

    let packets: Vec<_> = (0..100).map(|number| outgoing(1, &number.to_string())).collect();
    pair.far().handle_message(ToEndpoint::Send(packets.clone()));
    pair.send();
    pair.receive();
    assert_eq!(pair.to_endpoint, [ToEndpoint::Send(packets)]);
}

#[test]
fn packet_that_is_larger_than_a_frame_crosses_in_parts() {
    let mut pair = Pair::new();
    let payload: Vec<u8> = (0..3_000_000_u32).map(|it| (it / 7) as u8).collect();
    let large = PeerEvent::Packet(Packet {
        from: id(0),
        mode: RELIABLE,
        channel: Channel(1),
        payload: Bytes::from(payload),
    });
    let events = vec![connected(0), large, packet(0, RELIABLE, "after")];
    pair.events(events.clone());
    pair.turn();
    assert_eq!(pair.received(), events);
}

#[test]
fn branch_that_leaves_closes_the_link_on_both_nodes() {
    let mut pair = Pair::new();
    pair.events(vec![connected(0)]);
    pair.turn();
    let (reason, close_mode) = (DisconnectReason::Closed, CloseMode::Drain);
    pair.far().handle_message(ToEndpoint::Leave { reason, close_mode });
    pair.turn();
    assert_eq!(pair.to_endpoint, [ToEndpoint::Leave { reason, close_mode }]);
    pair.events(vec![PeerEvent::Disconnected { connection: id(0), reason }]);
    pair.near().handle_message(ToBranch::Closed(EndpointId(3), reason));
    pair.run(Duration::from_millis(100));
    assert_eq!(pair.to_branch.last(), Some(&ToBranch::Closed(EndpointId(900), reason)));
    assert_eq!((pair.near.stats().near, pair.far.stats().far), (0, 0));
}

#[test]
fn silent_node_ends_the_link_with_a_reason_on_both_nodes() {
    let mut pair = Pair::new();
    pair.events(vec![connected(0)]);
    pair.turn();
    pair.to_branch.clear();
    for _ in 0..400 {
        pair.send();
        pair.bus.clear();
        pair.receive();
        pair.now += Duration::from_millis(10);
    }
    let reason = GatewayEnd::NodeLost.disconnect_reason();
    let close_mode = CloseMode::Drain;
    assert_eq!(pair.to_endpoint, [ToEndpoint::Leave { reason, close_mode }]);
    let disconnected = PeerEvent::Disconnected { connection: id(0), reason };
    let closed = ToBranch::Closed(EndpointId(900), reason);
    assert_eq!(pair.to_branch, [ToBranch::Events(EndpointId(900), vec![disconnected]), closed]);
}

#[test]
fn room_that_a_node_does_not_have_ends_the_link_at_once() {
    let mut pair = Pair::new();
    pair.epoch = Epoch::new(2);
    pair.turn();
    assert_eq!(pair.near().ended(), Some(GatewayEnd::UnknownLink));
    assert_eq!(pair.far.stats().refused_frames.get(FrameRefusal::UnknownLink), 1);
}

#[test]
fn later_owner_ends_a_link_and_an_earlier_one_is_refused() {
    let mut pair = Pair::new();
    pair.turn();
    // Frames of the same link in another epoch; the room's name precedes the epoch.
    let mut with_epoch = |epoch: u8| {
        pair.now += mp_cluster::limits::BEAT_INTERVAL;
        pair.send();
        for (_, bytes) in &mut pair.bus {
            let mut changed = bytes.to_vec();
            let name = changed.windows(5).position(|part| part == b"arena").unwrap();
            changed[name + 5] = epoch;
            *bytes = changed.into();
        }
        pair.receive();
        (pair.near().ended(), pair.near().stats().refused_frames.get(FrameRefusal::StaleEpoch))
    };
    assert_eq!(with_epoch(0), (None, 1));
    assert_eq!(with_epoch(2), (Some(GatewayEnd::RoomMoved), 1));
}

#[test]
fn node_without_its_lease_sends_nothing_for_its_rooms() {
    let mut pair = Pair::new();
    pair.events(vec![connected(0)]);
    pair.turn();
    pair.far().handle_message(ToEndpoint::Send(vec![outgoing(0, "late")]));
    pair.to_branch.clear();
    let mut sent = 0;
    pair.far.transmit(pair.now, |_| None, |_, _| sent += 1);
    // Nor later, with a new lease in another epoch.
    pair.far.transmit(pair.now, |_| Some(Epoch::new(2)), |_, _| sent += 1);
    assert_eq!(sent, 0);
    pair.receive();
    let reason = GatewayEnd::LeaseLost.disconnect_reason();
    assert_eq!(pair.to_branch.last(), Some(&ToBranch::Closed(EndpointId(900), reason)));
}

#[test]
fn neighboring_versions_work_together_and_others_do_not() {
    let now = mp_cluster::VERSION;
    for (near, far) in [(now, now + 1), (now + 1, now)] {
        let mut pair = Pair::of_versions(near, far);
        pair.events(vec![connected(0), packet(0, RELIABLE, "a")]);
        pair.turn();
        assert_eq!(pair.received().len(), 2);
    }
    let mut pair = Pair::of_versions(now, now + 2);
    pair.turn();
    assert!(pair.to_branch.is_empty());
    assert_eq!(pair.far.stats().refused_frames.get(FrameRefusal::OtherVersion), 1);
}

#[test]
fn connection_that_the_branch_moves_returns_with_its_session() {
    let mut pair = Pair::new();
    pair.events(vec![connected(0)]);
    pair.turn();
    let announced = vec![AnnouncedId { id: 9, is_confirmed: true }];
    let session = CarriedSession { announced, ..CarriedSession::default() };
    let (connection, carried) = (id(0), Box::new(session));
    let branch = BranchId(77);
    pair.far().handle_message(ToEndpoint::Hold { connection });
    pair.far().handle_message(ToEndpoint::Move { connection, branch, carried: carried.clone() });
    pair.turn();
    let returned = ToEndpoint::Move { connection, branch: BRANCH, carried: Box::default() };
    assert_eq!(pair.to_endpoint, [ToEndpoint::Hold { connection }, returned]);

    pair.received();
    let reason = DisconnectReason::Moved;
    let (claimed_id, origin) = (PeerId::new(2), ConnectionOrigin::Process);
    let moved =
        |carried| PeerEvent::Moved { connection, claimed_id, origin: origin.clone(), carried };
    let ended = PeerEvent::Disconnected { connection, reason };
    pair.events(vec![PeerEvent::Held { connection }, ended.clone(), moved(Box::default())]);
    pair.events(vec![packet(0, RELIABLE, "held")]);
    pair.turn();
    let expected = [PeerEvent::Held { connection }, ended, moved(carried)];
    let received = pair.received();
    assert_eq!(received[..3], expected);
    assert_eq!(received[3], packet(0, RELIABLE, "held"));
}
