//! As many players as there can be, who come all at once.

use mp_core::limits::BATCH_EVENTS_MAX;
use mp_core::{
    BranchId, ConnectionId, ConnectionStatus, EndpointId, EndpointInfo, Instant, Origin, PeerEvent,
    PeerId, StateMachine, ToBranch, ToEndpoint,
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

/// Each newcomer makes two packets for each who is there; a batch of them in a room that is almost full makes two million, before the
/// endpoint can take one.
#[test]
fn a_full_batch_of_players_joins_a_room_that_is_almost_full() {
    let (mut branch, now) = (Branch::builder("/root").build().unwrap(), Instant::from_millis(1));
    branch.set_id(BranchId(0));
    let info = EndpointInfo {
        unique_id: PeerId::SERVER,
        status: ConnectionStatus::Connected,
        relay_supported: true,
        max_packet_size: 1 << 20,
    };
    branch.handle_input(now, ToBranch::Opened(ENDPOINT, info));
    // Nobody is told of the first ones, which only takes time.
    let first = PLAYERS - BATCH_EVENTS_MAX as u16;
    branch.scene().multiplayer_mut().set_server_relay(false);
    branch.handle_input(now, ToBranch::Events(ENDPOINT, (0..first).map(arrival).collect()));
    branch.scene().multiplayer_mut().set_server_relay(true);

    branch.handle_input(now, ToBranch::Events(ENDPOINT, (first..PLAYERS).map(arrival).collect()));

    branch.end_turn(now);
    let mut announced = 0;
    branch.deliver(&mut |_, message| {
        match message {
            ToEndpoint::Send(packets) => announced += packets.len(),
            other => panic!("{other:?}"),
        }
        Ok(())
    });
    assert_eq!(branch.scene().peers().len(), usize::from(PLAYERS));
    let pairs = (first..PLAYERS).map(usize::from).sum::<usize>();
    assert_eq!(announced, 2 * pairs);
}
