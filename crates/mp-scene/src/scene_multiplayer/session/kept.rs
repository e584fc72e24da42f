//! Peers whose connection was lost and that are kept for a time.
//!
//! For the others and the program a kept peer stays: it has its id, its position in the order of
//! admission, its visibility and its authority. Packets to it are dropped and counted, except calls
//! that the program wants to be queued. A connection that resumes its session begins a new session
//! of `SceneMultiplayer` under the same id or another one, in which nothing was announced yet.

use std::collections::{BTreeMap, BTreeSet};

use mp_core::{ConnectionId, DisconnectReason, EndpointId, Instant, PeerId, Rejection, Variant};

use super::super::sender::{Route, SendOptions, Sender};
use super::{Context, Session, SessionChange};
use crate::SceneMessage;
use crate::api::ApiEvent;
use crate::codec::godot;
use crate::keep::Keep;
use crate::limits::{KEPT_BYTES_MAX, KEPT_PEERS_MAX};
use crate::tree::NodeId;

/// The reason with which a connection is closed whose peer resumes its session by another one.
const RESUMED: Rejection =
    Rejection::new("resumed", "the session was resumed by another connection");

/// The reason with which a connection is closed that resumes a session which has ended.
const RESUME_EXPIRED: Rejection =
    Rejection::new("resume_expired", "the session has ended before it was resumed");

/// The peers that are kept without a connection.
#[derive(Debug, Default)]
pub(super) struct KeptPeers {
    is_enabled: bool,
    peers: BTreeMap<PeerId, KeptPeer>,
    expiries: BTreeSet<(Instant, PeerId)>,
    /// Bytes of the queued calls of all peers.
    bytes: usize,
}

#[derive(Debug)]
struct KeptPeer {
    until: Instant,
    /// Maximum number of queued calls.
    calls_max: usize,
    calls: Vec<KeptCall>,
}

/// A call that is queued for a kept peer.
#[derive(Debug)]
pub(in super::super) struct KeptCall {
    pub(in super::super) node: NodeId,
    pub(in super::super) method: String,
    pub(in super::super) args: Vec<Variant>,
    /// Size of the encoded call in bytes.
    pub(in super::super) size: usize,
}

/// A connection that resumes the session of a peer.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct ResumingConnection {
    pub(in super::super) endpoint: EndpointId,
    pub(in super::super) connection: ConnectionId,
    pub(in super::super) claimed_id: Option<PeerId>,
    /// The peer whose session it resumes.
    pub(in super::super) of: PeerId,
}

impl Session {
    /// Lets the program decide whether peers are kept.
    pub(in super::super) fn enable_keeping(&mut self) {
        self.kept.is_enabled = true;
        self.relayed.enable();
    }

    /// Handles the end of a peer's connection. If the peer can be kept, the program decides.
    pub(in super::super) fn handle_disconnected(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        peer: PeerId,
        reason: DisconnectReason,
    ) {
        let is_lost = matches!(
            reason,
            DisconnectReason::Timeout | DisconnectReason::Remote(_) | DisconnectReason::QueueFull
        );
        let is_admitted = cx.sender.routes().contains(peer);
        if is_lost && is_admitted && self.may_keep() && !self.moves.is_leaving(peer) {
            self.suspend(cx, now, peer);
            cx.events.push(ApiEvent::PeerDropped { peer, reason });
        } else {
            self.remove_peer(cx, peer, true);
        }
    }

    /// Keeps a peer on these terms, for which the program has decided; `None`: it leaves.
    pub(in super::super) fn decide_keep(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        peer: PeerId,
        keep: Option<Keep>,
    ) {
        // The program may have disconnected it.
        if !self.kept.peers.contains_key(&peer) {
            return;
        }
        match keep {
            Some(_) if self.kept.peers.len() > KEPT_PEERS_MAX => {
                self.stats.refused_keeps += 1;
                self.remove_peer(cx, peer, true);
            }
            Some(keep) => {
                self.stats.kept_peers += 1;
                self.kept.set(peer, now + keep.time(), keep.queued_calls());
            }
            None => self.remove_peer(cx, peer, true),
        }
    }

    /// Handles a connection that resumes the session of a peer, as its router has decided. If the
    /// peer still has a connection, that one is closed.
    pub(in super::super) fn handle_resumed(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        resuming: ResumingConnection,
    ) {
        let ResumingConnection { endpoint, connection, claimed_id, of } = resuming;
        self.silence.set_now(now);
        let of_route = cx.sender.routes().get(of).filter(|_| cx.sender.routes().contains(of));
        let is_taken = |peer: PeerId| {
            let is_other = peer != of && cx.sender.routes().get(peer).is_some();
            peer == self.unique_id || is_other || self.is_expected(now, peer)
        };
        let refusal = match claimed_id {
            None => Some(DisconnectReason::InvalidId),
            Some(_) if !self.may_keep() => Some(DisconnectReason::Refused),
            Some(_) if self.moves.is_leaving(of) || of_route.is_none() => {
                Some(DisconnectReason::Rejected(RESUME_EXPIRED))
            }
            Some(peer) if is_taken(peer) => {
                self.stats.duplicate_ids += 1;
                Some(DisconnectReason::DuplicateId)
            }
            Some(_) => None,
        };
        if let Some(reason) = refusal {
            return cx.sender.close(endpoint, connection, reason);
        }
        let Some(peer) = claimed_id else { return };
        if let Some(Route::Direct(endpoint, connection)) = of_route {
            cx.sender.close(endpoint, connection, DisconnectReason::Rejected(RESUMED));
            self.suspend(cx, now, of);
        }
        self.stats.resumed_peers += 1;
        let route = Route::Direct(endpoint, connection);
        if peer == of {
            self.kept.expiries.remove(&(self.kept.until(of), of));
            cx.sender.routes_mut().insert(peer, route);
            self.greet_resumed(cx, peer, route);
        } else {
            // The peer that is resumed leaves when the program has handed over its nodes.
            cx.sender.routes_mut().insert(peer, route);
            self.begin(cx, peer, route);
            cx.changes.push(SessionChange::Began(peer));
        }
        cx.events.push(ApiEvent::PeerResumed { old: of, new: peer });
    }

    /// Announces the others to a peer that has resumed its session under the same id. They know it.
    fn greet_resumed(&mut self, cx: &mut Context<'_>, peer: PeerId, route: Route) {
        if self.outlives_program(route) {
            self.silence.insert(peer);
        }
        let others = self.peers.notified_of(peer, cx.sender.routes());
        for &other in &others {
            cx.sender.send_message(&SceneMessage::AddPeer(other), peer);
            if !self.relayed.resume(peer, other) {
                cx.sender.send_message(&SceneMessage::DelPeer(peer), other);
                cx.sender.send_message(&SceneMessage::AddPeer(peer), other);
            }
        }
        self.relayed.resumed(peer);
        cx.changes.push(SessionChange::Began(peer));
    }

    /// Repeats the announcements of the others to a peer that has resumed its session.
    pub(in super::super) fn repeat_announcements(&self, sender: &mut Sender, peer: PeerId) {
        for (author, packet) in self.relayed.announced_to(peer) {
            let prefix = godot::relay_prefix(author.get());
            sender.send_to(peer, SendOptions::INTERNAL, prefix, packet);
        }
    }

    /// Returns the calls that were queued for a peer that has resumed. It is not kept any more.
    pub(in super::super) fn take_kept_calls(&mut self, peer: PeerId) -> Vec<KeptCall> {
        self.kept.remove(peer)
    }

    /// Queues a call for a kept peer; drops and counts it beyond the limits.
    pub(in super::super) fn queue_kept_call(
        &mut self,
        cx: &mut Context<'_>,
        peer: PeerId,
        call: KeptCall,
    ) {
        match self.kept.push(peer, call) {
            true => self.stats.queued_calls += 1,
            false => cx.sender.count_kept_drops(1),
        }
    }

    /// Returns whether calls are queued for a kept peer.
    pub(in super::super) fn queues_calls(&self, peer: PeerId) -> bool {
        self.kept.peers.get(&peer).is_some_and(|kept| kept.calls.len() < kept.calls_max)
    }

    /// Lets a kept peer leave at the next [`process`](Self::process).
    pub(in super::super) fn end_keep(&mut self, peer: PeerId) {
        self.kept.expire(peer);
    }

    /// Removes the kept peers whose time is over.
    pub(super) fn end_expired_keeps(&mut self, cx: &mut Context<'_>, now: Instant) {
        while let Some(&(until, peer)) = self.kept.expiries.first()
            && now >= until
        {
            self.stats.expired_keeps += 1;
            self.remove_peer(cx, peer, true);
        }
    }

    /// Returns whether peers of this branch can be kept.
    fn may_keep(&self) -> bool {
        self.kept.is_enabled
            && self.is_server()
            && self.is_in_session()
            && !self.authentication
            && !self.policy.is_set()
    }

    /// Ends the connection of an admitted peer, which stays. It leaves at the next
    /// [`process`](Self::process) unless the program decides otherwise.
    fn suspend(&mut self, cx: &mut Context<'_>, now: Instant, peer: PeerId) {
        cx.sender.routes_mut().insert(peer, Route::Kept);
        let waiting = self.unannounced.take(peer).len() + self.unadmitted.take(peer).len();
        self.stats.stray_packets += waiting as u64;
        self.silence.remove(peer);
        self.moves.forget_peer(peer);
        cx.sender.forget_peer(peer);
        self.kept.set(peer, now, 0);
        cx.changes.push(SessionChange::Suspended(peer));
    }
}

impl KeptPeers {
    /// Keeps a peer until a time, with this number of queued calls.
    pub(super) fn set(&mut self, peer: PeerId, until: Instant, calls_max: usize) {
        self.remove(peer);
        self.peers.insert(peer, KeptPeer { until, calls_max, calls: Vec::new() });
        self.expiries.insert((until, peer));
    }

    /// Returns the time until which a peer is kept.
    pub(super) fn until(&self, peer: PeerId) -> Instant {
        self.peers.get(&peer).map_or(Instant::ZERO, |kept| kept.until)
    }

    /// Appends a call. Returns false if a limit is reached.
    fn push(&mut self, peer: PeerId, call: KeptCall) -> bool {
        let Some(kept) = self.peers.get_mut(&peer) else { return false };
        if kept.calls.len() >= kept.calls_max || self.bytes + call.size > KEPT_BYTES_MAX {
            return false;
        }
        self.bytes += call.size;
        kept.calls.push(call);
        true
    }

    /// Removes a peer, if it is kept. Returns its calls.
    pub(super) fn remove(&mut self, peer: PeerId) -> Vec<KeptCall> {
        let Some(kept) = self.peers.remove(&peer) else { return Vec::new() };
        self.expiries.remove(&(kept.until, peer));
        self.bytes -= kept.calls.iter().map(|call| call.size).sum::<usize>();
        kept.calls
    }

    /// Lets all kept peers leave at the next opportunity.
    pub(super) fn expire_all(&mut self) {
        for peer in self.peers.keys().copied().collect::<Vec<_>>() {
            self.expire(peer);
        }
    }

    /// Lets a kept peer leave at the next opportunity.
    fn expire(&mut self, peer: PeerId) {
        if let Some(kept) = self.peers.get_mut(&peer) {
            self.expiries.remove(&(kept.until, peer));
            kept.until = Instant::ZERO;
            self.expiries.insert((kept.until, peer));
        }
    }

    pub(super) fn is_disabled(&self) -> bool {
        !self.is_enabled
    }

    pub(super) fn clear(&mut self) {
        *self = Self { is_enabled: self.is_enabled, ..Self::default() };
    }

    /// Returns the time at which the next kept peer leaves.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.expiries.first().map(|&(until, _)| until)
    }
}
