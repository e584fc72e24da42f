//! SYS messages, which peers exchange over their own connections, and relayed packets, which the
//! server forwards between clients.
//!
//! All packets are untrusted input. They are checked in Godot 4.6.3's order, refused without a
//! reply, counted, and never logged above debug level.

use bytes::Bytes;
use mp_core::{Instant, Packet, PeerId, Target};

use super::super::sender::{Route, SendOptions};
use super::super::{PacketKind, Refusal, refusal};
use super::{Context, Session};
use crate::SceneMessage;
use crate::codec::DecodeError;
use crate::codec::godot::{self, EncodedCall};
use crate::message::ConfirmedNode;

/// The remaining work for a received packet.
#[derive(Debug)]
pub(crate) enum Received<'p> {
    Nothing,
    /// The sender is now admitted; its deferred packets follow.
    Admitted(Vec<Packet>),
    /// A peer was announced; its deferred relayed packets follow.
    Announced(PeerId, Vec<Packet>),
    /// The content of a RELAY, with its author.
    Inner(PeerId, Bytes),
    /// A call.
    Call(EncodedCall<'p>),
    /// A message for another part, except a call.
    Message(SceneMessage),
    /// A message that a moved peer has sent for its earlier branch.
    Earlier(SceneMessage),
}

impl Session {
    /// Handles a packet that was received on the connection of `from`.
    pub(crate) fn receive<'p>(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        from: PeerId,
        packet: &'p Packet,
    ) -> Received<'p> {
        self.silence.record_packet(now, from);
        if self.peers.pending_mut(from).is_some() {
            self.silence.set_now(now);
            self.receive_pending(cx, now, from, packet);
            let is_admitted = cx.sender.routes().contains(from);
            let packets = if is_admitted { self.unadmitted.take(from) } else { Vec::new() };
            return Received::Admitted(packets);
        }
        self.stats.packets_received += 1;
        if let Some(received) = self.receive_by_policy(cx, from, packet) {
            return received;
        }
        if let Some(fence) = self.moves.fence(from) {
            let message = cx.sender.wire().decode(&packet.payload);
            return self.receive_before_fence(cx, from, fence, message);
        }
        // Most packets are calls, whose path avoids the copies of a `SceneMessage`.
        if let Some(call) = cx.sender.wire().call(&packet.payload) {
            return self.receive_encoded_call(cx, from, call);
        }
        match cx.sender.wire().decode(&packet.payload) {
            Ok(SceneMessage::Auth(_)) if !self.authentication => {
                self.end_one_sided(cx, from, "only the remote peer authenticates");
            }
            Ok(SceneMessage::Auth(bytes)) if bytes.is_empty() => {
                // A completion after the peer was admitted is ignored.
            }
            Ok(SceneMessage::Auth(_)) => {
                self.refuse_malformed(cx.sender, from, Refusal::AlreadyAuthenticated);
            }
            Ok(SceneMessage::AddPeer(peer)) if self.accepts_peers_from(from) => {
                if peer == self.unique_id {
                    self.refuse_malformed(cx.sender, from, Refusal::AnnouncedToItself);
                } else {
                    self.admit(cx, peer, Route::Relayed);
                    return Received::Announced(peer, self.unannounced.take(peer));
                }
            }
            Ok(SceneMessage::DelPeer(peer)) if self.accepts_loss_from(cx, from, peer) => {
                self.remove_peer(cx, peer, true);
            }
            Ok(SceneMessage::AddPeer(_) | SceneMessage::DelPeer(_)) if from.is_server() => {
                self.refuse_stray(from, Refusal::RelayDisabled);
            }
            Ok(SceneMessage::AddPeer(_) | SceneMessage::DelPeer(_)) => {
                self.refuse_malformed(cx.sender, from, Refusal::NotFromServer);
            }
            Ok(SceneMessage::Relay { peer, inner }) => {
                return self.receive_relay(cx, now, from, peer, inner, packet);
            }
            Ok(SceneMessage::ConfirmPath { node: ConfirmedNode::Id(id), .. })
                if self.moves.confirm_return(from, id) => {}
            Ok(message) => return Received::Message(message),
            Err(error) => {
                tracing::debug!(sender = %from, %error, "malformed packet");
                self.refuse_malformed(cx.sender, from, Refusal::Malformed);
            }
        }
        Received::Nothing
    }

    /// Returns a call, unless its head is malformed.
    fn receive_encoded_call<'p>(
        &mut self,
        cx: &mut Context<'_>,
        from: PeerId,
        call: Result<EncodedCall<'p>, DecodeError>,
    ) -> Received<'p> {
        match call {
            Ok(call) => Received::Call(call),
            Err(error) => {
                tracing::debug!(sender = %from, %error, "malformed call");
                self.refuse_malformed(cx.sender, from, Refusal::Malformed);
                Received::Nothing
            }
        }
    }

    /// Decodes the content of a RELAY, which must not be a SYS message: returns a call, another
    /// message, or nothing.
    pub(crate) fn receive_inner<'p>(
        &mut self,
        cx: &mut Context<'_>,
        from: PeerId,
        inner: &'p Bytes,
    ) -> Received<'p> {
        if let Some(call) = cx.sender.wire().call(inner) {
            return self.receive_encoded_call(cx, from, call);
        }
        match cx.sender.wire().decode(inner) {
            Ok(
                SceneMessage::Auth(_)
                | SceneMessage::AddPeer(_)
                | SceneMessage::DelPeer(_)
                | SceneMessage::Relay { .. },
            ) => self.refuse_malformed(cx.sender, from, Refusal::NestedSys),
            Ok(message) => return Received::Message(message),
            Err(error) => {
                tracing::debug!(sender = %from, %error, "malformed relayed packet");
                self.refuse_malformed(cx.sender, from, Refusal::Malformed);
            }
        }
        Received::Nothing
    }

    /// Returns whether the local peer accepts announcements of peers from `from`: only from its
    /// server, and only on a client.
    fn accepts_peers_from(&self, from: PeerId) -> bool {
        self.is_relayed_client() && from.is_server()
    }

    /// Returns whether the local peer accepts the removal of `peer` from `from`. An announced peer
    /// can be removed even if the local relay was disabled meanwhile.
    fn accepts_loss_from(&self, cx: &Context<'_>, from: PeerId, peer: PeerId) -> bool {
        let is_relayed = cx.sender.routes().get(peer) == Some(Route::Relayed);
        self.accepts_peers_from(from) || from.is_server() && is_relayed
    }

    fn receive_relay(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        from: PeerId,
        peer: i32,
        inner: Bytes,
        packet: &Packet,
    ) -> Received<'static> {
        if !self.relays() {
            self.refuse_stray(from, Refusal::RelayDisabled);
            return Received::Nothing;
        }
        if self.is_server() {
            let options = SendOptions { mode: packet.mode, channel: packet.channel };
            return self.forward(cx, from, Target::from_raw(peer), inner, options);
        }
        match PeerId::new(peer) {
            Some(author) if from.is_server() => {
                if cx.sender.routes().contains(author) || cx.quirks.unannounced_senders {
                    return Received::Inner(author, inner);
                }
                if !self.unannounced.push(now, author, Packet { payload: inner, ..*packet }) {
                    self.handle_full_buffer(cx.sender, from, packet.mode);
                }
            }
            _ => self.refuse_malformed(cx.sender, from, Refusal::BadRelay),
        }
        Received::Nothing
    }

    /// Forwards a packet without decoding it: only the prefix changes.
    fn forward(
        &mut self,
        cx: &mut Context<'_>,
        from: PeerId,
        target: Target,
        inner: Bytes,
        options: SendOptions,
    ) -> Received<'static> {
        let mut peers = cx.sender.peers_of(target);
        match target {
            // A packet of a client to itself is sent back. The server is not in its own list of
            // peers.
            Target::Peer(peer) if !cx.sender.routes().contains(peer) => {
                self.stats.stray_packets += 1;
                return Received::Nothing;
            }
            Target::Peer(_) => {}
            Target::All | Target::AllExcept(_) => peers.retain(|&peer| peer != from),
        }
        let is_refused = !peers.is_empty() && !self.peers.may_relay(from);
        // Without confirmed paths, the other peers could not send properties to this one.
        if is_refused && godot::kind(&inner) != Some(PacketKind::Path) {
            self.stats.refused_relays += 1;
            refusal::count(&mut self.refusals, from, Refusal::MayNotRelay);
            peers.clear();
        }
        let all = peers.len();
        peers.retain(|&peer| !self.moves.is_stale(from, peer));
        self.stats.moved_packets += (all - peers.len()) as u64;
        let replaced = self.relayed.forward(from, &mut peers, &inner);
        let prefix = godot::relay_prefix(from.get());
        let receivers = peers.len() + replaced.len();
        self.stats.relayed_packets += receivers as u64;
        cx.traffic.forwarded(cx.sender.wire(), from, &inner, receivers);
        cx.sender.send_packet(&peers, options, prefix, &inner);
        for (peer, packet) in replaced {
            match packet {
                Some(packet) => cx.sender.send_to(peer, options, prefix, packet),
                None => self.stats.stray_packets += 1,
            }
        }
        if !matches!(target, Target::Peer(_)) && target.includes(PeerId::SERVER) {
            return Received::Inner(from, inner);
        }
        Received::Nothing
    }
}
