//! The local peer's id, when the server assigns it.

use mp_core::testing::ScriptedPeer;
use mp_core::{
    BranchId, ConnectionStatus, Endpoint, EndpointId, Instant, PeerEvent, PeerId, StateMachine,
};
use mp_scene::prelude::*;

/// Returns the transport of a client whose server assigns its id.
fn client(event: Option<PeerEvent>) -> ScriptedPeer {
    let mut peer = ScriptedPeer::new(id(77));
    peer.status = ConnectionStatus::Connecting;
    peer.events.extend(event);
    peer
}

fn id(raw: i32) -> PeerId {
    PeerId::new(raw).unwrap()
}

#[test]
fn a_polled_branch_receives_the_id_assigned_by_the_server() {
    let mut peer = client(None);
    let mut branch = Branch::builder("/root").build().unwrap();
    branch.poll(&mut peer, Instant::from_millis(1));
    assert_eq!(branch.scene().unique_id(), id(77));
    peer.events.push_back(PeerEvent::UniqueId(id(1_234)));
    branch.poll(&mut peer, Instant::from_millis(2));
    assert_eq!(branch.scene().unique_id(), id(1_234));
}

#[test]
fn a_branch_with_an_endpoint_receives_the_id_assigned_by_the_server() {
    let now = Instant::from_millis(1);
    let peer = client(Some(PeerEvent::UniqueId(id(1_234))));
    let mut endpoint = Endpoint::new(EndpointId(1), peer, BranchId(0));
    endpoint.serve(BranchId(0));
    let mut branch = Branch::builder("/root").build().unwrap();
    endpoint.end_turn(now);
    endpoint.deliver(&mut |_, message| {
        branch.handle_input(now, message);
        Ok(())
    });
    assert_eq!(branch.scene().unique_id(), id(1_234));
}
