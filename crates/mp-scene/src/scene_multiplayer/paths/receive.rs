//! Receiving calls, path announcements and confirmations. All of them are untrusted input: they are
//! checked in Godot 4.6.3's order, and refused without a reply.

use mp_core::{AssignedId, Instant, PeerId};

use super::super::sender::Sender;
use super::super::{GodotQuirks, NotAccepted, Refusal};
use super::{Awaited, Paths};
use crate::SceneMessage;
use crate::api::Call;
use crate::codec::Limits;
use crate::codec::godot::EncodedCall;
use crate::limits::RPC_TABLE_WARNINGS_MAX;
use crate::message::{CallNode, ConfirmedNode};
use crate::path_cache::{Announcement, ConfirmedPath, PathAnnouncement};
use crate::rpc::{RpcIds, RpcMode};
use crate::tree::{NodeId, NodeTree};

/// A received call whose arguments are not decoded yet, with its sender.
#[derive(Clone, Copy)]
pub(crate) struct ReceivedCall<'a> {
    pub(crate) from: PeerId,
    pub(crate) call: EncodedCall<'a>,
}

impl Paths {
    /// Checks a received call and decodes its arguments; returns the call to make.
    pub(crate) fn receive_call(
        &mut self,
        now: Instant,
        limits: &Limits,
        tree: &dyn NodeTree,
        quirks: GodotQuirks,
        ReceivedCall { from, call }: ReceivedCall<'_>,
        announcement_of: impl Fn(NodeId) -> Option<Announcement>,
    ) -> Result<Call, NotAccepted> {
        let (node, is_mismatched) = match call.node() {
            CallNode::Id { id, .. } => self.remote.resolve(tree, from, id, announcement_of)?,
            CallNode::Path(path) => {
                let node = find(tree, quirks, &path)?;
                (node, self.remote.is_mismatched(from, node))
            }
        };
        let ids = tree.rpc_ids(node).ok_or(Refusal::NoNode)?;
        let (method, config) = ids.by_id(call.method).ok_or(Refusal::NoMethod)?;
        let allowed = match config.mode {
            RpcMode::AnyPeer => true,
            RpcMode::Authority => tree.multiplayer_authority(node) == Some(from),
            RpcMode::Disabled => false,
        };
        if !allowed {
            return Err(Refusal::NotAllowed.into());
        }
        self.limiter.check(now, from, (node, call.method), config, call.args.size())?;
        let (args, complete) = call.args.decode(limits);
        if !complete && !quirks.incomplete_calls {
            return Err(Refusal::UndecodableArguments.into());
        }
        if is_mismatched && !quirks.mismatched_methods {
            return Err(Refusal::MismatchedRpcTable.into());
        }
        Ok(Call { node, method: method.clone(), args, sender: from })
    }

    /// Refuses a call of a node that has left the tree, since the next node at its path is another
    /// one. Announcements for the path stay deferred: their sender despawns them itself.
    pub(crate) fn refuse_late(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        from: PeerId,
        refusal: NotAccepted,
    ) -> NotAccepted {
        self.record_vacated(now, tree);
        match refusal {
            NotAccepted::Gone(_) => Refusal::NodeLeft.into(),
            NotAccepted::Absent(path)
                if self.has_departed(now, from, &Awaited::Path(path.clone())) =>
            {
                Refusal::NodeLeft.into()
            }
            refusal => refusal,
        }
    }

    /// Stores the path id that a peer announces, and confirms it.
    pub(crate) fn receive_simplify_path(
        &mut self,
        sender: &mut Sender,
        tree: &dyn NodeTree,
        quirks: GodotQuirks,
        from: PeerId,
        announcement: PathAnnouncement<'_>,
        announcement_of: impl Fn(NodeId) -> Option<Announcement>,
    ) -> Result<(), NotAccepted> {
        let PathAnnouncement { id, checksum, path } = announcement;
        self.remote.forget_carried(from, id, path);
        if self.remote.is_assigned_to(from, id, path) {
            // The peer repeated the announcement before it received the confirmation.
            return Ok(());
        }
        if self.remote.is_assigned(from, id) {
            return Err(Refusal::PathIdTaken.into());
        }
        let node = find(tree, quirks, path)?;
        let ids = tree.rpc_ids(node).ok_or(Refusal::NoNode)?;
        let checksum_ok = ids.checksum() == checksum;
        self.remote
            .assign(from, node, announcement_of(node), announcement)
            .map_err(|_| Refusal::TooManyPathIds)?;
        self.remote.set_mismatched(from, node, !checksum_ok);
        if !checksum_ok {
            self.report_mismatch(from, path, &ids, Some(checksum));
        }
        let node = if sender.wire().confirms_by_path() {
            ConfirmedNode::Path(path.to_owned())
        } else {
            ConfirmedNode::Id(id)
        };
        sender.send_message(&SceneMessage::ConfirmPath { node, checksum_ok }, from);
        Ok(())
    }

    /// Stores the path id of a SIMPLIFY_PATH that a peer sent before it moved to this branch. It is
    /// confirmed only if both branches have the node: the peer does not repeat the announcement.
    pub(crate) fn receive_earlier_path(
        &mut self,
        sender: &mut Sender,
        tree: &dyn NodeTree,
        quirks: GodotQuirks,
        from: PeerId,
        announcement: PathAnnouncement<'_>,
        announcement_of: impl Fn(NodeId) -> Option<Announcement>,
    ) {
        let PathAnnouncement { id, checksum, path } = announcement;
        let is_here = tree.find(path).map(|node| announcement_of(node).is_none());
        if is_here == Some(true) {
            let received = self.receive_simplify_path(
                sender,
                tree,
                quirks,
                from,
                announcement,
                announcement_of,
            );
            if received.is_ok() {
                return;
            }
        }
        let path = (is_here != Some(false)).then(|| path.into());
        self.remote.add_carried(from, AssignedId { id, path, checksum: *checksum });
    }

    /// Records that a peer has confirmed a path id; returns its node.
    pub(crate) fn receive_confirmation(
        &mut self,
        now: Instant,
        tree: &dyn NodeTree,
        from: PeerId,
        node: &ConfirmedNode,
        checksum_ok: bool,
    ) -> Option<ConfirmedPath> {
        let id = match node {
            ConfirmedNode::Id(id) => Some(*id),
            ConfirmedNode::Path(path) => {
                tree.find(path).and_then(|node| self.own.known_id_of(node))
            }
        };
        let confirmed = id.and_then(|id| self.own.confirm(now, from, id));
        if confirmed.is_none() {
            let text = "confirmed a probe, or a path that was not announced";
            tracing::debug!(sender = %from, ?node, "{text}");
        } else if let Some(path) = confirmed.as_ref().filter(|_| !checksum_ok)
            && let (Some(name), Some(ids)) = (tree.path_of(path.node), tree.rpc_ids(path.node))
        {
            self.report_mismatch(from, &name, &ids, None);
        }
        confirmed
    }

    /// Logs that the RPC table of a peer differs from the local one: with `warn` once for each
    /// local table, up to [`RPC_TABLE_WARNINGS_MAX`], then with `debug`. A mismatch is usually a
    /// mistake of the program, but peers must not be able to fill a log. The difference is computed
    /// only if it is logged.
    fn report_mismatch(
        &mut self,
        sender: PeerId,
        path: &str,
        ids: &RpcIds,
        checksum: Option<&[u8; 32]>,
    ) {
        let is_new = self.reported_tables.len() < RPC_TABLE_WARNINGS_MAX
            && self.reported_tables.insert(*ids.checksum());
        if is_new {
            let difference = ids.difference(checksum);
            tracing::warn!(
                %sender,
                path,
                difference,
                "RPC table differs from a peer's; register the same methods on both"
            );
        } else if tracing::enabled!(tracing::Level::DEBUG) {
            let difference = ids.difference(checksum);
            tracing::debug!(%sender, path, difference, "RPC tables differ");
        }
    }
}

fn find(tree: &dyn NodeTree, quirks: GodotQuirks, path: &str) -> Result<NodeId, NotAccepted> {
    let node = tree.find(path).ok_or_else(|| NotAccepted::Absent(path.to_owned()))?;
    if quirks.paths_outside_root || tree.is_below_root(node) {
        Ok(node)
    } else {
        Err(Refusal::OutsideRoot.into())
    }
}
