//! Peers that move from this branch to another one, and to this branch, with their connection.
//!
//! The old branch first asks the endpoint to hold the connection, so that it has handled all
//! packets that it was given when it releases the peer. A moved peer goes on sending for its
//! earlier branch until it has received the move. It confirms a *fence*, a SIMPLIFY_PATH of the
//! root that precedes all other packets of the new branch. Messages on channel 0 are ordered, so
//! those received before the confirmation are of the earlier branch.
//!
//! A peer that returns to a branch has a new session with the others there, but the same id. Those
//! that had the previous session confirm a fence, too, before their packets are relayed to it.

use std::collections::BTreeMap;

use mp_core::{BranchId, ConnectionId, DisconnectReason, EndpointId, Instant, PeerId, ToEndpoint};

use super::super::sender::{Route, Sender};
use super::super::{MoveError, Refusal, refusal};
use super::{Context, Received, Session, SessionChange};
use crate::SceneMessage;
use crate::api::ApiEvent;
use crate::codec::DecodeError;
use crate::limits::{DEPARTED_TIME, EXPECTED_TIME};
use crate::message::ConfirmedNode;

/// The peers that move from and to the branch.
#[derive(Debug, Default)]
pub(super) struct Moves {
    is_enabled: bool,
    /// Peers that another branch is about to move to this one, and until when they are expected.
    expected: BTreeMap<PeerId, Instant>,
    /// Path ids that moved peers have not confirmed yet.
    fences: BTreeMap<PeerId, u32>,
    /// Peers that have moved away.
    departed: BTreeMap<PeerId, Departed>,
    /// For each peer, the peers that have left and returned since, and the path ids with whose
    /// confirmation it shows that it has received this. Until then its packets for such a peer are
    /// for the session that has ended.
    stale: BTreeMap<PeerId, BTreeMap<PeerId, u32>>,
    /// Peers whose endpoint is asked to hold their connection, and the branches to which they move.
    leaving: BTreeMap<PeerId, BranchId>,
}

/// A peer that has moved away.
#[derive(Clone, Copy, Debug)]
struct Departed {
    /// Order of the last admission before it left: the peers up to it had a session with it.
    order: u64,
    /// Time from which no packet for its session can be in flight.
    until: Instant,
}

/// A connection that is moved to this branch.
pub(in super::super) struct MovedConnection {
    pub(in super::super) endpoint: EndpointId,
    pub(in super::super) connection: ConnectionId,
    pub(in super::super) claimed_id: Option<PeerId>,
    pub(in super::super) malformed_packets: u64,
    /// The path id of the fence, and its message.
    pub(in super::super) fence: (u32, Option<SceneMessage>),
}

/// A peer that was removed because it moves to another branch.
pub(in super::super) struct ReleasedPeer {
    pub(in super::super) endpoint: EndpointId,
    pub(in super::super) connection: ConnectionId,
    /// The branch to which the peer moves.
    pub(in super::super) to: BranchId,
    pub(in super::super) malformed_packets: u64,
}

impl Session {
    /// Allows peers to move from and to the branch.
    pub(in super::super) fn enable_moves(&mut self) {
        self.moves.is_enabled = true;
    }

    /// Expects a peer that another branch is about to move to this one. Its id is reserved until it
    /// arrives, the branch [cancels](Self::cancel_expected), or [`EXPECTED_TIME`] has passed.
    pub(in super::super) fn expect_peer(
        &mut self,
        sender: &Sender,
        now: Instant,
        peer: PeerId,
    ) -> Result<(), MoveError> {
        self.check_moves()?;
        if self.refuse_new_connections {
            return Err(MoveError::Refused);
        }
        let is_taken = peer == self.unique_id || sender.routes().get(peer).is_some();
        if is_taken || self.is_expected(now, peer) {
            return Err(MoveError::DuplicateId(peer));
        }
        self.moves.expected.insert(peer, now + EXPECTED_TIME);
        Ok(())
    }

    pub(in super::super) fn cancel_expected(&mut self, peer: PeerId) {
        self.moves.expected.remove(&peer);
    }

    /// Returns whether a peer is expected that has not arrived.
    pub(in super::super) fn is_expected(&self, now: Instant, peer: PeerId) -> bool {
        self.moves.expected.get(&peer).is_some_and(|&until| now < until)
    }

    /// Checks that `peer` can move to another branch.
    pub(in super::super) fn check_release(
        &self,
        sender: &Sender,
        peer: PeerId,
    ) -> Result<(), MoveError> {
        self.check_moves()?;
        let is_admitted = sender.routes().contains(peer);
        match sender.routes().connection(peer) {
            Some(_) if self.moves.is_leaving(peer) => Err(MoveError::AlreadyMoving(peer)),
            Some(_) if is_admitted => Ok(()),
            _ => Err(MoveError::UnknownPeer(peer)),
        }
    }

    /// Starts to move a peer, which [`check_release`](Self::check_release) allows: asks its
    /// endpoint to hold the connection.
    pub(in super::super) fn hold_peer(&mut self, sender: &mut Sender, peer: PeerId, to: BranchId) {
        if let Some((endpoint, connection)) = sender.routes().connection(peer) {
            self.moves.leaving.insert(peer, to);
            sender.command_one(endpoint, ToEndpoint::Hold { connection });
        }
    }

    /// Handles that a connection is held: its peer can be released now.
    pub(in super::super) fn handle_held(
        &mut self,
        cx: &mut Context<'_>,
        endpoint: EndpointId,
        connection: ConnectionId,
    ) {
        match cx.sender.routes().at(endpoint, connection) {
            Some(peer) if self.moves.is_leaving(peer) => {
                cx.events.push(ApiEvent::PeerHeld(peer));
            }
            // The program has cleared the session, so the peer is not released any more.
            _ => cx.sender.close(endpoint, connection, DisconnectReason::Closed),
        }
    }

    fn check_moves(&self) -> Result<(), MoveError> {
        if !self.moves.is_enabled || self.policy.is_set() {
            return Err(MoveError::NotEnabled);
        }
        if !self.is_server() || !self.is_in_session() {
            return Err(MoveError::NotServing);
        }
        Ok(())
    }

    /// Removes a peer that moves to another branch: it is sent DEL_PEER of the other peers, and the
    /// others are sent DEL_PEER of it. The connection stays open.
    pub(in super::super) fn release_peer(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        peer: PeerId,
    ) -> Option<ReleasedPeer> {
        let to = self.moves.leaving.remove(&peer)?;
        let (endpoint, connection) = cx.sender.routes().connection(peer)?;
        for other in self.peers.notified_of(peer, cx.sender.routes()) {
            cx.sender.send_message(&SceneMessage::DelPeer(other), peer);
        }
        let malformed_packets = self.peers.malformed(peer);
        let departed = Departed { order: self.peers.last_order(), until: now + DEPARTED_TIME };
        self.remove_peer(cx, peer, true);
        self.moves.departed.retain(|_, departed| now < departed.until);
        self.moves.departed.insert(peer, departed);
        Some(ReleasedPeer { endpoint, connection, to, malformed_packets })
    }

    /// Admits a peer whose connection was moved to this branch. It is not authenticated again.
    pub(in super::super) fn handle_moved(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        moved: MovedConnection,
    ) -> Option<PeerId> {
        let MovedConnection { endpoint, connection, claimed_id, malformed_packets, fence } = moved;
        self.silence.set_now(now);
        let taken = |peer| peer == self.unique_id || cx.sender.routes().get(peer).is_some();
        let reason = match claimed_id {
            None => Some(DisconnectReason::InvalidId),
            Some(_) if self.check_moves().is_err() => Some(DisconnectReason::Refused),
            Some(peer) if taken(peer) => Some(DisconnectReason::DuplicateId),
            Some(_) => None,
        };
        if let Some(reason) = reason {
            self.stats.duplicate_ids += u64::from(reason == DisconnectReason::DuplicateId);
            cx.sender.close(endpoint, connection, reason);
            return None;
        }
        let peer = claimed_id?;
        self.moves.expected.remove(&peer);
        let route = Route::Direct(endpoint, connection);
        cx.sender.routes_mut().insert(peer, route);
        if let (id, Some(fence)) = fence {
            self.moves.fences.insert(peer, id);
            let mut fenced = vec![peer];
            // Peers that were here when this one left may have sent packets for that session.
            if let Some(departed) = self.moves.departed.remove(&peer) {
                let others = cx.sender.routes().ids();
                fenced.extend(others.filter(|&it| self.peers.is_admitted_by(it, departed.order)));
                for &other in &fenced[1..] {
                    self.moves.stale.entry(other).or_default().insert(peer, id);
                }
            }
            cx.sender.send_to_all(&fenced, &fence);
        }
        self.begin(cx, peer, route);
        self.peers.set_malformed(peer, malformed_packets);
        cx.changes.push(SessionChange::Began(peer));
        Some(peer)
    }

    /// Handles a packet of a moved peer that has not confirmed its fence.
    pub(super) fn receive_before_fence(
        &mut self,
        cx: &mut Context<'_>,
        from: PeerId,
        fence: u32,
        message: Result<SceneMessage, DecodeError>,
    ) -> Received<'static> {
        match message {
            Ok(SceneMessage::ConfirmPath { node: ConfirmedNode::Id(id), .. }) if id == fence => {
                self.moves.fences.remove(&from);
                Received::Nothing
            }
            Ok(SceneMessage::ConfirmPath { node: ConfirmedNode::Id(id), .. })
                if self.moves.confirm_return(from, id) =>
            {
                Received::Nothing
            }
            Ok(message @ SceneMessage::ConfirmPath { .. }) => Received::Message(message),
            Ok(message @ SceneMessage::SimplifyPath { .. }) => Received::Earlier(message),
            Ok(message) => {
                self.stats.moved_packets += 1;
                refusal::count(&mut self.refusals, from, Refusal::EarlierBranch);
                Received::Earlier(message)
            }
            Err(error) => {
                tracing::debug!(sender = %from, %error, "malformed packet");
                self.refuse_malformed(cx.sender, from, Refusal::Malformed);
                Received::Nothing
            }
        }
    }
}

impl Moves {
    /// Returns the path id that a moved peer has not confirmed yet.
    pub(super) fn fence(&self, peer: PeerId) -> Option<u32> {
        self.fences.get(&peer).copied()
    }

    /// Returns whether a peer is about to leave the branch.
    pub(super) fn is_leaving(&self, peer: PeerId) -> bool {
        self.leaving.contains_key(&peer)
    }

    /// Returns whether a packet of `from` for `to` is for a session of `to` that has ended.
    pub(super) fn is_stale(&self, from: PeerId, to: PeerId) -> bool {
        self.stale.get(&from).is_some_and(|returned| returned.contains_key(&to))
    }

    /// Handles that a peer has confirmed a path id. Returns whether it shows that the peer has
    /// received the return of others.
    pub(super) fn confirm_return(&mut self, from: PeerId, id: u32) -> bool {
        let Some(returned) = self.stale.get_mut(&from) else { return false };
        let before = returned.len();
        returned.retain(|_, fence| *fence != id);
        let is_confirmed = returned.len() < before;
        if returned.is_empty() {
            self.stale.remove(&from);
        }
        is_confirmed
    }

    pub(super) fn forget_peer(&mut self, peer: PeerId) {
        self.stale.remove(&peer);
        self.stale.retain(|_, returned| {
            returned.remove(&peer);
            !returned.is_empty()
        });
        self.fences.remove(&peer);
        self.leaving.remove(&peer);
    }

    /// Returns whether no peer moves, and no packet of a former session is expected.
    pub(super) fn is_idle(&self) -> bool {
        self.expected.is_empty()
            && self.fences.is_empty()
            && self.stale.is_empty()
            && self.leaving.is_empty()
    }

    pub(super) fn is_disabled(&self) -> bool {
        !self.is_enabled
    }

    pub(super) fn clear(&mut self) {
        self.fences.clear();
        self.leaving.clear();
        self.departed.clear();
        self.stale.clear();
    }

    /// Drops peers that did not arrive in time.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.expected.retain(|_, until| now < *until);
    }

    pub(super) fn next_sweep(&self) -> Option<Instant> {
        self.expected.values().min().copied()
    }
}
