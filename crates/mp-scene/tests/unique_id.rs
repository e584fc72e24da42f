//! Who this side is, when the server says so.

use mp_core::{
    BranchId, ConnectionStatus, DisconnectReason, Endpoint, EndpointId, Farewell, Instant,
    MultiplayerPeer, Outgoing, PeerEvent, PeerId, SendError, StateMachine,
};
use mp_scene::prelude::*;

/// A client whose server draws its id.
struct Assigned {
    id: PeerId,
    event: Option<PeerEvent>,
}

impl MultiplayerPeer for Assigned {
    fn poll(&mut self, _now: Instant) {}
    fn next_event(&mut self) -> Option<PeerEvent> {
        let event = self.event.take();
        if let Some(PeerEvent::UniqueId(id)) = event {
            self.id = id;
        }
        event
    }
    fn send(&mut self, _outgoing: Outgoing) -> Result<(), SendError> {
        Ok(())
    }
    fn flush(&mut self, _now: Instant) {}
    fn disconnect(&mut self, _: mp_core::ConnectionId, _: DisconnectReason, _: Farewell) {}
    fn close(&mut self) {}
    fn unique_id(&self) -> PeerId {
        self.id
    }
    fn connection_status(&self) -> ConnectionStatus {
        ConnectionStatus::Connecting
    }
}

fn id(raw: i32) -> PeerId {
    PeerId::new(raw).unwrap()
}

#[test]
fn a_polled_branch_learns_the_id_that_the_server_drew() {
    let mut peer = Assigned { id: id(77), event: None };
    let mut branch = Branch::builder("/root").build().unwrap();
    branch.poll(&mut peer, Instant::from_millis(1));
    assert_eq!(branch.scene().unique_id(), id(77));
    peer.event = Some(PeerEvent::UniqueId(id(1_234)));
    branch.poll(&mut peer, Instant::from_millis(2));
    assert_eq!(branch.scene().unique_id(), id(1_234));
}

#[test]
fn a_branch_behind_an_endpoint_learns_it_too() {
    let now = Instant::from_millis(1);
    let peer = Assigned { id: id(77), event: Some(PeerEvent::UniqueId(id(1_234))) };
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
