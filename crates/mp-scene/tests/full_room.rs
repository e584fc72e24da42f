//! Announcements of peers in a full room: each is queued once for all receivers, also when many
//! players join at the same time.

use mp_core::limits::BATCH_EVENTS_MAX;
use mp_core::{
    ConnectionId, ConnectionOrigin, ConnectionStatus, DisconnectReason, EndpointId, EndpointInfo,
    Instant, OutgoingPacket, PeerEvent, PeerId, StateMachine, ToBranch, ToEndpoint,
};
use mp_scene::Branch;

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
    let mut branch = Branch::builder("/root").build().unwrap();
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
