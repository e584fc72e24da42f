//! The session: which peers are admitted, and how they reach each other.
//!
//! * [`Session`] handles the connections that transports report, and admits peers;
//! * `auth` authenticates peers;
//! * `peers` stores the admitted and the pending peers;
//! * `moves` handles peers that move from and to other branches;
//! * `kept` keeps peers whose connection was lost;
//! * `relayed` keeps the announcements of clients to others, which may resume their session;
//! * `relay` handles SYS messages, and forwards packets between clients;
//! * `policy` lets a [`RelayPolicy`] do so in its place;
//! * `bytes` sends packets of bytes;
//! * `checkpoint` keeps and restores the peers for recordings;
//! * `handover` does so for a branch of another process, which goes on serving them;
//! * `silence` detects peers whose program has stopped;
//! * `reorder` defers packets that overtook the message which makes them valid.
//!
//! Functions that begin or end sessions of peers record it in [`Context::changes`], for the other
//! parts of `SceneMultiplayer`.

mod auth;
mod bytes;
mod checkpoint;
mod handover;
mod kept;
mod membership;
mod moves;
mod peers;
mod policy;
mod relay;
mod relay_permission;
mod relayed;
mod reorder;
mod silence;

use std::time::Duration;

use indexmap::IndexMap;
use mp_core::{
    ConnectionStatus, DisconnectReason, EndpointId, EndpointInfo, Instant, PeerId, ToEndpoint,
    TransferMode,
};

use super::events::Events;
use super::sender::{Route, Sender};
use super::traffic::Traffic;
use super::{GodotQuirks, Refusal, Refusals, refusal};
use crate::api::ApiEvent;
use crate::limits::MALFORMED_PACKETS_MAX;
use crate::signal::Signal;
pub(super) use checkpoint::SessionState;
pub(super) use handover::HandedSession;
use kept::KeptPeers;
pub(super) use kept::{KeptCall, ResumingConnection};
use moves::Moves;
pub(super) use moves::{MovedConnection, ReleasedPeer};
use peers::SessionPeers;
use policy::PolicySlot;
pub use policy::{RelayContext, RelayDecision, RelayPolicy};
pub(super) use relay::Received;
use relay_permission::RelayPermission;
use relayed::RelayedAnnouncements;
use reorder::ReorderBuffer;
use silence::{Silence, SilenceWatch};

/// The peers and endpoints of a branch. It sends AUTH and SYS messages and forwards packets.
///
/// Without an endpoint it behaves like Godot's `OfflineMultiplayerPeer`: id 1, connected, no other
/// peers.
#[derive(Debug)]
pub(super) struct Session {
    unique_id: PeerId,
    status: ConnectionStatus,
    /// True until the server has admitted this client.
    is_joining: bool,
    /// True if the branch is closing: nothing is sent any more.
    is_leaving: bool,
    server_relay: bool,
    relay_permission: RelayPermission,
    refuse_new_connections: bool,
    authentication: bool,
    auth_timeout: Duration,
    endpoints: IndexMap<EndpointId, EndpointInfo>,
    peers: SessionPeers,
    /// Relayed packets of peers that the server has not announced yet.
    unannounced: ReorderBuffer,
    /// Packets of pending peers that may have overtaken their completion of the authentication.
    unadmitted: ReorderBuffer,
    silence: SilenceWatch,
    moves: Moves,
    kept: KeptPeers,
    relayed: RelayedAnnouncements,
    policy: PolicySlot,
    stats: SessionStats,
    refusals: Refusals,
}

/// Counters; see [`SceneStats`](crate::SceneStats).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SessionStats {
    pub(super) packets_received: u64,
    pub(super) malformed_packets: u64,
    pub(super) relayed_packets: u64,
    pub(super) stray_packets: u64,
    pub(super) duplicate_ids: u64,
    pub(super) silent_peers: u64,
    pub(super) moved_packets: u64,
    pub(super) kept_peers: u64,
    pub(super) refused_keeps: u64,
    pub(super) resumed_peers: u64,
    pub(super) expired_keeps: u64,
    pub(super) queued_calls: u64,
    pub(super) refused_relays: u64,
}

/// The parts that a function of the session uses.
pub(super) struct Context<'a> {
    pub(super) sender: &'a mut Sender,
    pub(super) traffic: &'a mut Traffic,
    pub(super) events: &'a mut Events,
    pub(super) quirks: GodotQuirks,
    /// Peers whose sessions the function has begun or ended, in order.
    pub(super) changes: Vec<SessionChange>,
}

/// The begin or end of a peer's session, or the loss of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SessionChange {
    Began(PeerId),
    /// The peer is kept: what belongs to its connection is forgotten.
    Suspended(PeerId),
    Ended(PeerId),
}

impl Session {
    pub(super) fn new() -> Self {
        Self {
            unique_id: PeerId::SERVER,
            status: ConnectionStatus::Connected,
            is_joining: false,
            is_leaving: false,
            server_relay: true,
            relay_permission: RelayPermission::default(),
            refuse_new_connections: false,
            authentication: false,
            auth_timeout: auth::TIMEOUT,
            endpoints: IndexMap::new(),
            peers: SessionPeers::default(),
            unannounced: ReorderBuffer::default(),
            unadmitted: ReorderBuffer::default(),
            silence: SilenceWatch::default(),
            moves: Moves::default(),
            kept: KeptPeers::default(),
            relayed: RelayedAnnouncements::default(),
            policy: PolicySlot::default(),
            stats: SessionStats::default(),
            refusals: Refusals::default(),
        }
    }

    pub(super) fn set_server_relay(&mut self, relay: bool) {
        self.server_relay = relay;
    }

    pub(super) fn set_relay_permission(
        &mut self,
        may_send: impl Fn(PeerId) -> bool + Send + 'static,
    ) {
        self.relay_permission = RelayPermission::new(may_send);
    }

    pub(super) fn set_refuse_new_connections(&mut self, sender: &mut Sender, refuse: bool) {
        self.refuse_new_connections = refuse;
        sender.command(&ToEndpoint::RefuseNewConnections(refuse));
    }

    /// Adds an endpoint that serves the branch. The first one replaces the offline peer.
    pub(super) fn open(&mut self, sender: &mut Sender, endpoint: EndpointId, info: EndpointInfo) {
        if self.endpoints.is_empty() {
            self.unique_id = info.unique_id;
            self.status = info.status;
            self.is_joining = info.status == ConnectionStatus::Connecting;
        }
        self.endpoints.insert(endpoint, info);
        sender.add_endpoint(endpoint, self.refuse_new_connections);
    }

    /// Removes an endpoint and its peers. Returns true if it was the last one, which ends the
    /// session.
    pub(super) fn close_endpoint(
        &mut self,
        cx: &mut Context<'_>,
        endpoint: EndpointId,
        reason: DisconnectReason,
    ) -> bool {
        if self.endpoints.shift_remove(&endpoint).is_none() {
            return false;
        }
        tracing::debug!(?endpoint, %reason, "endpoint closed");
        if !self.endpoints.is_empty() {
            for peer in cx.sender.routes().of_endpoint(endpoint) {
                self.remove_peer(cx, peer, true);
            }
            cx.sender.remove_endpoint(endpoint);
            return false;
        }
        cx.sender.remove_endpoint(endpoint);
        self.is_leaving = false;
        let was = std::mem::replace(&mut self.status, ConnectionStatus::Disconnected);
        let is_joining = std::mem::take(&mut self.is_joining);
        match was {
            ConnectionStatus::Disconnected => {}
            _ if is_joining => cx.events.emit(Signal::ConnectionFailed),
            _ => cx.events.emit(Signal::ServerDisconnected),
        }
        true
    }

    /// Prepares to close the branch: paused peers are resumed, and every endpoint is sent `leave`.
    pub(super) fn leave(&mut self, sender: &mut Sender, leave: &ToEndpoint) {
        sender.resume_all();
        self.kept.expire_all();
        sender.command(leave);
        self.is_leaving = !self.endpoints.is_empty();
    }

    /// Returns whether the branch was closed and its endpoints have not closed yet.
    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    /// Removes all peers, pending ones included, without signals. The endpoints stay.
    pub(super) fn clear(&mut self, sender: &mut Sender, events: &mut Events) {
        let pending = self.peers.pending().map(|(peer, _)| peer);
        for peer in sender.routes().ids().chain(pending) {
            events.push(ApiEvent::PeerGone(peer));
        }
        sender.clear();
        self.peers = SessionPeers::default();
        self.unannounced = ReorderBuffer::default();
        self.unadmitted = ReorderBuffer::default();
        self.silence.clear();
        self.moves.clear();
        self.kept.clear();
        self.relayed.clear();
        self.policy.clear();
    }

    /// Counts a packet of a connection that belongs to no peer.
    pub(super) fn count_stray(&mut self) {
        self.stats.stray_packets += 1;
    }

    /// Counts a packet that is refused because the peers are configured differently. It does not
    /// count as malformed.
    fn refuse_stray(&mut self, from: PeerId, refusal: Refusal) {
        self.stats.stray_packets += 1;
        refusal::count(&mut self.refusals, from, refusal);
    }

    /// Counts a malformed packet. The sender is disconnected at its [`MALFORMED_PACKETS_MAX`]th
    /// one.
    fn refuse_malformed(&mut self, sender: &mut Sender, from: PeerId, refusal: Refusal) {
        self.stats.malformed_packets += 1;
        refusal::count(&mut self.refusals, from, refusal);
        if self.peers.count_malformed(from) == Some(MALFORMED_PACKETS_MAX) {
            sender.disconnect(from, DisconnectReason::ProtocolViolation);
        }
    }

    /// Counts a packet for which a reorder buffer has no capacity. If it is reliable, the sender is
    /// disconnected, since the packet must not be lost silently.
    fn handle_full_buffer(&mut self, sender: &mut Sender, from: PeerId, mode: TransferMode) {
        self.stats.stray_packets += 1;
        if mode.is_reliable() {
            sender.disconnect(from, DisconnectReason::QueueFull);
        }
    }

    /// Handles timeouts that have expired at `now`. Returns the peers to probe, because they are
    /// silent.
    pub(super) fn process(&mut self, cx: &mut Context<'_>, now: Instant) -> Vec<PeerId> {
        self.check_auth_timeouts(cx, now);
        let silent = self.check_silence(cx, now);
        self.stats.stray_packets += self.unannounced.sweep(now);
        self.stats.stray_packets += self.unadmitted.sweep(now);
        self.moves.sweep(now);
        self.end_expired_keeps(cx, now);
        if self.is_server() {
            self.policy.process(cx.sender, &mut self.stats, now);
        }
        silent
    }

    /// Disconnects peers whose silence has expired. Returns the peers to probe.
    fn check_silence(&mut self, cx: &mut Context<'_>, now: Instant) -> Vec<PeerId> {
        self.silence.set_now(now);
        let mut probed = Vec::new();
        while let Some(silence) = self.silence.take_due(now) {
            match silence {
                // A probe would wait in the queue of a paused peer.
                Silence::Probe(peer) if cx.sender.is_paused(peer) => {
                    self.silence.record_packet(now, peer);
                }
                Silence::Expired(peer) if cx.sender.is_paused(peer) => self.silence.insert(peer),
                Silence::Probe(peer) => probed.push(peer),
                Silence::Expired(peer) => {
                    tracing::debug!(%peer, "the peer's program no longer answers");
                    self.stats.silent_peers += 1;
                    cx.sender.disconnect(peer, DisconnectReason::Timeout);
                }
            }
        }
        probed
    }

    /// Returns whether a connection stays open although the peer's program has stopped.
    fn outlives_program(&self, route: Route) -> bool {
        let Route::Direct(endpoint, _) = route else { return false };
        self.endpoints.get(&endpoint).is_some_and(|info| info.outlives_program)
    }

    pub(super) fn set_silence_timeout(&mut self, timeout: Duration) {
        self.silence.set_timeout(timeout);
    }

    pub(super) fn silence_timeout(&self) -> Duration {
        self.silence.timeout()
    }

    /// Returns the time of the next [`process`](Self::process).
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let sweeps = [self.unannounced.next_sweep(), self.unadmitted.next_sweep()];
        let others = [
            self.next_auth_timeout(),
            self.silence.next_due(),
            self.moves.next_sweep(),
            self.kept.next_expiry(),
            self.policy.next_timeout(),
        ];
        sweeps.into_iter().chain(others).flatten().min()
    }

    pub(super) fn unique_id(&self) -> PeerId {
        self.unique_id
    }

    pub(super) fn is_server(&self) -> bool {
        self.unique_id.is_server()
    }

    pub(super) fn status(&self) -> ConnectionStatus {
        self.status
    }

    pub(super) fn server_relay(&self) -> bool {
        self.server_relay
    }

    pub(super) fn refuses_new_connections(&self) -> bool {
        self.refuse_new_connections
    }

    pub(super) fn endpoints(&self) -> impl ExactSizeIterator<Item = (EndpointId, EndpointInfo)> {
        self.endpoints.iter().map(|(&id, &info)| (id, info))
    }

    pub(super) fn has_endpoint(&self, endpoint: EndpointId) -> bool {
        self.endpoints.contains_key(&endpoint)
    }

    pub(super) fn stats(&self) -> SessionStats {
        self.stats
    }

    pub(super) fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Returns whether packets can be sent: there is a session, and the branch is not closing.
    pub(super) fn is_in_session(&self) -> bool {
        self.status == ConnectionStatus::Connected && !self.is_leaving
    }

    /// Returns whether the local relay is enabled and every transport supports it.
    fn relays(&self) -> bool {
        self.server_relay
            && !self.endpoints.is_empty()
            && self.endpoints.values().all(|info| info.relay_supported)
    }

    /// Returns whether the local peer reaches other clients through the server.
    fn is_relayed_client(&self) -> bool {
        !self.is_server() && self.relays()
    }
}
