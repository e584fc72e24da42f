//! [`ClientMachine`]: a client.

use std::time::Duration;

use mp_core::BranchId;
use mp_core::{
    CloseMode, ConnectionStatus, DisconnectReason, Endpoint, EndpointId, Instant, MultiplayerPeer,
    Packet, PeerEvent, PeerId, StateMachine, ToBranch,
};
use mp_scene::{Branch, Refusal, Scene};
use mp_transport_enet::{ClientOptions, EnetMultiplayerPeer};

use super::BRANCH;
use crate::net::SimulatedNetwork;
use crate::net::socket::SimSocket;

/// A client of a server with one branch.
pub(crate) struct ClientMachine {
    endpoint: Endpoint<EnetMultiplayerPeer<SimSocket>, BranchId>,
    branch: Branch,
    id: PeerId,
    /// Time at which a client that leaves is dropped although it has not finished leaving.
    ends: Option<Instant>,
    /// True if something has happened since the last turn of the branch.
    is_touched: bool,
}

impl ClientMachine {
    /// Connects to the server.
    pub(crate) fn new(socket: SimSocket, options: ClientOptions, branch: Branch) -> Self {
        let server = SimulatedNetwork::server_address(0);
        let peer = EnetMultiplayerPeer::client(socket, server, options).expect("valid options");
        let id = peer.unique_id();
        let mut endpoint = Endpoint::new(EndpointId(0), peer, BRANCH);
        endpoint.serve(BRANCH);
        Self { endpoint, branch, id, ends: None, is_touched: true }
    }

    pub(crate) fn id(&self) -> PeerId {
        self.id
    }

    pub(crate) fn scene(&mut self) -> &mut Scene {
        self.branch.scene()
    }

    /// Returns whether the client is in a session, and is not leaving.
    pub(crate) fn is_playing(&mut self) -> bool {
        self.ends.is_none() && self.branch.scene().peers().contains(&PeerId::SERVER)
    }

    /// Begins to close the connection gracefully, unless the client is leaving.
    pub(crate) fn leave(&mut self, now: Instant) {
        if self.ends.is_some() {
            return;
        }
        self.ends = Some(now + LEAVING);
        self.is_touched = true;
        self.branch.close(DisconnectReason::Closed, CloseMode::Drain);
    }

    /// Returns whether a turn is due although no datagram was received.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let due = [self.endpoint.poll_timeout(), self.branch.poll_timeout(), self.ends];
        self.is_touched || due.into_iter().flatten().any(|due| due <= now)
    }

    /// Receives what has arrived. Calls `witness` with each packet.
    pub(crate) fn receive(&mut self, now: Instant, witness: &mut dyn FnMut(&Packet)) {
        self.endpoint.receive(now);
        self.deliver(now, witness);
        self.branch.scene().set_now(now);
    }

    /// Sends what the program has sent in this turn.
    pub(crate) fn send(&mut self, now: Instant, witness: &mut dyn FnMut(&Packet)) {
        self.is_touched = false;
        self.branch.end_turn(now);
        let endpoint = &mut self.endpoint;
        self.branch.deliver(&mut |_, message| {
            endpoint.handle_input(now, (BRANCH, message));
            Ok(())
        });
        self.endpoint.finish_turn(now);
        self.deliver(now, witness);
    }

    /// Checks that the client has refused no announcement of a node, and nothing malformed. The
    /// error is a violation. Paths of nodes that have left may be refused.
    pub(crate) fn check_refusals(&mut self) -> Result<(), String> {
        let refusals = self.branch.scene().multiplayer().refusals();
        match NEVER.into_iter().find(|&refusal| refusals.get(refusal) > 0) {
            Some(refusal) => Err(format!("{} has refused a packet: {refusal}", self.id)),
            None => Ok(()),
        }
    }

    /// Returns whether the program has ended.
    pub(crate) fn has_ended(&self, now: Instant) -> bool {
        let status = self.endpoint.peer().connection_status();
        status == ConnectionStatus::Disconnected || self.ends.is_some_and(|end| now >= end)
    }

    fn deliver(&mut self, now: Instant, witness: &mut dyn FnMut(&Packet)) {
        let Self { endpoint, branch, is_touched, .. } = self;
        endpoint.deliver(&mut |_, message: ToBranch| {
            if let ToBranch::Events(_, events) = &message {
                for event in events {
                    if let PeerEvent::Packet(packet) = event {
                        witness(packet);
                    }
                }
            }
            *is_touched = true;
            branch.handle_input(now, message);
            Ok(())
        });
    }
}

/// Reasons for which a client of a correct server refuses nothing.
const NEVER: [Refusal; 7] = [
    Refusal::Malformed,
    Refusal::MismatchedAnnouncement,
    Refusal::NameTaken,
    Refusal::NetIdTaken,
    Refusal::NoSpawner,
    Refusal::NothingSpawned,
    Refusal::PathIdTaken,
];
/// Time in which a client closes its connection.
const LEAVING: Duration = Duration::from_secs(3);
