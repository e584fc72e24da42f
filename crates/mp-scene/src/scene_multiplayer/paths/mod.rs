//! Calls, path ids of nodes, and messages that are deferred until their nodes are added (Godot:
//! `SceneCacheInterface` and `SceneRPCInterface`).
//!
//! * `call` sends calls;
//! * `call_limiter` limits received calls;
//! * `receive` checks calls, path announcements and confirmations of peers;
//! * `deferred` stores messages for nodes that are not there yet;
//! * `departed` records nodes that have left, so that a late call does not reach their successors.

mod call;
mod call_limiter;
mod deferred;
mod departed;
mod receive;

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use mp_core::{AnnouncedId, AssignedId, DisconnectReason, Instant, PeerId};

use super::sender::Sender;
use super::{GodotQuirks, NotAccepted, Refusal, Refusals, refusal};
use crate::SceneMessage;
use crate::ids::{IdBlocks, IdCounter};
use crate::path_cache::{Announcement, OwnPaths, RemotePaths};
use crate::tree::{NodeId, NodeTree, TreeChange};
pub(super) use call::OutgoingCall;
use call_limiter::CallLimiter;
pub(super) use deferred::{Awaited, ExpiredMessages, MessageKind};
use deferred::{DeferredMessage, DeferredMessages};
use departed::Departed;
pub(super) use receive::ReceivedCall;

/// Path ids in both directions, deferred messages and departed nodes.
#[derive(Debug, Default)]
pub(super) struct Paths {
    own: OwnPaths,
    remote: RemotePaths,
    deferred: DeferredMessages,
    /// Messages whose nodes have entered, while changes of the tree are applied.
    ready: VecDeque<DeferredMessage>,
    departed: Departed,
    limiter: CallLimiter,
    /// Checksums of the local RPC tables of which a mismatch was reported.
    reported_tables: BTreeSet<[u8; 32]>,
    stats: PathStats,
    refusals: Refusals,
    /// The part of `refusals` that concerns calls.
    call_refusals: Refusals,
}

/// Counters; see [`SceneStats`](crate::SceneStats).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PathStats {
    pub(super) refused_calls: u64,
    pub(super) refused_announcements: u64,
    pub(super) refused_elements: u64,
    pub(super) stray_packets: u64,
    pub(super) repeated_paths: u64,
    pub(super) discarded_paths: u64,
    pub(super) moved_packets: u64,
}

impl Paths {
    pub(super) fn add_peer(&mut self, peer: PeerId) {
        self.own.add_peer(peer);
        self.remote.add_peer(peer);
        self.departed.add_peer(peer);
    }

    /// Ends the session of a peer. Its deferred messages are dropped and counted.
    ///
    /// Every field is named here, so that a new one must be classified as state of a peer or not.
    pub(super) fn remove_peer(&mut self, peer: PeerId) {
        // `ready` is empty between two inputs.
        let Self {
            own,
            remote,
            deferred,
            ready: _,
            departed,
            limiter,
            reported_tables: _,
            stats,
            refusals: _,
            call_refusals: _,
        } = self;
        own.remove_peer(peer);
        remote.remove_peer(peer);
        departed.remove_peer(peer);
        limiter.remove_peer(peer);
        stats.stray_packets += deferred.remove_peer(peer) as u64;
    }

    /// Ends the session: path ids start again.
    pub(super) fn clear(&mut self) {
        self.own.clear();
        self.remote.clear();
        self.deferred = DeferredMessages::default();
        self.departed = Departed::default();
        self.limiter = CallLimiter::default();
    }

    /// Sets the time from which the delays of repeated announcements are measured.
    pub(super) fn set_now(&mut self, now: Instant) {
        self.own.set_now(now);
    }

    /// Drops and counts messages that have timed out; returns the announcements among them.
    pub(super) fn sweep(&mut self, now: Instant) -> Vec<ExpiredMessages> {
        let expired = self.deferred.expired(now);
        for (from, kind) in self.deferred.sweep(now) {
            self.refuse(from, kind, Refusal::NoNode);
        }
        expired
    }

    /// Returns the time of the next [`sweep`](Self::sweep) or [`take_due`](Self::take_due).
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.deferred.next_sweep().into_iter().chain(self.own.next_due()).min()
    }

    /// Returns the local path id of a node, and assigns one if necessary.
    pub(super) fn id_of(&mut self, node: NodeId) -> u32 {
        self.own.id_of(node)
    }

    /// Returns whether a peer has confirmed a path id.
    pub(super) fn is_confirmed(&self, peer: PeerId, id: u32) -> bool {
        self.own.is_confirmed(peer, id)
    }

    /// Announces the path of a node to a peer, if that was not done before; returns whether the
    /// peer has confirmed it.
    pub(super) fn announce(
        &mut self,
        sender: &mut Sender,
        tree: &dyn NodeTree,
        peer: PeerId,
        node: NodeId,
    ) -> bool {
        let id = self.own.id_of(node);
        if self.own.record_announced(peer, id, node) {
            send_path(sender, tree, peer, id, node);
        }
        self.own.is_confirmed(peer, id)
    }

    /// Announces the path of a node again, to a peer that may not have had the node before.
    pub(super) fn announce_again(
        &mut self,
        sender: &mut Sender,
        tree: &dyn NodeTree,
        peer: PeerId,
        id: u32,
        node: NodeId,
    ) {
        send_path(sender, tree, peer, id, node);
        self.stats.repeated_paths += 1;
        self.own.record_repeated(peer, id);
    }

    /// Announces a new path id of a node to a peer that has not confirmed the previous one.
    pub(super) fn announce_anew(
        &mut self,
        sender: &mut Sender,
        tree: &dyn NodeTree,
        peer: PeerId,
        node: NodeId,
    ) {
        self.announce(sender, tree, peer, node);
        let id = self.own.id_of(node);
        self.own.record_repeated(peer, id);
    }

    /// Announces the root to a peer under an id that is not used otherwise. The peer's
    /// SceneMultiplayer confirms it, which shows that its program runs.
    pub(super) fn probe(&mut self, sender: &mut Sender, tree: &dyn NodeTree, peer: PeerId) {
        let (_, probe) = self.new_probe(tree);
        if let Some(probe) = probe {
            sender.send_message(&probe, peer);
        }
    }

    /// Returns an announcement of the root under an id that is not used otherwise, and the id.
    pub(super) fn new_probe(&mut self, tree: &dyn NodeTree) -> (u32, Option<SceneMessage>) {
        let id = self.own.next_id();
        (id, tree.find(".").and_then(|root| simplify_path(tree, id, root)))
    }

    /// Returns the counter of the local path ids.
    pub(super) fn counter(&self) -> &IdCounter {
        self.own.counter()
    }

    pub(super) fn counter_mut(&mut self) -> &mut IdCounter {
        self.own.counter_mut()
    }

    /// Draws the path ids of nodes from `blocks`.
    pub(super) fn set_id_blocks(&mut self, blocks: IdBlocks) {
        self.own.set_blocks(blocks);
    }

    /// Adds the path ids of a peer that has moved to this branch.
    pub(super) fn add_carried(
        &mut self,
        peer: PeerId,
        announced: &[AnnouncedId],
        assigned: Vec<AssignedId>,
    ) {
        self.own.add_carried(peer, announced);
        assigned.into_iter().for_each(|id| self.remote.add_carried(peer, id));
    }

    /// Returns the path ids that a peer knows and has assigned, in this branch and earlier ones.
    pub(super) fn carry(&self, peer: PeerId) -> (Vec<AnnouncedId>, Vec<AssignedId>) {
        (self.own.carry(peer), self.remote.carry(peer))
    }

    /// Returns the number of path ids that were announced to a peer, in this branch and earlier
    /// ones.
    pub(super) fn announced_len(&self, peer: PeerId) -> usize {
        self.own.carried_len(peer)
    }

    /// Removes and returns a path id that is due to be announced again, because the peer has not
    /// confirmed it.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<(PeerId, u32, NodeId)> {
        self.own.take_due(now)
    }

    /// Returns the path ids that a peer has not confirmed for so long that it may have added the
    /// nodes since.
    pub(super) fn unconfirmed(&self, peer: PeerId) -> Vec<(u32, NodeId)> {
        self.own.unconfirmed(peer).collect()
    }

    /// Removes the local path id of a node that has left its position in the tree. The ids of
    /// remote peers stay with a node that was moved, as in Godot.
    pub(super) fn remove_node(&mut self, tree: &dyn NodeTree, node: NodeId) {
        self.own.remove_node(node);
        if tree.name_of(node).is_none() {
            self.remote.remove_node(node);
        }
    }

    /// Removes the local path ids of nodes for which `has_moved` returns true. Returns these nodes,
    /// and the peers that had not confirmed the ids.
    pub(super) fn remove_nodes(
        &mut self,
        has_moved: impl Fn(NodeId) -> bool,
    ) -> (Vec<NodeId>, Vec<(PeerId, NodeId)>) {
        self.own.remove_nodes(has_moved)
    }

    /// Returns the node with the path id `id` of `peer`.
    pub(super) fn resolve(
        &mut self,
        tree: &dyn NodeTree,
        peer: PeerId,
        id: u32,
        announcement_of: impl Fn(NodeId) -> Option<Announcement>,
    ) -> Result<NodeId, NotAccepted> {
        self.remote.resolve(tree, peer, id, announcement_of).map(|(node, _)| node)
    }

    /// Returns the path that a peer's SIMPLIFY_PATH with this path id is deferred for.
    pub(super) fn awaited_path(&self, peer: PeerId, id: u32) -> Option<&str> {
        self.deferred.awaited_path(peer, id)
    }

    /// Defers a message until `of` is there; returns false if the message is dropped. If the sender
    /// relies on it and the quota is exhausted, the sender is disconnected: the session would be
    /// inconsistent.
    #[expect(clippy::too_many_arguments, reason = "a message and the reason for deferring it")]
    pub(super) fn defer(
        &mut self,
        sender: &mut Sender,
        quirks: GodotQuirks,
        now: Instant,
        from: PeerId,
        of: Awaited,
        kind: MessageKind,
        packet: &Bytes,
    ) -> bool {
        if quirks.absent_nodes {
            return false;
        }
        let is_kept = self.deferred.defer(now, from, of, kind, packet);
        if !is_kept && kind.is_essential() {
            self.stats.stray_packets += 1;
            sender.disconnect(from, DisconnectReason::QueueFull);
        }
        is_kept
    }

    /// Removes a deferred SPAWN; returns its packet.
    pub(super) fn take_spawn(&mut self, from: PeerId, net_id: u32) -> Option<Bytes> {
        self.deferred.take_spawn(from, net_id).map(|waiting| waiting.packet)
    }

    /// Drops the messages that are deferred for the peer's synchronizer with this net id.
    pub(super) fn drop_for_net_id(&mut self, from: PeerId, id: u32) {
        self.deferred.take_for_net_id(from, id);
    }

    /// Releases the messages that are deferred for the peer's synchronizers with these net ids.
    pub(super) fn release_for_net_ids(&mut self, from: PeerId, ids: &[u32]) {
        let named: VecDeque<_> =
            ids.iter().flat_map(|&id| self.deferred.take_for_net_id(from, id)).collect();
        self.deferred.release(named);
    }

    /// Removes the messages for nodes that were added or have a new path in `changes`, for
    /// [`release_ready`](Self::release_ready).
    pub(super) fn take_ready(&mut self, tree: &dyn NodeTree, changes: &[TreeChange]) {
        for change in changes {
            let (TreeChange::Added(node) | TreeChange::Renamed(node)) = *change else { continue };
            if !self.deferred.awaits_nodes() {
                return;
            }
            let Some(path) = tree.path_of(node) else { continue };
            self.ready.append(&mut self.deferred.take(&Awaited::Path(path)));
        }
    }

    /// Releases the messages that were taken.
    pub(super) fn release_ready(&mut self) {
        if !self.ready.is_empty() {
            self.deferred.release(std::mem::take(&mut self.ready));
        }
    }

    /// Removes and returns the next released message, with its sender.
    pub(super) fn next_released(&mut self) -> Option<(PeerId, Bytes)> {
        self.deferred.next_released().map(|waiting| (waiting.sender, waiting.packet))
    }

    /// Records that the node or synchronizer `of` has left the tree.
    pub(super) fn record_departed(&mut self, now: Instant, of: &Awaited) {
        self.departed.insert(now, of);
    }

    /// Returns whether `of` has left the tree since the session of `from` began.
    pub(super) fn has_departed(&self, now: Instant, from: PeerId, of: &Awaited) -> bool {
        self.departed.contains(now, from, of)
    }

    /// Records the paths that nodes have left, and drops the calls that are deferred for them.
    pub(super) fn record_vacated(&mut self, now: Instant, tree: &mut dyn NodeTree) {
        for path in tree.take_vacated() {
            let name = Awaited::Path(path);
            self.departed.insert(now, &name);
            let dropped = self.deferred.take_calls(&name).len();
            self.stats.refused_calls += dropped as u64;
            self.refusals.add(Refusal::NodeLeft, dropped as u64);
            self.call_refusals.add(Refusal::NodeLeft, dropped as u64);
        }
    }

    /// Counts a refused message.
    pub(super) fn refuse(&mut self, from: PeerId, kind: MessageKind, refusal: Refusal) {
        *match kind {
            _ if refusal == Refusal::EarlierBranch => &mut self.stats.moved_packets,
            MessageKind::Call => &mut self.stats.refused_calls,
            MessageKind::SimplifyPath(_) | MessageKind::Spawn(_) => {
                &mut self.stats.refused_announcements
            }
            MessageKind::Sync | MessageKind::Delta(_) => &mut self.stats.refused_elements,
        } += 1;
        refusal::count(&mut self.refusals, from, refusal);
        if matches!(kind, MessageKind::Call) {
            self.call_refusals.count(refusal);
        }
    }

    pub(super) fn call_refusals(&self) -> &Refusals {
        &self.call_refusals
    }

    pub(super) fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    pub(super) fn stats(&self) -> PathStats {
        PathStats { discarded_paths: self.remote.discarded(), ..self.stats }
    }
}

fn send_path(sender: &mut Sender, tree: &dyn NodeTree, peer: PeerId, id: u32, node: NodeId) {
    if let Some(announcement) = simplify_path(tree, id, node) {
        sender.send_message(&announcement, peer);
    }
}

fn simplify_path(tree: &dyn NodeTree, id: u32, node: NodeId) -> Option<SceneMessage> {
    let (path, checksum) = (tree.path_of(node)?, *tree.rpc_ids(node)?.checksum());
    Some(SceneMessage::SimplifyPath { id, checksum, path })
}
