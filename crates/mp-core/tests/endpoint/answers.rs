//! What a transport has to say of its own waits for what branches answer, if it wishes to.

use std::time::Duration;

use bytes::Bytes;
use mp_core::testing::PeerCall::{self, Flush, Poll, Send};
use mp_core::testing::{ScriptedPeer, connection};
use mp_core::{
    Channel, Endpoint, Instant, Outgoing, PeerId, Prefix, StateMachine, ToEndpoint, TransferMode,
};

use crate::world::{ENDPOINT, LOBBY};

const WAIT: Duration = Duration::from_millis(1);

/// Returns an endpoint with one connection, which has just brought a packet.
fn endpoint(wait: Duration) -> Endpoint<ScriptedPeer> {
    let mut peer = ScriptedPeer::server();
    peer.answer_wait = wait;
    // As a transport that has something to send.
    peer.timeout = Some(Instant::ZERO);
    peer.connect(0, PeerId::new(2));
    let mut endpoint = Endpoint::new(ENDPOINT, peer, LOBBY);
    endpoint.serve(LOBBY);
    assert_eq!(turn(&mut endpoint, 4_000), [Poll, Flush], "a handshake does not wait");
    bring_a_packet(&mut endpoint);
    endpoint
}

/// Returns what the endpoint asks of its transport in the turn at `micros`.
fn turn(endpoint: &mut Endpoint<ScriptedPeer>, micros: u64) -> Vec<PeerCall> {
    endpoint.end_turn(Instant::from_micros(micros));
    std::mem::take(&mut endpoint.peer_mut().calls)
}

fn bring_a_packet(endpoint: &mut Endpoint<ScriptedPeer>) {
    endpoint.peer_mut().receive(0, 1, TransferMode::Reliable, Bytes::new());
}

fn answer() -> ToEndpoint {
    let (mode, channel) = (TransferMode::Reliable, Channel(0));
    let (prefix, payload) = (Prefix::EMPTY, Bytes::new());
    ToEndpoint::Send(vec![Outgoing { to: connection(0).into(), mode, channel, prefix, payload }])
}

#[test]
fn the_answer_of_a_branch_leaves_with_the_acknowledgements_of_what_it_answers() {
    let mut endpoint = endpoint(WAIT);
    assert_eq!(turn(&mut endpoint, 5_000), [Poll]);
    assert_eq!(endpoint.poll_timeout(), Some(Instant::from_micros(6_000)));
    endpoint.handle_input(Instant::from_micros(5_100), answer());
    // It goes before anything else is taken in.
    bring_a_packet(&mut endpoint);
    assert_eq!(turn(&mut endpoint, 5_100), [Send, Flush, Poll]);
    assert_eq!(endpoint.poll_timeout(), Some(Instant::from_micros(6_100)));
}

#[test]
fn who_does_not_answer_is_not_waited_for_any_longer() {
    let mut endpoint = endpoint(WAIT);
    assert_eq!(turn(&mut endpoint, 5_000), [Poll]);
    bring_a_packet(&mut endpoint);
    assert_eq!(turn(&mut endpoint, 5_600), [Poll]);
    bring_a_packet(&mut endpoint);
    assert_eq!(turn(&mut endpoint, 6_000), [Poll, Flush], "what came later does not put it off");
    assert_eq!(endpoint.poll_timeout(), Some(Instant::ZERO), "the transport's own");
}

#[test]
fn a_turn_that_brought_nothing_flushes() {
    let mut endpoint = endpoint(WAIT);
    turn(&mut endpoint, 5_000);
    turn(&mut endpoint, 6_000);
    assert_eq!(turn(&mut endpoint, 6_100), [Poll, Flush]);
}

#[test]
fn a_transport_that_does_not_wish_it_does_not_wait() {
    let mut endpoint = endpoint(Duration::ZERO);
    assert_eq!(turn(&mut endpoint, 5_000), [Poll, Flush]);
    endpoint.handle_input(Instant::from_micros(5_100), answer());
    bring_a_packet(&mut endpoint);
    assert_eq!(turn(&mut endpoint, 5_100), [Send, Poll, Flush]);
}
