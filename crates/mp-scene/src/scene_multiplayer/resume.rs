//! Peers that are kept after their connection was lost, and resume their session; the state of a
//! relay policy, from which another room goes on.

use mp_core::{Instant, PeerId, Target};

use super::SceneMultiplayer;
use super::paths::OutgoingCall;
use super::replication::Replication;
use super::session::KeptCall;
use crate::keep::Keep;
use crate::message::{CallNode, RemoteCall};
use crate::tree::NodeTree;
use crate::{RpcError, SceneMessage, Snapshot, SnapshotError};

impl SceneMultiplayer {
    /// Lets the program decide whether peers whose connection is lost are kept.
    pub(crate) fn enable_keeping(&mut self) {
        self.session.enable_keeping();
    }

    /// Returns whether a [relay policy](crate::BranchBuilder::relay_policy) is set.
    pub(crate) fn has_relay_policy(&self) -> bool {
        self.session.has_relay_policy()
    }

    /// Returns the state from which another room can go on, of a
    /// [relay policy](crate::BranchBuilder::relay_policy) that keeps one.
    pub fn relay_snapshot(&mut self) -> Option<Snapshot> {
        self.session.policy_snapshot()
    }

    /// Restores a state of the relay policy; `None` if there is no policy.
    pub(crate) fn restore_relay(
        &mut self,
        snapshot: &Snapshot,
    ) -> Option<Result<(), SnapshotError>> {
        self.session.restore_policy(snapshot)
    }

    /// Returns whether `peer` has lost its connection and is kept for a time.
    pub fn is_kept(&self, peer: PeerId) -> bool {
        self.sender.routes().is_kept(peer)
    }

    /// Lets a [kept](Self::is_kept) peer leave in the next turn, as if its time was over. Does
    /// nothing if it is not kept.
    pub fn end_keep(&mut self, peer: PeerId) {
        self.session.end_keep(peer);
    }

    /// Keeps a peer on these terms; `None`: it leaves.
    pub(crate) fn decide_keep(&mut self, now: Instant, peer: PeerId, keep: Option<Keep>) {
        let now = self.advance(now);
        self.with_session(|session, cx| session.decide_keep(cx, now, peer, keep));
    }

    /// Completes the resumption of the session of `old`, whose nodes have been announced to `new`:
    /// sends the calls that were queued, and what other clients have announced. `old` leaves unless
    /// it is the same peer.
    pub(crate) fn finish_resume(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        old: PeerId,
        new: PeerId,
    ) {
        let now = self.advance(now);
        self.apply_tree_changes(now, tree);
        let calls = self.session.take_kept_calls(old);
        for call in calls {
            if self.has_peer(new) && !self.is_kept(new) {
                self.send_kept_call(now, tree, new, call);
            } else {
                self.sender.count_kept_drops(1);
            }
        }
        if old == new {
            self.session.repeat_announcements(&mut self.sender, new);
        } else if self.is_kept(old) {
            self.with_session(|session, cx| session.remove_peer(cx, old, false));
        }
    }

    /// Queues or drops a call to peers that are kept.
    pub(super) fn call_kept(
        &mut self,
        tree: &dyn NodeTree,
        peers: &[PeerId],
        method: &str,
        call: &OutgoingCall<'_>,
        args: &[mp_core::Variant],
    ) -> Result<(), RpcError> {
        for &peer in peers {
            if !call.config.transfer_mode.is_reliable() || !self.session.queues_calls(peer) {
                self.sender.count_kept_drops(1);
                continue;
            }
            let (node, args) = (CallNode::Path(call.path(tree).to_owned()), args.to_vec());
            let message = RemoteCall { node, method: call.number, args, complete: true };
            let message = SceneMessage::RemoteCall(message);
            let size = self.sender.wire().encode(&message)?.len();
            let SceneMessage::RemoteCall(RemoteCall { args, .. }) = message else { continue };
            let kept = KeptCall { node: call.node, method: method.to_owned(), args, size };
            self.with_session(|session, cx| session.queue_kept_call(cx, peer, kept));
        }
        Ok(())
    }

    /// Sends a queued call, unless its node has left or is hidden from the peer.
    fn send_kept_call(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        peer: PeerId,
        call: KeptCall,
    ) {
        let KeptCall { node, method, args, .. } = call;
        let sent = tree.rpc_ids(node).and_then(|ids| {
            let (number, config) = ids.by_name(&method)?;
            let target = Target::Peer(peer);
            let peers = self
                .replicating(now, tree, |it: &mut Replication, cx| it.callees(cx, node, target));
            let call = OutgoingCall::new(node, &ids, number, config);
            let sent = self.paths.send_call(&mut self.sender, tree, &peers, &call, args);
            (sent.is_ok() && !peers.is_empty()).then_some(())
        });
        if sent.is_none() {
            self.sender.count_kept_drops(1);
        }
    }
}
