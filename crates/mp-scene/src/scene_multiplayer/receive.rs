//! What peers say to this side.
//!
//! Everything here is a stranger's input: it is checked in the order in which Godot 4.6.3 checks it, refused without an answer,
//! counted, and never logged above debug.

use bytes::Bytes;
use mp_core::{Instant, Packet, PeerId, TransferMode};

use super::SceneMultiplayer;
use super::early::{Awaited, Kind};
use super::session::Received;
use crate::SceneMessage;
use crate::api::{ApiEvent, Call};
use crate::message::{CallNode, Confirmed, RemoteCall};
use crate::rpc::{RpcIds, RpcMode};
use crate::signal::Signal;
use crate::tree::{NodeId, NodeTree};

impl SceneMultiplayer {
    /// Handles a packet from `sender`, on its own connection.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        sender: PeerId,
        packet: &Packet,
    ) {
        match self.with_session(|session, cx| session.receive(cx, now, sender, packet)) {
            Received::Nothing => {}
            Received::Admitted(packets) => {
                for packet in packets {
                    self.receive(now, tree, sender, &packet);
                }
            }
            Received::Announced(peer, packets) => {
                self.follow(now, tree);
                for packet in packets {
                    self.receive_inner(now, tree, peer, &packet.payload);
                }
            }
            Received::Inner(author, inner) => self.receive_inner(now, tree, author, &inner),
            Received::Message(message) => {
                self.handle_message(now, tree, sender, message, &packet.payload);
            }
        }
    }

    /// Handles a packet from within a RELAY, or one that has waited.
    pub(super) fn receive_inner(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        sender: PeerId,
        inner: &Bytes,
    ) {
        let message = self.with_session(|session, cx| session.receive_inner(cx, sender, inner));
        if let Some(message) = message {
            self.handle_message(now, tree, sender, message, inner);
        }
    }

    fn handle_message(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        sender: PeerId,
        message: SceneMessage,
        packet: &Bytes,
    ) {
        match message {
            SceneMessage::RemoteCall(call) => {
                let outcome = self.handle_call(tree, sender, call);
                let outcome =
                    outcome.map_err(|refusal| self.refuse_late(now, tree, sender, refusal));
                self.settle(now, sender, Kind::Call, packet, outcome);
            }
            SceneMessage::SimplifyPath { id, checksum, path } => {
                let outcome = self.handle_simplify(now, tree, sender, id, &checksum, &path);
                self.settle(now, sender, Kind::Number(id), packet, outcome);
            }
            SceneMessage::ConfirmPath { of, checksum_ok } => {
                let id = match &of {
                    Confirmed::Id(id) => Some(*id),
                    Confirmed::Path(path) => {
                        tree.find(path).and_then(|node| self.own_paths.known_id_of(node))
                    }
                };
                let Some(path) = id.and_then(|id| self.own_paths.confirm(now, sender, id)) else {
                    tracing::debug!(%sender, ?of, "confirmed a path that it was not told");
                    return;
                };
                self.path_confirmed(tree, sender, path);
                if !checksum_ok {
                    tracing::debug!(%sender, ?of, "numbers the node's RPC methods in another way");
                }
            }
            SceneMessage::Spawn(spawn) => {
                let kind = Kind::Spawn(spawn.net_id);
                let outcome = self.receive_spawn(now, tree, sender, spawn);
                self.settle(now, sender, kind, packet, outcome);
            }
            SceneMessage::Despawn(net_id) => {
                if let Err(why) = self.receive_despawn(now, tree, sender, net_id) {
                    self.refuse_message(sender, why);
                }
            }
            SceneMessage::Sync { time, elements } => {
                if let Err(Refusal::Because(why)) =
                    self.receive_sync(now, tree, sender, time, elements)
                {
                    self.refuse_element(sender, why);
                }
            }
            SceneMessage::Delta(elements) => {
                if let Err(Refusal::Because(why)) = self.receive_delta(now, tree, sender, elements)
                {
                    self.refuse_element(sender, why);
                }
            }
            SceneMessage::Raw(data) => self.events.emit(Signal::PeerPacket { from: sender, data }),
            SceneMessage::Auth(_)
            | SceneMessage::AddPeer(_)
            | SceneMessage::DelPeer(_)
            | SceneMessage::Relay { .. } => {}
        }
    }

    /// Keeps a message whose node is not there yet; counts what is refused. What has to wait and cannot ends the session of its sender:
    /// it would go on without it.
    fn settle(
        &mut self,
        now: Instant,
        sender: PeerId,
        kind: Kind,
        packet: &Bytes,
        outcome: Result<(), Refusal>,
    ) {
        let why = match outcome {
            Ok(()) => return,
            Err(Refusal::Because(why)) => why,
            Err(Refusal::Absent(path) | Refusal::Gone(path)) => {
                if !self.quirks.absent_nodes {
                    if self.early.hold(now, sender, Awaited::Path(path), kind, packet) {
                        return;
                    }
                    if kind.must_arrive() {
                        self.session.cannot_keep(&mut self.sender, sender, TransferMode::Reliable);
                    }
                }
                "no such node"
            }
        };
        self.refuse_message(sender, why);
    }

    fn refuse_message(&mut self, sender: PeerId, why: &'static str) {
        tracing::debug!(%sender, why, "refused");
        self.stats.refused_calls += 1;
    }

    /// Refuses a call of a node that has left: the next node at its path is another. Announcements may wait for that one: they tell
    /// what there is, and their sender takes them back.
    fn refuse_late(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        sender: PeerId,
        refusal: Refusal,
    ) -> Refusal {
        self.follow_vacated(now, tree);
        match refusal {
            Refusal::Gone(_) => Refusal::Because("the node has left"),
            Refusal::Absent(path)
                if self.departed.contains(now, sender, &Awaited::Path(path.clone())) =>
            {
                Refusal::Because("the node has left")
            }
            refusal => refusal,
        }
    }

    /// Remembers the paths that nodes have left, and drops the calls that wait there.
    pub(super) fn follow_vacated(&mut self, now: Instant, tree: &mut dyn NodeTree) {
        for path in tree.take_vacated() {
            let name = Awaited::Path(path);
            self.departed.insert(now, &name);
            let dropped = self.early.take_calls(&name).len();
            self.stats.refused_calls += dropped as u64;
        }
    }

    fn handle_simplify(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        sender: PeerId,
        id: u32,
        checksum: &[u8; 32],
        path: &str,
    ) -> Result<(), Refusal> {
        if self.remote_paths.has_given(sender, id, path) {
            // Its confirmation was under way when it was sent again.
            return Ok(());
        }
        if self.remote_paths.is_given(sender, id) {
            return Err(Refusal::Because("the number is taken"));
        }
        // What the program has added since the last input may be announced.
        self.follow(now, tree);
        let node = self.find(tree, path)?;
        let ids = tree.rpc_ids(node).ok_or(Refusal::Because("no such node"))?;
        let checksum_ok = ids.checksum() == checksum;
        let announcement = self.replication.announcement_of(tree, node);
        self.remote_paths
            .give(sender, id, node, announcement, path)
            .map_err(|_| Refusal::Because("it has numbered too many nodes"))?;
        self.remote_paths.set_mismatched(sender, node, !checksum_ok);
        if !checksum_ok {
            report_mismatch(sender, path, &ids, checksum);
        }
        let of = if self.sender.wire().confirms_by_path() {
            Confirmed::Path(path.to_owned())
        } else {
            Confirmed::Id(id)
        };
        self.sender.send_message(&SceneMessage::ConfirmPath { of, checksum_ok }, sender);
        Ok(())
    }

    fn handle_call(
        &mut self,
        tree: &mut dyn NodeTree,
        sender: PeerId,
        call: RemoteCall,
    ) -> Result<(), Refusal> {
        let node = match &call.node {
            CallNode::Id { id, .. } => self.resolve(tree, sender, *id)?,
            CallNode::Path(path) => self.find(tree, path)?,
        };
        let ids = tree.rpc_ids(node).ok_or(Refusal::Because("no such node"))?;
        let (method, config) = ids.by_id(call.method).ok_or(Refusal::Because("no such method"))?;
        let allowed = match config.mode {
            RpcMode::AnyPeer => true,
            RpcMode::Authority => tree.multiplayer_authority(node) == Some(sender),
            RpcMode::Disabled => false,
        };
        if !allowed {
            return Err(Refusal::Because("not allowed"));
        }
        if !call.complete && !self.quirks.incomplete_calls {
            return Err(Refusal::Because("its arguments cannot all be decoded"));
        }
        if self.remote_paths.is_mismatched(sender, node) && !self.quirks.mismatched_methods {
            return Err(Refusal::Because("it numbers the node's RPC methods in another way"));
        }
        let method = method.clone();
        self.events.push(ApiEvent::Call(Call { node, method, args: call.args, sender }));
        Ok(())
    }

    /// Returns the node that `sender` calls `id`.
    pub(super) fn resolve(
        &mut self,
        tree: &dyn NodeTree,
        sender: PeerId,
        id: u32,
    ) -> Result<NodeId, Refusal> {
        let replication = &self.replication;
        self.remote_paths.resolve(tree, sender, id, |node| replication.announcement_of(tree, node))
    }

    fn find(&self, tree: &dyn NodeTree, path: &str) -> Result<NodeId, Refusal> {
        let node = tree.find(path).ok_or_else(|| Refusal::Absent(path.to_owned()))?;
        if self.quirks.paths_outside_root || tree.is_below_root(node) {
            Ok(node)
        } else {
            Err(Refusal::Because("the path leaves the multiplayer root"))
        }
    }
}

/// A client may take its server for no stranger; a server logs nothing above debug that a peer can cause, and does not even look
/// for the difference unless somebody wants to read it.
fn report_mismatch(sender: PeerId, path: &str, ids: &RpcIds, checksum: &[u8; 32]) {
    if sender.is_server() {
        let difference = ids.difference(checksum);
        tracing::warn!(
            path,
            difference,
            "the server numbers the node's RPC methods in another way"
        );
    } else if tracing::enabled!(tracing::Level::DEBUG) {
        let difference = ids.difference(checksum);
        tracing::debug!(%sender, path, difference, "numbers the node's RPC methods in another way");
    }
}

/// Why a message is not acted on.
pub(crate) enum Refusal {
    /// There is no node at this path, which may yet come.
    Absent(String),
    /// The node had been at this path when the peer numbered it, and has left.
    Gone(String),
    /// It never will be.
    Because(&'static str),
}
