//! Routing of connections to branches.

use std::collections::BTreeMap;

use crate::limits::{
    UNDECIDED_BYTES_MAX, UNDECIDED_CONNECTIONS_MAX, UNDECIDED_PACKETS_MAX, UNDECIDED_TIMEOUT,
};
use crate::{
    BranchId, ConnectionId, DisconnectReason, Instant, Origin, Outgoing, Packet, PeerId,
    RunningClock,
};

/// A policy that assigns new connections to branches: immediately, by their origin, or after an
/// exchange of packets such as Godot's authentication.
///
/// No branch knows a connection while it is [undecided](Route::Undecided). The endpoint keeps its
/// packets for the branch, at most [`UNDECIDED_PACKETS_MAX`] and [`UNDECIDED_BYTES_MAX`]. It
/// rejects the connection beyond these limits, and after [`UNDECIDED_TIMEOUT`].
pub trait ConnectionRouter {
    /// Routes a connection that was just established. `replies` accepts packets to send to it.
    fn route(&mut self, connection: &NewConnection<'_>, replies: &mut Vec<Outgoing>) -> Route;

    /// Routes an undecided connection by a packet received from it. The branch receives the packet,
    /// too. `replies` accepts packets to send. Default: rejects the connection.
    fn handle_packet(
        &mut self,
        _connection: &NewConnection<'_>,
        _packet: &Packet,
        _replies: &mut Vec<Outgoing>,
    ) -> Route {
        Route::Reject(DisconnectReason::Refused)
    }

    /// Forgets a connection that is not assigned to a branch: it ended, or was rejected.
    fn forget(&mut self, _connection: ConnectionId) {}
}

/// A decision of a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Route {
    /// The connection belongs to this branch. It is rejected if the branch is not served, leaves,
    /// or has a full queue.
    Branch(BranchId),
    /// More packets are needed to decide.
    Undecided,
    /// The connection is rejected for this reason.
    Reject(DisconnectReason),
}

/// Routes all connections to one branch, for a game with one room.
impl ConnectionRouter for BranchId {
    fn route(&mut self, _: &NewConnection<'_>, _: &mut Vec<Outgoing>) -> Route {
        Route::Branch(*self)
    }
}

/// A connection that is not assigned to a branch yet.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct NewConnection<'a> {
    /// The connection.
    pub connection: ConnectionId,
    /// Peer id that the remote peer claims.
    pub claimed_id: Option<PeerId>,
    /// Remote address, and the URL if there is one.
    pub origin: &'a Origin,
}

/// Properties of a connection that are reported with `Connected`.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) claimed_id: Option<PeerId>,
    pub(super) origin: Origin,
}

/// A connection that is not assigned to a branch, with the packets received so far.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) identity: Identity,
    pub(super) packets: Vec<Packet>,
    /// In the time of [`Candidates`].
    deadline: Instant,
}

/// The undecided connections of an endpoint. Time in which the process did not run does not count
/// against them: their packets could not be received, and the replies could not be sent.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    by_connection: BTreeMap<ConnectionId, Candidate>,
    clock: RunningClock,
}

impl Candidate {
    /// Returns the connection as it is passed to a router.
    pub(super) fn as_new(&self, connection: ConnectionId) -> NewConnection<'_> {
        let Identity { claimed_id, origin } = &self.identity;
        NewConnection { connection, claimed_id: *claimed_id, origin }
    }

    fn is_within_bounds(&self) -> bool {
        let bytes: usize = self.packets.iter().map(|packet| packet.payload.len()).sum();
        self.packets.len() <= UNDECIDED_PACKETS_MAX && bytes <= UNDECIDED_BYTES_MAX
    }
}

impl Candidates {
    /// Returns a connection that was established now, to be inserted if it remains undecided.
    pub(super) fn candidate(&mut self, identity: Identity, now: Instant) -> Candidate {
        let deadline = self.advance(now) + UNDECIDED_TIMEOUT;
        Candidate { identity, packets: Vec::new(), deadline }
    }

    /// Inserts a connection, unless the number of connections or its own packets exceed a limit.
    /// Returns whether it was inserted.
    pub(super) fn insert(&mut self, connection: ConnectionId, candidate: Candidate) -> bool {
        let fits =
            self.by_connection.len() < UNDECIDED_CONNECTIONS_MAX && candidate.is_within_bounds();
        if fits {
            self.by_connection.insert(connection, candidate);
        }
        fits
    }

    pub(super) fn remove(&mut self, connection: ConnectionId) -> Option<Candidate> {
        self.by_connection.remove(&connection)
    }

    pub(super) fn len(&self) -> usize {
        self.by_connection.len()
    }

    /// Returns the time of the next turn, at most a second after the last one so that a late turn
    /// is noticed. `None` without undecided connections.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.next_turn().map(|at| self.clock.to_program(at))
    }

    /// Removes and returns one connection whose deadline has passed.
    pub(super) fn remove_expired(&mut self, now: Instant) -> Option<ConnectionId> {
        let now = self.advance(now);
        let expired = self.by_connection.iter().find(|(_, candidate)| now >= candidate.deadline);
        let connection = *expired?.0;
        self.by_connection.remove(&connection);
        Some(connection)
    }

    fn advance(&mut self, now: Instant) -> Instant {
        let mut clock = self.clock;
        let now = clock.advance(now, || self.next_turn());
        self.clock = clock;
        now
    }

    /// Returns the time of the next turn in the time in which the process ran.
    fn next_turn(&self) -> Option<Instant> {
        let deadline = self.by_connection.values().map(|candidate| candidate.deadline).min()?;
        Some(deadline.min(self.clock.now() + RunningClock::STALL_MIN))
    }
}
