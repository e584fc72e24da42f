//! Routing of connections to branches.

use std::collections::BTreeMap;

use crate::limits::{
    UNDECIDED_BYTES_MAX, UNDECIDED_CONNECTIONS_MAX, UNDECIDED_PACKETS_MAX, UNDECIDED_TIMEOUT,
};
use crate::{BranchId, ConnectionId, DisconnectReason, Instant, Origin, Outgoing, Packet, PeerId};

/// Decides which branch a new connection belongs to: at once, by where it comes from, or after an
/// exchange of packets, as Godot's authentication is.
///
/// While a connection is [undecided](Route::Undecided) no branch knows it. The endpoint keeps its
/// packets, at most [`UNDECIDED_PACKETS_MAX`] and [`UNDECIDED_BYTES_MAX`], for the branch, and
/// rejects it after [`UNDECIDED_TIMEOUT`].
pub trait ConnectionRouter {
    /// Routes a connection that has just been established. Packets to it may be added to `replies`.
    fn route(&mut self, connection: &NewConnection<'_>, replies: &mut Vec<Outgoing>) -> Route;

    /// Routes an undecided connection by a packet of it. The branch receives the packet, too.
    fn handle_packet(
        &mut self,
        _connection: &NewConnection<'_>,
        _packet: &Packet,
        _replies: &mut Vec<Outgoing>,
    ) -> Route {
        Route::Reject(DisconnectReason::Refused)
    }

    /// Forgets a connection that no branch will have: it has ended, or was rejected.
    fn forget(&mut self, _connection: ConnectionId) {}
}

/// The branch of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Route {
    /// To this branch. The connection is rejected when the branch is not served, leaves, or its
    /// queue is full.
    Branch(BranchId),
    /// Not known yet: the next packet may tell.
    Undecided,
    /// Nowhere: it is disconnected for this reason.
    Reject(DisconnectReason),
}

/// Routes every connection to one branch: a game with one room.
impl ConnectionRouter for BranchId {
    fn route(&mut self, _: &NewConnection<'_>, _: &mut Vec<Outgoing>) -> Route {
        Route::Branch(*self)
    }
}

/// A connection that no branch knows yet.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct NewConnection<'a> {
    /// The connection.
    pub connection: ConnectionId,
    /// The peer id that it claims.
    pub claimed_id: Option<PeerId>,
    /// Its remote address, and its URL where there is one.
    pub origin: &'a Origin,
}

/// The state of a connection at its endpoint.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) claimed_id: Option<PeerId>,
    pub(super) origin: Origin,
}

/// A connection that is not assigned to a branch, with its packets so far.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) identity: Identity,
    pub(super) packets: Vec<Packet>,
    deadline: Instant,
}

/// The undecided connections of an endpoint.
#[derive(Debug, Default)]
pub(super) struct Candidates(BTreeMap<ConnectionId, Candidate>);

impl Candidate {
    pub(super) fn new(identity: Identity, now: Instant) -> Self {
        Self { identity, packets: Vec::new(), deadline: now + UNDECIDED_TIMEOUT }
    }

    /// Its description for a router.
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
    /// Keeps a connection, unless there are too many, or too much of it is kept. Returns whether it
    /// did.
    pub(super) fn insert(&mut self, connection: ConnectionId, candidate: Candidate) -> bool {
        let fits = self.0.len() < UNDECIDED_CONNECTIONS_MAX && candidate.is_within_bounds();
        if fits {
            self.0.insert(connection, candidate);
        }
        fits
    }

    pub(super) fn remove(&mut self, connection: ConnectionId) -> Option<Candidate> {
        self.0.remove(&connection)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the time at which the first of them has taken too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.values().map(|candidate| candidate.deadline).min()
    }

    /// Removes one that has taken too long.
    pub(super) fn remove_expired(&mut self, now: Instant) -> Option<ConnectionId> {
        let expired = self.0.iter().find(|(_, candidate)| now >= candidate.deadline);
        let connection = *expired?.0;
        self.0.remove(&connection);
        Some(connection)
    }
}
