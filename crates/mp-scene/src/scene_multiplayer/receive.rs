//! Receiving packets: each message is passed to the part that handles it.

use bytes::Bytes;
use mp_core::{DisconnectReason, Instant, Packet, PeerId};

use super::paths::{Awaited, MessageKind, ReceivedCall};
use super::session::Received;
use super::traffic::{Direction, TrafficCount};
use super::{NotAccepted, Refusal, SceneMultiplayer};
use crate::SceneMessage;
use crate::api::ApiEvent;
use crate::codec::godot::EncodedCall;
use crate::path_cache::PathAnnouncement;
use crate::signal::Signal;
use crate::tree::NodeTree;

impl SceneMultiplayer {
    /// Handles a packet that was received on the connection of `from`.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        from: PeerId,
        packet: &Packet,
    ) {
        match self.with_session(|session, cx| session.receive(cx, now, from, packet)) {
            Received::Nothing => {}
            Received::Admitted(packets) => {
                for packet in packets {
                    self.receive(now, tree, from, &packet);
                }
            }
            Received::Announced(peer, packets) => {
                self.apply_tree_changes(now, tree);
                for packet in packets {
                    self.receive_inner(now, tree, peer, &packet.payload);
                }
            }
            Received::Inner(author, inner) => self.receive_inner(now, tree, author, &inner),
            Received::Call(call) => self.receive_call(now, tree, from, call, &packet.payload),
            Received::Message(message) => {
                self.receive_message(now, tree, from, message, &packet.payload);
            }
            Received::Earlier(message) => self.receive_earlier(now, tree, from, message),
        }
    }

    /// Handles a message that a moved peer has sent for its earlier branch: it is dropped, except
    /// that its ids stay valid at the peer.
    fn receive_earlier(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        from: PeerId,
        message: SceneMessage,
    ) {
        match message {
            SceneMessage::SimplifyPath { id, checksum, path } => {
                self.apply_tree_changes(now, tree);
                let (replication, nodes) = (&self.replication, &*tree);
                let announcement = PathAnnouncement { id, checksum: &checksum, path: &path };
                self.paths.receive_earlier_path(
                    &mut self.sender,
                    nodes,
                    self.quirks,
                    from,
                    announcement,
                    |node| replication.announcement_of(nodes, node),
                );
            }
            SceneMessage::Spawn(spawn) => self.replication.note_earlier_spawn(from, &spawn),
            _ => {}
        }
    }

    /// Handles the content of a RELAY, or a deferred packet.
    fn receive_inner(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        from: PeerId,
        inner: &Bytes,
    ) {
        match self.with_session(|session, cx| session.receive_inner(cx, from, inner)) {
            Received::Call(call) => self.receive_call(now, tree, from, call, inner),
            Received::Message(message) => self.receive_message(now, tree, from, message, inner),
            _ => {}
        }
    }

    /// Receives the released packets in order. A packet that releases others is handled completely
    /// before these are received. So announcements do not nest, and a remote peer cannot overflow
    /// the stack.
    pub(super) fn receive_released(&mut self, now: Instant, tree: &mut dyn NodeTree) {
        if std::mem::replace(&mut self.is_receiving_released, true) {
            return;
        }
        while let Some((from, packet)) = self.paths.next_released() {
            self.receive_inner(now, tree, from, &packet);
        }
        self.is_receiving_released = false;
    }

    fn receive_call(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        from: PeerId,
        call: EncodedCall<'_>,
        packet: &Bytes,
    ) {
        let (replication, nodes, method) = (&self.replication, &*tree, call.method);
        let announcement_of = |node| replication.announcement_of(nodes, node);
        let received = ReceivedCall { from, call };
        let (limits, quirks) = (self.sender.wire().limits(), self.quirks);
        let outcome =
            match self.paths.receive_call(now, limits, nodes, quirks, received, announcement_of) {
                Ok(call) => {
                    if let Some(accounts) = self.traffic.accounts() {
                        let count = TrafficCount::of(1, packet.len());
                        let method = (call.node, method);
                        accounts.count_call(nodes, Direction::Received, method, count);
                    }
                    self.events.push(ApiEvent::Call(call));
                    Ok(())
                }
                Err(NotAccepted::Refused(
                    refusal @ (Refusal::CallRateExceeded | Refusal::CallTooLarge),
                )) => {
                    if self.disconnects_over_limits {
                        self.sender.disconnect(from, DisconnectReason::Kicked);
                    }
                    Err(refusal.into())
                }
                Err(refusal) => Err(self.paths.refuse_late(now, tree, from, refusal)),
            };
        self.defer_or_refuse(now, from, MessageKind::Call, packet, outcome);
        self.receive_released(now, tree);
    }

    fn receive_message(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        from: PeerId,
        message: SceneMessage,
        packet: &Bytes,
    ) {
        match message {
            SceneMessage::SimplifyPath { id, checksum, path } => {
                // The path may name a node that the program has added since the last input.
                self.apply_tree_changes(now, tree);
                let (replication, nodes) = (&self.replication, &*tree);
                let announcement = PathAnnouncement { id, checksum: &checksum, path: &path };
                let outcome = self.paths.receive_simplify_path(
                    &mut self.sender,
                    nodes,
                    self.quirks,
                    from,
                    announcement,
                    |node| replication.announcement_of(nodes, node),
                );
                self.defer_or_refuse(now, from, MessageKind::SimplifyPath(id), packet, outcome);
            }
            SceneMessage::ConfirmPath { node, checksum_ok } => {
                let path = self.paths.receive_confirmation(now, tree, from, &node, checksum_ok);
                if let Some(path) = path {
                    self.replicating(now, tree, |it, cx| it.path_confirmed(cx, from, path));
                }
            }
            SceneMessage::Spawn(spawn) => {
                let (kind, net_id) = (MessageKind::Spawn(spawn.net_id), spawn.net_id);
                let state = spawn.state.clone();
                let outcome = self.replicating(now, tree, |it, cx| {
                    it.receive_spawn(cx, from, spawn)?;
                    it.count_received_spawn(cx, from, net_id, (packet.len(), &state));
                    Ok(())
                });
                self.defer_or_refuse(now, from, kind, packet, outcome);
            }
            SceneMessage::Despawn(net_id) => {
                let outcome =
                    self.replicating(now, tree, |it, cx| it.receive_despawn(cx, from, net_id));
                if let Err(refusal) = outcome {
                    self.paths.refuse(from, MessageKind::Spawn(net_id), refusal);
                }
            }
            SceneMessage::Sync { time, elements } => {
                self.replicating(now, tree, |it, cx| it.receive_sync(cx, from, time, elements));
            }
            SceneMessage::Delta(elements) => {
                self.replicating(now, tree, |it, cx| it.receive_delta(cx, from, elements));
            }
            SceneMessage::Raw(data) => self.events.emit(Signal::PeerPacket { from, data }),
            // Handled by `receive_call`, and by the session.
            SceneMessage::RemoteCall(_)
            | SceneMessage::Auth(_)
            | SceneMessage::AddPeer(_)
            | SceneMessage::DelPeer(_)
            | SceneMessage::Relay { .. } => {}
        }
        self.receive_released(now, tree);
    }

    /// Defers a message whose node is absent; counts a refused one.
    fn defer_or_refuse(
        &mut self,
        now: Instant,
        from: PeerId,
        kind: MessageKind,
        packet: &Bytes,
        outcome: Result<(), NotAccepted>,
    ) {
        let refusal = match outcome {
            Ok(()) => return,
            Err(NotAccepted::Refused(refusal)) => refusal,
            Err(NotAccepted::Absent(path) | NotAccepted::Gone(path)) => {
                let (sender, of) = (&mut self.sender, Awaited::Path(path));
                if self.paths.defer(sender, self.quirks, now, from, of, kind, packet) {
                    return;
                }
                Refusal::NoNode
            }
        };
        self.paths.refuse(from, kind, refusal);
    }
}
