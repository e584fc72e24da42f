//! What peers say to this side.
//!
//! Everything here is a stranger's input: it is checked in the order in which Godot 4.6.3 checks it, refused without an answer,
//! counted, and never logged above debug.

use bytes::Bytes;
use mp_core::{DisconnectReason, Instant, Packet, PeerId, Target, TransferMode};

use super::early::{Awaited, Kind};
use super::send::Travel;
use super::{Route, SceneMultiplayer};
use crate::SceneMessage;
use crate::api::{ApiEvent, Call};
use crate::codec::godot;
use crate::limits::MALFORMED_PACKETS_MAX;
use crate::message::{CallNode, Confirmed, RemoteCall};
use crate::rpc::{RpcIds, RpcMode};
use crate::signal::Signal;
use crate::tree::{NodeId, NodeTree};

impl SceneMultiplayer {
    /// A packet from `sender`, on its own link.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        sender: PeerId,
        packet: &Packet,
    ) {
        if self.peers.is_pending(sender) {
            return self.receive_pending(now, tree, sender, packet);
        }
        self.stats.packets_received += 1;
        match self.codec.decode(&packet.payload, &self.limits) {
            Ok(SceneMessage::Auth(_)) if !self.authentication => {
                self.end_one_sided(sender, "it authenticates, and this side does not");
            }
            Ok(SceneMessage::Auth(bytes)) if bytes.is_empty() => {
                // A completion that comes late.
            }
            Ok(SceneMessage::Auth(_)) => self.malformed(sender, "its authentication is over"),
            Ok(SceneMessage::AddPeer(peer)) if self.accepts_peers_from(sender) => {
                if peer == self.unique_id {
                    return self.malformed(sender, "it announced this peer to itself");
                }
                self.admit(peer, Route::Relayed);
                self.follow(now, tree);
                for packet in self.unannounced.take(peer) {
                    self.receive_inner(now, tree, peer, &packet.payload);
                }
            }
            Ok(SceneMessage::DelPeer(peer)) if self.accepts_loss_from(sender, peer) => {
                self.remove_peer(peer, true);
            }
            Ok(SceneMessage::AddPeer(_) | SceneMessage::DelPeer(_)) if sender.is_server() => {
                self.stray(sender, "the relay is off here");
            }
            Ok(SceneMessage::AddPeer(_) | SceneMessage::DelPeer(_)) => {
                self.malformed(sender, "only a relaying server announces peers");
            }
            Ok(SceneMessage::Relay { peer, inner }) => {
                self.receive_relay(now, tree, sender, peer, inner, packet);
            }
            Ok(message) => self.handle_message(now, tree, sender, message, &packet.payload),
            Err(error) => {
                tracing::debug!(%sender, %error, "malformed packet");
                self.malformed(sender, "malformed");
            }
        }
    }

    /// Only a client believes what it is told of others, and only its server.
    fn accepts_peers_from(&self, sender: PeerId) -> bool {
        self.is_relayed_client() && sender.is_server()
    }

    /// Whoever was announced can be taken back, also when the relay was switched off here
    /// meanwhile.
    fn accepts_loss_from(&self, sender: PeerId, peer: PeerId) -> bool {
        let is_relayed = self.peers.route(peer) == Some(Route::Relayed);
        self.accepts_peers_from(sender) || sender.is_server() && is_relayed
    }

    fn receive_relay(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        sender: PeerId,
        peer: i32,
        inner: Bytes,
        packet: &Packet,
    ) {
        if !self.relays() {
            return self.stray(sender, "the relay is off");
        }
        if self.is_server() {
            let travel = Travel { mode: packet.mode, channel: packet.channel };
            return self.pass_on(now, tree, sender, Target::from_raw(peer), inner, travel);
        }
        match PeerId::new(peer) {
            Some(from) if sender.is_server() => {
                if self.peers.contains(from) || self.quirks.unannounced_senders {
                    self.receive_inner(now, tree, from, &inner);
                } else if !self.unannounced.hold(now, from, Packet { payload: inner, ..*packet }) {
                    self.cannot_hold(sender, packet.mode);
                }
            }
            _ => self.malformed(sender, "only the server relays, and only for peers"),
        }
    }

    /// There is no room for a packet on the link of `sender` that has to wait. A reliable one must not be lost silently.
    pub(super) fn cannot_hold(&mut self, sender: PeerId, mode: TransferMode) {
        self.stats.stray_packets += 1;
        if mode.is_reliable()
            && let Some(Route::Link(endpoint, connection)) = self.peers.route(sender)
        {
            self.disconnect(endpoint, connection, DisconnectReason::QueueFull);
        }
    }

    /// Passes a packet on without looking into it: the same bytes behind another prefix.
    fn pass_on(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        sender: PeerId,
        target: Target,
        inner: Bytes,
        travel: Travel,
    ) {
        let mut peers = self.peers_of(target);
        match target {
            // To itself it does come back; the server is not among its own peers.
            Target::Peer(peer) if !self.peers.contains(peer) => {
                self.stats.stray_packets += 1;
                return;
            }
            Target::Peer(_) => {}
            Target::All | Target::AllExcept(_) => peers.retain(|&peer| peer != sender),
        }
        self.stats.relayed_packets += peers.len() as u64;
        let prefix = godot::relay_prefix(sender.get());
        self.send_prefixed(&peers, travel, prefix, inner.clone());
        if !matches!(target, Target::Peer(_)) && target.includes(PeerId::SERVER) {
            self.receive_inner(now, tree, sender, &inner);
        }
    }

    /// A packet from within a RELAY. SYS is between neighbours only.
    pub(super) fn receive_inner(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        sender: PeerId,
        inner: &Bytes,
    ) {
        match self.codec.decode(inner, &self.limits) {
            Ok(
                SceneMessage::Auth(_)
                | SceneMessage::AddPeer(_)
                | SceneMessage::DelPeer(_)
                | SceneMessage::Relay { .. },
            ) => self.malformed(sender, "SYS within a relayed packet"),
            Ok(message) => self.handle_message(now, tree, sender, message, inner),
            Err(error) => {
                tracing::debug!(%sender, %error, "malformed relayed packet");
                self.malformed(sender, "malformed");
            }
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
            SceneMessage::Raw(data) => self.emit(Signal::PeerPacket { from: sender, data }),
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
                        self.cannot_hold(sender, TransferMode::Reliable);
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
        let of = if self.codec.confirms_by_path() {
            Confirmed::Path(path.to_owned())
        } else {
            Confirmed::Id(id)
        };
        self.send_message(&SceneMessage::ConfirmPath { of, checksum_ok }, sender);
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
        self.events.push_back(ApiEvent::Call(Call { node, method, args: call.args, sender }));
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

    /// Counts a packet that is refused because the settings of honest peers differ: no
    /// misbehaviour.
    pub(super) fn stray(&mut self, sender: PeerId, why: &'static str) {
        tracing::debug!(%sender, why, "packet refused");
        self.stats.stray_packets += 1;
    }

    /// Counts nonsense, and sends its author away when there is too much of it.
    pub(super) fn malformed(&mut self, sender: PeerId, why: &'static str) {
        tracing::debug!(%sender, why, "packet refused");
        self.stats.malformed_packets += 1;
        let Some(malformed) = self.peers.malformed_mut(sender) else { return };
        *malformed += 1;
        if *malformed == MALFORMED_PACKETS_MAX
            && let Some(Route::Link(endpoint, connection)) = self.peers.route(sender)
        {
            self.disconnect(endpoint, connection, DisconnectReason::Misbehaved);
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
