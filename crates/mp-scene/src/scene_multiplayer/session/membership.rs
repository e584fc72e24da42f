//! Peers join and leave the session.

use mp_core::{ConnectionId, ConnectionStatus, DisconnectReason, EndpointId, Instant, PeerId};

use super::{Context, Session, SessionChange};
use crate::SceneMessage;
use crate::api::ApiEvent;
use crate::scene_multiplayer::sender::Route;
use crate::signal::Signal;

impl Session {
    /// Handles the id that a server has assigned to this client.
    pub(in super::super) fn handle_unique_id(&mut self, endpoint: EndpointId, id: PeerId) {
        let Some(info) = self.endpoints.get_mut(&endpoint) else { return };
        info.unique_id = id;
        if !self.is_server() {
            self.unique_id = id;
        }
    }

    pub(in super::super) fn handle_connected(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        endpoint: EndpointId,
        connection: ConnectionId,
        claimed_id: Option<PeerId>,
    ) {
        self.silence.set_now(now);
        let Some(peer) = claimed_id else {
            return cx.sender.close(endpoint, connection, DisconnectReason::InvalidId);
        };
        let is_taken = peer == self.unique_id || cx.sender.routes().get(peer).is_some();
        if is_taken || self.is_expected(now, peer) {
            self.stats.duplicate_ids += 1;
            return cx.sender.close(endpoint, connection, DisconnectReason::DuplicateId);
        }
        if peer.is_server() {
            self.status = ConnectionStatus::Connected;
        }
        if self.authentication {
            self.is_joining |= peer.is_server();
            cx.sender.routes_mut().insert_pending(peer, endpoint, connection);
            self.peers.insert_pending(peer, now);
            cx.events.emit(Signal::PeerAuthenticating(peer));
        } else {
            self.admit(cx, peer, Route::Direct(endpoint, connection));
        }
    }

    /// Disconnects a peer without a signal; the other peers are notified.
    pub(in super::super) fn disconnect_peer(&mut self, cx: &mut Context<'_>, peer: PeerId) {
        let route = cx.sender.routes().get(peer);
        self.remove_peer(cx, peer, false);
        let Some(route) = route else { return };
        cx.events.push(ApiEvent::PeerGone(peer));
        if let Route::Direct(endpoint, connection) = route {
            cx.sender.close(endpoint, connection, DisconnectReason::Kicked);
        }
    }

    /// Admits `peer`. A relaying server announces it to the others and the others to it, in Godot's
    /// order.
    ///
    /// A relayed peer that is already admitted begins a new session under the same id. A peer with
    /// its own connection is not changed.
    pub(super) fn admit(&mut self, cx: &mut Context<'_>, peer: PeerId, route: Route) {
        let is_known = cx.sender.routes().contains(peer);
        if !is_known || cx.sender.routes().get(peer) == Some(Route::Relayed) {
            if is_known {
                self.forget_peer(cx, peer);
            }
            cx.sender.routes_mut().insert(peer, route);
            self.begin(cx, peer, route);
            cx.changes.push(SessionChange::Began(peer));
        }
        if peer.is_server() {
            self.is_joining = false;
            cx.events.emit(Signal::ConnectedToServer);
        }
        cx.events.emit(Signal::PeerConnected(peer));
    }

    /// Begins the session of a peer that has a route, and announces it.
    pub(super) fn begin(&mut self, cx: &mut Context<'_>, peer: PeerId, route: Route) {
        if self.outlives_program(route) {
            self.silence.insert(peer);
        }
        let may_relay = self.relay_permission.may_send(peer);
        if self.is_server() && self.policy.is_set() {
            // The policy announces the peer.
            self.peers.insert(peer, false, may_relay);
            return self.policy.peer_connected(cx.sender, &mut self.stats, peer);
        }
        self.peers.insert(peer, self.is_server() && self.relays(), may_relay);
        let others = self.peers.notified_of(peer, cx.sender.routes());
        cx.sender.send_to_all(&others, &SceneMessage::AddPeer(peer));
        cx.sender.send_each(others.into_iter().map(SceneMessage::AddPeer), peer);
    }

    /// Ends the session of a peer, admitted or pending.
    pub(in super::super) fn remove_peer(
        &mut self,
        cx: &mut Context<'_>,
        peer: PeerId,
        signal: bool,
    ) {
        let others = self.peers.notified_of(peer, cx.sender.routes());
        cx.sender.send_to_all(&others, &SceneMessage::DelPeer(peer));
        cx.sender.routes_mut().remove(peer);
        self.kept.remove(peer);
        let (was_pending, was_admitted) = self.peers.remove(peer);
        self.forget_peer(cx, peer);
        if signal && was_pending {
            cx.events.emit(Signal::PeerAuthenticationFailed(peer));
        }
        if signal && was_admitted {
            cx.events.emit(Signal::PeerDisconnected(peer));
        }
        if was_admitted && self.is_server() {
            self.policy.peer_disconnected(cx.sender, &mut self.stats, peer);
        }
    }

    /// Removes the state of a peer, except its admission. Packets from and for it are dropped and
    /// counted.
    ///
    /// Every field is named here, so that a new one must be classified as state of a peer or not.
    pub(super) fn forget_peer(&mut self, cx: &mut Context<'_>, peer: PeerId) {
        let Self {
            unannounced,
            unadmitted,
            silence,
            moves,
            relayed,
            stats,
            // Removed by the caller.
            peers: _,
            kept: _,
            // State of the branch.
            unique_id: _,
            status: _,
            is_joining: _,
            is_leaving: _,
            server_relay: _,
            relay_permission: _,
            refuse_new_connections: _,
            authentication: _,
            auth_timeout: _,
            refusals: _,
            // Notified by the caller.
            policy: _,
            // State of connections.
            endpoints: _,
        } = self;
        let waiting = unannounced.take(peer).len() + unadmitted.take(peer).len();
        stats.stray_packets += waiting as u64;
        silence.remove(peer);
        moves.forget_peer(peer);
        relayed.forget_peer(peer);
        cx.sender.forget_peer(peer);
        cx.changes.push(SessionChange::Ended(peer));
    }
}
