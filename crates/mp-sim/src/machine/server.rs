//! [`ServerMachine`]: a server with one branch.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;

use mp_core::{
    ConnectionId, ConnectionRouter, Endpoint, EndpointId, Instant, OutgoingPacket, PeerId, Rng,
    ToBranch, ToEndpoint,
};
use mp_host::{BranchHost, EndpointHost, LocalMailbox};
use mp_scene::{Branch, Scene};
use mp_transport_enet::{EnetMultiplayerPeer, ServerOptions};

use super::{BRANCH, TIMEOUT};
use crate::net::socket::SimSocket;
use crate::rng_ext::RngExt;

/// A server: an endpoint, a branch, and the mailboxes between them.
pub(crate) struct ServerMachine<R> {
    endpoint: Endpoint<EnetMultiplayerPeer<SimSocket>, R>,
    endpoint_host: EndpointHost<LocalMailbox<ToBranch>>,
    branch: Branch,
    branch_host: BranchHost<LocalMailbox<ToEndpoint>>,
    mail: LocalMailbox<ToBranch>,
    out: LocalMailbox<ToEndpoint>,
    /// Messages that the branch has sent and the endpoint has not received yet.
    sent: VecDeque<ToEndpoint>,
    /// Peers by connection, also those that have left.
    peers: BTreeMap<ConnectionId, PeerId>,
    /// Times of the next turns of the endpoint and the branch without input.
    due: [Option<Instant>; 2],
}

/// The programs of a server that have a turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turns {
    endpoint: bool,
    branch: bool,
}

impl Turns {
    /// Both programs have a turn.
    pub(crate) const ALL: Self = Self { endpoint: true, branch: true };

    /// Draws a turn that each program may miss.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        Self { endpoint: rng.chance(800), branch: rng.chance(800) }
    }
}

impl<R: ConnectionRouter> ServerMachine<R> {
    pub(crate) fn new(socket: SimSocket, router: R, branch: Branch, seed: [u8; 32]) -> Self {
        let options = ServerOptions::default().seed(seed).timeout(TIMEOUT);
        let peer = EnetMultiplayerPeer::server(socket, options).expect("valid options");
        let mut endpoint = Endpoint::new(ENDPOINT, peer, router).shared();
        let (mail, out) = (LocalMailbox::unbounded(), LocalMailbox::unbounded());
        let (mut endpoint_host, mut branch_host) = (EndpointHost::new(), BranchHost::new());
        branch_host.attach(ENDPOINT, out.clone());
        endpoint_host.serve(&mut endpoint, BRANCH, mail.clone());
        let (sent, peers, due) = (VecDeque::new(), BTreeMap::new(), [Some(Instant::ZERO); 2]);
        Self { endpoint, endpoint_host, branch, branch_host, mail, out, sent, peers, due }
    }

    /// Returns whether a turn is due although no datagram was received.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let has_input = !self.sent.is_empty() || !self.mail.is_empty();
        has_input || self.due.into_iter().flatten().any(|due| due <= now)
    }

    /// Runs a turn. `act` runs in the branch's turn, before packets of this turn are sent.
    /// `witness` is called with each packet that the branch sends, and its receiver.
    pub(crate) fn step(
        &mut self,
        now: Instant,
        turns: Turns,
        act: impl FnOnce(&mut Scene),
        witness: &mut dyn FnMut(PeerId, &OutgoingPacket),
    ) {
        if turns.endpoint {
            while let Some(message) = self.sent.pop_front() {
                self.endpoint_host.handle_input(&mut self.endpoint, now, BRANCH, message);
            }
            self.due[0] = next(self.endpoint_host.turn(&mut self.endpoint, now));
        }
        if turns.branch {
            while let Some(message) = self.mail.pop() {
                self.branch_host.handle_input(&mut self.branch, now, message);
            }
            let scene = self.scene(now);
            act(scene);
            self.due[1] = next(self.branch_host.turn(&mut self.branch, now));
            self.collect(witness);
        }
        self.endpoint_host.record_call();
    }

    pub(crate) fn scene(&mut self, now: Instant) -> &mut Scene {
        let scene = self.branch.scene();
        scene.set_now(now);
        scene
    }

    /// Takes what the branch has sent.
    fn collect(&mut self, witness: &mut dyn FnMut(PeerId, &OutgoingPacket)) {
        let multiplayer = self.branch.scene().multiplayer();
        for peer in multiplayer.peers() {
            if let Some((_, connection)) = multiplayer.connection(peer) {
                self.peers.insert(connection, peer);
            }
        }
        while let Some(message) = self.out.pop() {
            if let ToEndpoint::Send(packets) = &message {
                for packet in packets {
                    let to = packet.to.as_slice().iter().filter_map(|to| self.peers.get(to));
                    to.for_each(|&peer| witness(peer, packet));
                }
            }
            self.sent.push_back(message);
        }
    }
}

/// Returns the time of the next turn, unless there is none.
fn next<B>(outcome: ControlFlow<B, Option<Instant>>) -> Option<Instant> {
    outcome.continue_value().flatten()
}

const ENDPOINT: EndpointId = EndpointId(0);
