//! What a transport has to say of its own waits for what branches answer, if it wishes to.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use mp_core::{
    Channel, ConnectionId, ConnectionStatus, DisconnectReason, Endpoint, Farewell, Instant,
    MultiplayerPeer, Origin, Outgoing, Packet, PeerEvent, PeerId, Prefix, SendError, StateMachine,
    ToEndpoint, TransferMode,
};

use crate::world::{ENDPOINT, LOBBY};

const LINK: ConnectionId = ConnectionId { slot: 0, generation: 0 };
const WAIT: Duration = Duration::from_millis(1);

/// Notes what is done to it.
struct Noting {
    wait: Duration,
    events: VecDeque<PeerEvent>,
    done: Vec<&'static str>,
}

impl MultiplayerPeer for Noting {
    fn poll(&mut self, _now: Instant) {
        self.done.push("poll");
    }
    fn next_event(&mut self) -> Option<PeerEvent> {
        self.events.pop_front()
    }
    fn send(&mut self, _outgoing: Outgoing) -> Result<(), SendError> {
        self.done.push("send");
        Ok(())
    }
    fn flush(&mut self, _now: Instant) {
        self.done.push("flush");
    }
    fn disconnect(&mut self, _link: ConnectionId, _reason: DisconnectReason, _farewell: Farewell) {}
    fn close(&mut self) {}
    fn unique_id(&self) -> PeerId {
        PeerId::SERVER
    }
    fn connection_status(&self) -> ConnectionStatus {
        ConnectionStatus::Connected
    }
    fn poll_timeout(&self) -> Option<Instant> {
        // As one does that has something to send.
        Some(Instant::ZERO)
    }
    fn answer_wait(&self) -> Duration {
        self.wait
    }
}

fn endpoint(wait: Duration) -> Endpoint<Noting> {
    let claimed_id = PeerId::new(2);
    let joined = PeerEvent::Connected { connection: LINK, claimed_id, origin: Origin::Process };
    let peer = Noting { wait, events: VecDeque::from([joined]), done: Vec::new() };
    let mut endpoint = Endpoint::new(ENDPOINT, peer, LOBBY);
    endpoint.serve(LOBBY);
    assert_eq!(turn(&mut endpoint, 4_000), ["poll", "flush"], "a handshake does not wait");
    bring_a_packet(&mut endpoint);
    endpoint
}

/// What is done in the turn at `micros`.
fn turn(endpoint: &mut Endpoint<Noting>, micros: u64) -> Vec<&'static str> {
    endpoint.end_turn(Instant::from_micros(micros));
    std::mem::take(&mut endpoint.peer_mut().done)
}

fn bring_a_packet(endpoint: &mut Endpoint<Noting>) {
    let (mode, channel, payload) = (TransferMode::Reliable, Channel(0), Bytes::new());
    let packet = Packet { from: LINK, mode, channel, payload };
    endpoint.peer_mut().events.push_back(PeerEvent::Packet(packet));
}

fn answer() -> ToEndpoint {
    let (mode, channel) = (TransferMode::Reliable, Channel(0));
    let (prefix, payload) = (Prefix::EMPTY, Bytes::new());
    ToEndpoint::Send(vec![Outgoing { to: LINK.into(), mode, channel, prefix, payload }])
}

#[test]
fn the_answer_of_a_branch_leaves_with_the_acknowledgements_of_what_it_answers() {
    let mut endpoint = endpoint(WAIT);
    assert_eq!(turn(&mut endpoint, 5_000), ["poll"]);
    assert_eq!(endpoint.poll_timeout(), Some(Instant::from_micros(6_000)));
    endpoint.handle_input(Instant::from_micros(5_100), answer());
    // It goes before anything else is taken in.
    bring_a_packet(&mut endpoint);
    assert_eq!(turn(&mut endpoint, 5_100), ["send", "flush", "poll"]);
    assert_eq!(endpoint.poll_timeout(), Some(Instant::from_micros(6_100)));
}

#[test]
fn who_does_not_answer_is_not_waited_for_any_longer() {
    let mut endpoint = endpoint(WAIT);
    assert_eq!(turn(&mut endpoint, 5_000), ["poll"]);
    bring_a_packet(&mut endpoint);
    assert_eq!(turn(&mut endpoint, 5_600), ["poll"]);
    bring_a_packet(&mut endpoint);
    assert_eq!(
        turn(&mut endpoint, 6_000),
        ["poll", "flush"],
        "what came later does not put it off"
    );
    assert_eq!(endpoint.poll_timeout(), Some(Instant::ZERO), "the transport's own");
}

#[test]
fn a_turn_that_brought_nothing_flushes() {
    let mut endpoint = endpoint(WAIT);
    turn(&mut endpoint, 5_000);
    turn(&mut endpoint, 6_000);
    assert_eq!(turn(&mut endpoint, 6_100), ["poll", "flush"]);
}

#[test]
fn a_transport_that_does_not_wish_it_does_not_wait() {
    let mut endpoint = endpoint(Duration::ZERO);
    assert_eq!(turn(&mut endpoint, 5_000), ["poll", "flush"]);
    endpoint.handle_input(Instant::from_micros(5_100), answer());
    bring_a_packet(&mut endpoint);
    assert_eq!(turn(&mut endpoint, 5_100), ["send", "poll", "flush"]);
}
