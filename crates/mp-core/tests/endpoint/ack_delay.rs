//! The flush of a transport with a `max_ack_delay` waits for the branches' replies.

use std::time::Duration;

use bytes::Bytes;
use mp_core::testing::PeerCall::{self, Flush, Poll, Send};
use mp_core::testing::{ScriptedPeer, connection};
use mp_core::{
    Channel, Endpoint, Instant, OutgoingPacket, PeerId, Prefix, StateMachine, ToEndpoint,
    TransferMode,
};

use crate::world::{ENDPOINT, LOBBY};

const ACK_DELAY: Duration = Duration::from_millis(1);

/// Returns an endpoint with one connection, which has just received a packet.
fn endpoint(wait: Duration) -> Endpoint<ScriptedPeer> {
    let mut peer = ScriptedPeer::server();
    peer.max_ack_delay = wait;
    // The transport has something to send.
    peer.timeout = Some(Instant::ZERO);
    peer.connect(0, PeerId::new(2));
    let mut endpoint = Endpoint::new(ENDPOINT, peer, LOBBY);
    endpoint.serve(LOBBY);
    assert_eq!(turn(&mut endpoint, 4_000), [Poll, Flush], "a handshake is flushed immediately");
    receive_packet(&mut endpoint);
    endpoint
}

/// Runs the turn at `micros` and returns the calls to the transport.
fn turn(endpoint: &mut Endpoint<ScriptedPeer>, micros: u64) -> Vec<PeerCall> {
    endpoint.end_turn(Instant::from_micros(micros));
    std::mem::take(&mut endpoint.peer_mut().calls)
}

fn receive_packet(endpoint: &mut Endpoint<ScriptedPeer>) {
    endpoint.peer_mut().receive(0, 1, TransferMode::Reliable, Bytes::new());
}

fn reply() -> ToEndpoint {
    let (mode, channel) = (TransferMode::Reliable, Channel(0));
    let (prefix, payload) = (Prefix::EMPTY, Bytes::new());
    ToEndpoint::Send(vec![OutgoingPacket {
        to: connection(0).into(),
        mode,
        channel,
        prefix,
        payload,
    }])
}

#[test]
fn reply_of_a_branch_is_flushed_with_the_acknowledgements() {
    let mut endpoint = endpoint(ACK_DELAY);
    assert_eq!(turn(&mut endpoint, 5_000), [Poll]);
    assert_eq!(endpoint.poll_timeout(), Some(Instant::from_micros(6_000)));
    endpoint.handle_input(Instant::from_micros(5_100), (LOBBY, reply()));
    // The reply is flushed before anything else is received.
    receive_packet(&mut endpoint);
    assert_eq!(turn(&mut endpoint, 5_100), [Send, Flush, Poll]);
    assert_eq!(endpoint.poll_timeout(), Some(Instant::from_micros(6_100)));
}

#[test]
fn flush_is_delayed_at_most_by_the_ack_delay() {
    let mut endpoint = endpoint(ACK_DELAY);
    assert_eq!(turn(&mut endpoint, 5_000), [Poll]);
    receive_packet(&mut endpoint);
    assert_eq!(turn(&mut endpoint, 5_600), [Poll]);
    receive_packet(&mut endpoint);
    assert_eq!(turn(&mut endpoint, 6_000), [Poll, Flush], "later packets do not extend the delay");
    assert_eq!(endpoint.poll_timeout(), Some(Instant::ZERO), "the timeout of the transport");
}

#[test]
fn packet_that_elicits_nothing_from_the_transport_needs_no_further_turn() {
    let mut endpoint = endpoint(ACK_DELAY);
    // A ping in a second.
    let later = Some(Instant::from_millis(1_005));
    endpoint.peer_mut().timeout = later;
    assert_eq!(turn(&mut endpoint, 5_000), [Poll, Flush]);
    assert_eq!(endpoint.poll_timeout(), later);
}

#[test]
fn turn_that_receives_nothing_flushes() {
    let mut endpoint = endpoint(ACK_DELAY);
    turn(&mut endpoint, 5_000);
    turn(&mut endpoint, 6_000);
    assert_eq!(turn(&mut endpoint, 6_100), [Poll, Flush]);
}

#[test]
fn transport_without_ack_delay_flushes_immediately() {
    let mut endpoint = endpoint(Duration::ZERO);
    assert_eq!(turn(&mut endpoint, 5_000), [Poll, Flush]);
    endpoint.handle_input(Instant::from_micros(5_100), (LOBBY, reply()));
    receive_packet(&mut endpoint);
    assert_eq!(turn(&mut endpoint, 5_100), [Send, Poll, Flush]);
}
