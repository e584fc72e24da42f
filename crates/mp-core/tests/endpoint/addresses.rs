//! Disconnecting the connections of an address.

use mp_core::testing::{ScriptedPeer, connection};
use mp_core::{
    CloseMode, ConnectionOrigin, ConnectionRouter, DisconnectReason, Endpoint, Instant,
    NewConnection, OutgoingPacket, PeerId, Route, StateMachine,
};

use crate::world::{ENDPOINT, LOBBY};

/// Assigns clients with an id to the lobby. Others are undecided.
struct ById;

impl ConnectionRouter for ById {
    fn route(&mut self, new: &NewConnection<'_>, _: &mut Vec<OutgoingPacket>) -> Route {
        new.claimed_id.map_or(Route::Undecided, |_| Route::Branch(LOBBY))
    }
}

#[test]
fn connections_of_a_network_are_disconnected_whether_or_not_they_have_a_branch() {
    let mut peer = ScriptedPeer::server();
    let addresses = ["192.0.2.1:5", "192.0.2.9:6", "198.51.100.1:5", "[::ffff:192.0.2.1]:7"];
    for (slot, address) in (0..).zip(addresses) {
        let origin = ConnectionOrigin::Address(address.parse().unwrap());
        peer.connect_from(slot, (slot != 1).then(|| PeerId::new(2 + slot as i32).unwrap()), origin);
    }
    let mut endpoint = Endpoint::new(ENDPOINT, peer, ById);
    endpoint.serve(LOBBY);
    let (now, reason) = (Instant::from_millis(1), DisconnectReason::Kicked);
    endpoint.end_turn(now);
    let count = endpoint.disconnect_addresses(now, "192.0.2.0/24".parse().unwrap(), reason);
    let mut disconnected = endpoint.peer().disconnected.clone();
    disconnected.sort_by_key(|(connection, ..)| *connection);
    let expected = [0, 1, 3].map(|slot| (connection(slot), reason, CloseMode::Graceful));
    assert_eq!((count, &disconnected[..]), (3, &expected[..]));
    assert_eq!(endpoint.stats().undecided, 0);
}
