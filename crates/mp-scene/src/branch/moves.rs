//! Moves of peers between branches.

use mp_core::{BranchId, PeerId};

use super::Branch;
use crate::builder::PeerAuthority;
#[cfg(doc)]
use crate::{BranchBuilder, Signal};
use crate::{IdBlocks, MoveError, Scene};

impl Branch {
    /// Allows peers to [move](Self::move_peer) between this branch and others with the same `ids`,
    /// as [`BranchBuilder::moves`] does. To be called before the branch has peers: nodes that they
    /// know keep their ids.
    pub fn enable_moves(&mut self, ids: &IdBlocks) {
        self.scene.multiplayer_mut().enable_moves(ids);
    }

    /// Expects `peer`, which another branch is about to [move](Self::move_peer) to this one, and
    /// reserves its id for 10 s ([`EXPECTED_TIME`](crate::limits::EXPECTED_TIME)).
    ///
    /// This is the first step of a move, and the only one that the target may refuse: the other
    /// branch still has the peer. `mp_actor::BranchRef::move_peer` makes all steps.
    ///
    /// # Errors
    ///
    /// See [`MoveError`].
    pub fn expect_peer(&mut self, peer: PeerId) -> Result<(), MoveError> {
        let now = self.scene.now();
        let multiplayer = |scene: &mut Scene| scene.multiplayer_mut().expect_peer(now, peer);
        multiplayer(&mut self.scene)?;
        let is_accepted = self.hooks.run_expected(&mut self.scene, peer);
        self.run_events();
        if !is_accepted {
            self.cancel_expected(peer);
            return Err(MoveError::Refused);
        }
        Ok(())
    }

    /// Releases the id of a peer that will not arrive. Does nothing if it is not expected.
    pub fn cancel_expected(&mut self, peer: PeerId) {
        self.scene.multiplayer_mut().cancel_expected(peer);
    }

    /// Moves `peer` with its connection to the branch `to`, which [expects](Self::expect_peer) it
    /// and is served by the same endpoint. The remote peer stays connected, and need not be
    /// prepared: it can be an unmodified Godot client.
    ///
    /// 1. The endpoint holds the connection. This branch handles the packets that it has received
    ///    before.
    /// 2. The [hooks](BranchBuilder::on_peer_moving) of this branch run.
    /// 3. The peer is sent DESPAWN of the nodes that it was shown, and DEL_PEER of the other peers
    ///    except 1; the others are sent DEL_PEER of it. Nodes that it had spawned are removed, and
    ///    authority that it has returns to 1. This branch has
    ///    [`PeerDisconnected`](Signal::PeerDisconnected), and so have the others.
    /// 4. The endpoint moves the connection. If it does not accept that, for example because the
    ///    other branch has ended meanwhile, this branch admits the peer again as if it had moved to
    ///    itself.
    /// 5. The other branch admits the peer ([`PeerConnected`](Signal::PeerConnected)) without
    ///    authentication, announces the other peers, and spawns what the peer may see.
    ///
    /// Packets that the remote peer has sent for this branch and that are received later are
    /// dropped and counted ([`moved_packets`](crate::SceneStats::moved_packets)). That holds for
    /// reliable messages on channel 0. Other messages are not ordered with the move: a call that is
    /// unreliable or on another channel, and a raw packet, may reach the other branch late, if it
    /// has a node of the same path. Nodes that a branch spawns have ids of their own, so that calls
    /// and properties of these are dropped. A message for the other branch that overtakes the
    /// confirmation of the move on channel 0 is dropped, too. The remote peer may in turn receive
    /// late unreliable messages of this branch. A game that sends such messages should name the
    /// room in their arguments.
    ///
    /// [Rates](crate::rpc::RpcConfig::rate) of calls start anew in the other branch.
    ///
    /// # Errors
    ///
    /// See [`MoveError`]; the peer then stays.
    pub fn move_peer(&mut self, peer: PeerId, to: BranchId) -> Result<(), MoveError> {
        let multiplayer = self.scene.multiplayer_mut();
        multiplayer.check_release(peer)?;
        multiplayer.hold_peer(peer, to);
        Ok(())
    }

    /// Releases a peer whose connection is held. Does nothing if a hook disconnects the peer.
    pub(super) fn release_peer(&mut self, peer: PeerId) {
        let authority = self.hooks.run_moving(&mut self.scene, peer);
        self.run_events();
        if !self.scene.multiplayer().has_peer(peer) {
            return;
        }
        let now = self.scene.now();
        let (tree, api) = self.scene.parts();
        api.scene_multiplayer_mut().release_peer(now, tree, peer);
        self.run_events();
        if authority == PeerAuthority::Return {
            let tree = self.scene.tree_mut();
            for node in tree.nodes_of_authority(peer) {
                // The node is in the tree.
                let _ = tree.set_multiplayer_authority(node, PeerId::SERVER, false);
            }
            self.run_events();
        }
    }
}
