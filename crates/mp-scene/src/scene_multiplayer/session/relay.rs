//! Packets of peers, as far as the session is concerned: SYS messages between neighbours, and packets
//! that the server passes on between clients.
//!
//! All of it is untrusted input: it is checked in the order in which Godot 4.6.3 checks it, refused
//! without an answer, counted, and never logged above debug.

use bytes::Bytes;
use mp_core::{Instant, Packet, PeerId, Target};

use super::super::Refusal;
use super::super::sender::{Route, SendOptions};
use super::{Context, Session};
use crate::SceneMessage;
use crate::codec::godot;

/// What is left to do for a packet.
#[derive(Debug)]
pub(crate) enum Received {
    Nothing,
    /// The sender is admitted now; these packets of it have waited for that.
    Admitted(Vec<Packet>),
    /// A peer was announced; these relayed packets of it have waited for that.
    Announced(PeerId, Vec<Packet>),
    /// A packet of this peer, within a relayed one.
    Inner(PeerId, Bytes),
    /// A message for another part.
    Message(SceneMessage),
}

impl Session {
    /// Handles a packet from `from`, on its own connection.
    pub(crate) fn receive(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        from: PeerId,
        packet: &Packet,
    ) -> Received {
        if self.peers.pending_mut(from).is_some() {
            self.receive_pending(cx, now, from, packet);
            let is_admitted = cx.sender.routes().contains(from);
            let packets = if is_admitted { self.unadmitted.take(from) } else { Vec::new() };
            return Received::Admitted(packets);
        }
        self.stats.packets_received += 1;
        match cx.sender.wire().decode(&packet.payload) {
            Ok(SceneMessage::Auth(_)) if !self.authentication => {
                self.end_one_sided(cx, from, "it authenticates, and this side does not");
            }
            Ok(SceneMessage::Auth(bytes)) if bytes.is_empty() => {
                // A completion that comes late.
            }
            Ok(SceneMessage::Auth(_)) => {
                self.refuse_malformed(cx.sender, from, Refusal::AuthenticationOver);
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
            Ok(message) => return Received::Message(message),
            Err(error) => {
                tracing::debug!(sender = %from, %error, "malformed packet");
                self.refuse_malformed(cx.sender, from, Refusal::Malformed);
            }
        }
        Received::Nothing
    }

    /// Decodes a packet from within a RELAY. SYS messages are between neighbours only.
    pub(crate) fn receive_inner(
        &mut self,
        cx: &mut Context<'_>,
        from: PeerId,
        inner: &Bytes,
    ) -> Option<SceneMessage> {
        match cx.sender.wire().decode(inner) {
            Ok(
                SceneMessage::Auth(_)
                | SceneMessage::AddPeer(_)
                | SceneMessage::DelPeer(_)
                | SceneMessage::Relay { .. },
            ) => self.refuse_malformed(cx.sender, from, Refusal::NestedSys),
            Ok(message) => return Some(message),
            Err(error) => {
                tracing::debug!(sender = %from, %error, "malformed relayed packet");
                self.refuse_malformed(cx.sender, from, Refusal::Malformed);
            }
        }
        None
    }

    /// Only a client believes what it is told of others, and only its server.
    fn accepts_peers_from(&self, from: PeerId) -> bool {
        self.is_relayed_client() && from.is_server()
    }

    /// Whoever was announced can be taken back, also when the relay was switched off here meanwhile.
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
    ) -> Received {
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

    /// Passes a packet on without decoding it: the same bytes behind another prefix.
    fn forward(
        &mut self,
        cx: &mut Context<'_>,
        from: PeerId,
        target: Target,
        inner: Bytes,
        options: SendOptions,
    ) -> Received {
        let mut peers = cx.sender.peers_of(target);
        match target {
            // To itself it does come back; the server is not among its own peers.
            Target::Peer(peer) if !cx.sender.routes().contains(peer) => {
                self.stats.stray_packets += 1;
                return Received::Nothing;
            }
            Target::Peer(_) => {}
            Target::All | Target::AllExcept(_) => peers.retain(|&peer| peer != from),
        }
        self.stats.relayed_packets += peers.len() as u64;
        cx.sender.send_packet(&peers, options, godot::relay_prefix(from.get()), &inner);
        if !matches!(target, Target::Peer(_)) && target.includes(PeerId::SERVER) {
            return Received::Inner(from, inner);
        }
        Received::Nothing
    }
}
