//! Announcements of peers: queued once for all who get them, also when as many players as there can
//! be come all at once.

use mp_core::limits::BATCH_EVENTS_MAX;
use mp_core::{
    BranchId, ConnectionId, ConnectionStatus, DisconnectReason, EndpointId, EndpointInfo, Instant,
    Origin, Outgoing, PeerEvent, PeerId, StateMachine, ToBranch, ToEndpoint,
};
use mp_scene::Branch;

const ENDPOINT: EndpointId = EndpointId(1);
/// ENet's most.
const PLAYERS: u16 = 4_095;

fn arrival(slot: u16) -> PeerEvent {
    let connection = ConnectionId { slot: slot.into(), generation: 0 };
    let claimed_id = PeerId::new(2 + i32::from(slot));
    PeerEvent::Connected { connection, claimed_id, origin: Origin::Process }
}

/// A server without peers, on an endpoint that relays.
fn room() -> Branch {
    let mut branch = Branch::builder("/root").build().unwrap();
    branch.set_id(BranchId(0));
    let info = EndpointInfo {
        unique_id: PeerId::SERVER,
        status: ConnectionStatus::Connected,
        relay_supported: true,
        max_packet_size: 1 << 20,
    };
    branch.handle_input(Instant::from_millis(1), ToBranch::Opened(ENDPOINT, info));
    branch
}

/// The packets that wait for the endpoint.
fn delivered(branch: &mut Branch) -> Vec<Outgoing> {
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
fn a_peer_that_leaves_is_taken_back_from_all_others_at_once() {
    let (mut branch, now) = (room(), Instant::from_millis(1));
    branch.handle_input(now, ToBranch::Events(ENDPOINT, (0..4).map(arrival).collect()));
    delivered(&mut branch);
    let (connection, reason) = (ConnectionId { slot: 1, generation: 0 }, DisconnectReason::Timeout);
    let event = PeerEvent::Disconnected { connection, reason };
    branch.handle_input(now, ToBranch::Events(ENDPOINT, vec![event]));
    let [packet] = &delivered(&mut branch)[..] else { panic!("not once") };
    assert_eq!(packet.payload[..], [7, 2, 3, 0, 0, 0]);
    let to = [0, 2, 3].map(|slot| ConnectionId { slot, generation: 0 });
    // The last peer has taken the place of the one that left, but not yet when the others are told.
    assert_eq!(packet.to.as_slice(), to);
}

/// Each newcomer makes a packet for each who is there, and one for all of them; a batch of them in a room that is almost full makes
/// a million, before the endpoint can take one.
#[test]
fn a_full_batch_of_players_joins_a_room_that_is_almost_full() {
    let (mut branch, now) = (room(), Instant::from_millis(1));
    // Nobody is told of the first ones, which only takes time.
    let first = PLAYERS - BATCH_EVENTS_MAX as u16;
    branch.scene().multiplayer_mut().set_server_relay(false);
    branch.handle_input(now, ToBranch::Events(ENDPOINT, (0..first).map(arrival).collect()));
    branch.scene().multiplayer_mut().set_server_relay(true);

    branch.handle_input(now, ToBranch::Events(ENDPOINT, (first..PLAYERS).map(arrival).collect()));

    branch.end_turn(now);
    let announced = delivered(&mut branch).len();
    assert_eq!(branch.scene().peers().len(), usize::from(PLAYERS));
    let pairs = (first..PLAYERS).map(usize::from).sum::<usize>();
    assert_eq!(announced, pairs + BATCH_EVENTS_MAX, "a newcomer is announced to all at once");
}
