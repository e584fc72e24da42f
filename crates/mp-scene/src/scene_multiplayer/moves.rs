//! Moving peers between branches.

use mp_core::{BranchId, CarriedSession, ConnectionId, EndpointId, Instant, PeerId, ToEndpoint};

use super::replication::PeerNumbers;
use super::session::{MovedConnection, ReleasedPeer};
use super::{MoveError, Replication, SceneMultiplayer};
use crate::ids::IdBlocks;
use crate::limits::CARRIED_IDS_MAX;
use crate::signal::Signal;
use crate::tree::NodeTree;

impl SceneMultiplayer {
    /// Allows peers to move from and to the branch, whose ids are drawn from `blocks`.
    pub(crate) fn enable_moves(&mut self, blocks: &IdBlocks) {
        // A confirmation by path could be one of an earlier probe, not of the fence.
        if !self.sender.wire().confirms_by_path() {
            self.session.enable_moves();
        }
        self.paths.set_id_blocks(blocks.clone());
        self.replication.set_id_blocks(blocks.clone());
    }

    /// Expects a peer; see [`Branch::expect_peer`](crate::Branch::expect_peer).
    pub(crate) fn expect_peer(&mut self, now: Instant, peer: PeerId) -> Result<(), MoveError> {
        let now = self.advance(now);
        self.session.expect_peer(&self.sender, now, peer)
    }

    /// Stops expecting a peer. Does nothing if it is not expected.
    pub(crate) fn cancel_expected(&mut self, peer: PeerId) {
        self.session.cancel_expected(peer);
    }

    /// Returns whether the branch expects `peer`, which another branch is about to move to it.
    pub fn is_expected(&self, peer: PeerId) -> bool {
        self.session.is_expected(self.clock.now(), peer)
    }

    /// Checks that `peer` can move to another branch.
    pub(crate) fn check_release(&self, peer: PeerId) -> Result<(), MoveError> {
        self.session.check_release(&self.sender, peer)?;
        if self.paths.announced_len(peer) > CARRIED_IDS_MAX {
            return Err(MoveError::TooManyIds(peer));
        }
        Ok(())
    }

    /// Starts to move `peer` to the branch `to`: [`ApiEvent::PeerHeld`](crate::api::ApiEvent)
    /// follows when it can be [released](Self::release_peer).
    pub(crate) fn hold_peer(&mut self, peer: PeerId, to: BranchId) {
        self.session.hold_peer(&mut self.sender, peer, to);
    }

    /// Removes `peer`, whose connection is held, from the branch, and moves the connection. The
    /// peer is sent what was queued for it, then DESPAWN of all nodes that it was shown, and
    /// DEL_PEER of the other peers.
    pub(crate) fn release_peer(&mut self, now: Instant, tree: &mut dyn NodeTree, peer: PeerId) {
        let now = self.advance(now);
        self.apply_tree_changes(now, tree);
        self.sender.resume(peer);
        self.replicating(now, tree, |it: &mut Replication, cx| it.despawn_all_on(cx, peer));
        let (announced, assigned) = self.paths.carry(peer);
        let PeerNumbers { time: sync_time, last_net_id } = self.replication.numbers_of(peer);
        let released = self.with_session(|session, cx| session.release_peer(cx, now, peer));
        let Some(ReleasedPeer { endpoint, connection, to, malformed_packets }) = released else {
            return;
        };
        let carried =
            CarriedSession { announced, assigned, last_net_id, sync_time, malformed_packets };
        let (branch, carried) = (to, Box::new(carried));
        self.sender.command_one(endpoint, ToEndpoint::Move { connection, branch, carried });
    }

    /// Admits the peer of a connection that was moved to this branch.
    pub(super) fn handle_moved(
        &mut self,
        now: Instant,
        tree: &dyn NodeTree,
        (endpoint, connection): (EndpointId, ConnectionId),
        claimed_id: Option<PeerId>,
        carried: CarriedSession,
    ) {
        let CarriedSession { announced, assigned, last_net_id, sync_time, malformed_packets } =
            carried;
        let fence = self.paths.new_probe(tree);
        let moved = MovedConnection { endpoint, connection, claimed_id, malformed_packets, fence };
        let peer = self.with_session(|session, cx| session.handle_moved(cx, now, moved));
        if let Some(peer) = peer {
            self.paths.add_carried(peer, &announced, assigned);
            self.replication.set_numbers(peer, PeerNumbers { time: sync_time, last_net_id });
            self.events.emit(Signal::PeerConnected(peer));
        }
    }
}
