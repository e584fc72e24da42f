//! A bus that loses, repeats and reorders frames.

use std::time::Duration;

use mp_cluster::{FrameRefusal, GatewayEnd};
use mp_core::{CloseMode, PeerEvent, ToEndpoint, TransferMode};

use super::pair::{Pair, connected, id, outgoing, packet};

const RELIABLE: TransferMode = TransferMode::Reliable;
const UNRELIABLE: TransferMode = TransferMode::Unreliable;

/// A pair with two connections.
fn pair() -> Pair {
    let mut pair = Pair::new();
    pair.events(vec![connected(0), connected(1)]);
    pair.turn();
    pair.received();
    pair
}

fn disconnected(slot: u32) -> PeerEvent {
    let reason = GatewayEnd::DataLost.disconnect_reason();
    PeerEvent::Disconnected { connection: id(slot), reason }
}

fn disconnect(slot: u32) -> ToEndpoint {
    let (reason, close_mode) = (GatewayEnd::DataLost.disconnect_reason(), CloseMode::Graceful);
    ToEndpoint::Disconnect { connection: id(slot), reason, close_mode }
}

#[test]
fn lost_reliable_packet_closes_its_connection_on_both_nodes_and_no_other() {
    let mut pair = pair();
    pair.events(vec![packet(0, RELIABLE, "lost"), packet(1, UNRELIABLE, "lost")]);
    pair.send();
    pair.bus.clear();
    pair.events(vec![packet(0, RELIABLE, "late"), packet(1, RELIABLE, "kept")]);
    pair.run(Duration::from_millis(300));
    assert_eq!(pair.received(), [disconnected(0), packet(1, RELIABLE, "kept")]);
    assert_eq!(pair.to_endpoint, [disconnect(0)]);
    let stats = pair.far.stats().gateways;
    assert_eq!((stats.lost_batches, stats.broken_connections, stats.late_items), (1, 1, 1));
}

#[test]
fn loss_is_detected_although_nothing_follows() {
    let mut pair = pair();
    pair.events(vec![packet(0, RELIABLE, "lost")]);
    pair.send();
    pair.bus.clear();
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.received(), [disconnected(0)]);
    assert_eq!(pair.to_endpoint, [disconnect(0)]);
}

#[test]
fn lost_packet_of_the_room_closes_its_connection_on_both_nodes() {
    let mut pair = pair();
    pair.far().handle_message(ToEndpoint::Send(vec![outgoing(1, "lost")]));
    pair.send();
    pair.bus.clear();
    pair.far().handle_message(ToEndpoint::Send(vec![outgoing(0, "kept"), outgoing(1, "late")]));
    pair.run(Duration::from_millis(300));
    assert_eq!(pair.to_endpoint, [disconnect(1), ToEndpoint::Send(vec![outgoing(0, "kept")])]);
    // The endpoint reports the end.
    pair.events(vec![disconnected(1)]);
    pair.turn();
    assert_eq!(pair.received(), [disconnected(1)]);
}

#[test]
fn lost_disconnection_at_once_closes_the_connection() {
    let mut pair = pair();
    let (reason, close_mode) = (GatewayEnd::DataLost.disconnect_reason(), CloseMode::Immediate);
    pair.far().handle_message(ToEndpoint::Disconnect { connection: id(1), reason, close_mode });
    pair.send();
    pair.bus.clear();
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.to_endpoint, [disconnect(1)]);
}

#[test]
fn connection_whose_beginning_was_lost_is_closed() {
    let mut pair = pair();
    pair.events(vec![connected(2)]);
    pair.send();
    pair.bus.clear();
    pair.events(vec![packet(2, RELIABLE, "late")]);
    pair.run(Duration::from_millis(300));
    assert_eq!(pair.received(), []);
    assert_eq!(pair.to_endpoint, [disconnect(2)]);
}

#[test]
fn lost_unreliable_packets_are_counted_and_close_nothing() {
    let mut pair = pair();
    pair.events(vec![packet(0, UNRELIABLE, "lost")]);
    pair.send();
    pair.bus.clear();
    pair.events(vec![packet(0, UNRELIABLE, "kept")]);
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.received(), [packet(0, UNRELIABLE, "kept")]);
    assert_eq!(pair.to_endpoint, []);
    assert_eq!(pair.far.stats().gateways.lost_batches, 1);
}

#[test]
fn lost_opening_ends_the_link() {
    let mut pair = Pair::new();
    pair.send();
    pair.bus.clear();
    pair.events(vec![connected(0)]);
    pair.run(Duration::from_millis(300));
    assert_eq!(pair.near().ended(), Some(GatewayEnd::DataLost));
    assert!(pair.to_branch.is_empty());
}

#[test]
fn repeated_and_reordered_frames_are_delivered_once_and_in_order() {
    let mut pair = pair();
    let events: Vec<_> = (0..50).map(|number| packet(0, RELIABLE, &number.to_string())).collect();
    for event in &events {
        pair.events(vec![event.clone()]);
        pair.send();
    }
    pair.bus.reverse();
    let again = pair.bus.clone();
    pair.bus.extend(again);
    pair.turn();
    assert_eq!(pair.received(), events);
    let refused = pair.far.stats().gateways.refused_frames;
    assert_eq!(refused.get(FrameRefusal::Repeated), 50);
}
