//! Routing of connections to branches.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::limits::{
    UNDECIDED_BYTES_MAX, UNDECIDED_CONNECTIONS_MAX, UNDECIDED_PACKETS_MAX, UNDECIDED_TIMEOUT,
};
use crate::{
    BranchId, ConnectionId, ConnectionOrigin, DisconnectReason, Instant, OutgoingPacket, Packet,
    PeerId,
};

/// A policy that assigns new connections to branches: immediately, by their origin, or after an
/// exchange of packets such as Godot's authentication.
///
/// No branch knows a connection while it is [undecided](Route::Undecided). The endpoint keeps its
/// packets for the branch, at most [`UNDECIDED_PACKETS_MAX`] and [`UNDECIDED_BYTES_MAX`]. It
/// rejects the connection beyond these limits, and after [`UNDECIDED_TIMEOUT`].
pub trait ConnectionRouter {
    /// Routes a connection that was just established. `replies` accepts packets to send to it.
    fn route(&mut self, connection: &NewConnection<'_>, replies: &mut Vec<OutgoingPacket>)
    -> Route;

    /// Routes an undecided connection by a packet received from it. The branch receives the packet,
    /// too, unless [`retain_packets`](Self::retain_packets) removes it. `replies` accepts packets
    /// to send. Default: rejects the connection.
    fn handle_packet(
        &mut self,
        _connection: &NewConnection<'_>,
        _packet: &Packet,
        _replies: &mut Vec<OutgoingPacket>,
    ) -> Route {
        Route::Reject(DisconnectReason::Refused)
    }

    /// Handles the program's [decision](crate::Endpoint::decide) about an undecided connection, and
    /// returns the route to apply: another one if the router has to finish an exchange of packets
    /// first. `replies` accepts packets to send. Default: returns the decision.
    fn handle_decision(
        &mut self,
        _connection: &NewConnection<'_>,
        decision: Route,
        _replies: &mut Vec<OutgoingPacket>,
    ) -> Route {
        decision
    }

    /// Removes the packets that only the router handles from those of a connection that is being
    /// assigned to a branch. Default: the branch receives all of them.
    fn retain_packets(&mut self, _connection: ConnectionId, _packets: &mut Vec<Packet>) {}

    /// Forgets a connection that has ended or was rejected. Called once per connection, whether or
    /// not it was assigned to a branch.
    fn forget(&mut self, _connection: ConnectionId) {}
}

/// A decision of a router.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Route {
    /// The connection belongs to this branch. It is rejected if the branch is not served, leaves,
    /// or has a full queue.
    Branch(BranchId),
    /// Same as [`Branch`](Self::Branch), for a branch that does not authenticate the connection: a
    /// router that exchanges authentication packets with it completes the exchange first.
    Admit(BranchId),
    /// Same as [`Admit`](Self::Admit), of a connection that resumes the session of a peer of the
    /// branch, which receives [`Resumed`](crate::PeerEvent::Resumed). The caller has checked that
    /// the remote peer may do so.
    Resume(BranchId, PeerId),
    /// More packets are needed to decide.
    Undecided,
    /// The connection is rejected for this reason. If the router replies at the same time, the
    /// connection lingers until [`LINGER_TIME`](crate::limits::LINGER_TIME) after the client has
    /// received the reply, so that the client handles it before the end.
    Reject(DisconnectReason),
    /// Same as [`Reject`](Self::Reject), with a code and a text for the client in place of those of
    /// the reason, for example from a service that has decided. The router sends them. The code is
    /// the reason of WebSocket's close frame, too.
    RejectWith {
        /// The reason.
        reason: DisconnectReason,
        /// The code for the client's program.
        code: Arc<str>,
        /// The text for people.
        text: Arc<str>,
    },
}

/// Routes all connections to one branch, for a game with one room.
impl ConnectionRouter for BranchId {
    fn route(&mut self, _: &NewConnection<'_>, _: &mut Vec<OutgoingPacket>) -> Route {
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
    pub origin: &'a ConnectionOrigin,
}

/// Properties of a connection that are reported with `Connected`.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) claimed_id: Option<PeerId>,
    pub(super) origin: ConnectionOrigin,
}

/// A connection that is not assigned to a branch, with the packets received so far.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) identity: Identity,
    pub(super) packets: Vec<Packet>,
    /// By the endpoint's clock.
    deadline: Instant,
}

/// The undecided connections of an endpoint. Times are those of the endpoint's clock.
#[derive(Debug, Default)]
pub(super) struct Candidates(BTreeMap<ConnectionId, Candidate>);

impl Candidate {
    /// Returns a connection that was established at the time `now`.
    pub(super) fn new(identity: Identity, now: Instant) -> Self {
        Self { identity, packets: Vec::new(), deadline: now + UNDECIDED_TIMEOUT }
    }

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
    /// Inserts a connection, unless the number of connections or its own packets exceed a limit.
    /// Returns whether it was inserted.
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

    /// Returns all connections.
    pub(super) fn connections(&self) -> Vec<ConnectionId> {
        self.0.keys().copied().collect()
    }

    /// Returns the connections whose origin matches.
    pub(super) fn connections_from(
        &self,
        is_of: impl Fn(&ConnectionOrigin) -> bool,
    ) -> Vec<ConnectionId> {
        let matching = self.0.iter().filter(|(_, candidate)| is_of(&candidate.identity.origin));
        matching.map(|(&connection, _)| connection).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the earliest deadline.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.values().map(|candidate| candidate.deadline).min()
    }

    /// Removes and returns one connection whose deadline has passed.
    pub(super) fn remove_expired(&mut self, now: Instant) -> Option<ConnectionId> {
        let expired = self.0.iter().find(|(_, candidate)| now >= candidate.deadline);
        let connection = *expired?.0;
        self.0.remove(&connection);
        Some(connection)
    }
}
