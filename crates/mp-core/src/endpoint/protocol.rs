//! Messages between endpoints and branches.
#![expect(clippy::exhaustive_structs, reason = "hosts and tests of branches build one")]

#[cfg(doc)]
use crate::limits::LINGER;
use crate::{
    BranchId, ConnectionId, ConnectionStatus, DisconnectReason, EndpointId, Farewell,
    MultiplayerPeer, Outgoing, PeerEvent, PeerId,
};

/// A message of an endpoint to a branch. With [`ToEndpoint`] this is the whole protocol of the data
/// path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToBranch {
    /// The endpoint serves the branch from now on. Precedes everything else it says.
    Opened(EndpointId, EndpointInfo),
    /// Events of the branch's connections, in order.
    Events(EndpointId, Vec<PeerEvent>),
    /// The endpoint serves the branch no more: the branch [left](ToEndpoint::Leave) and its links
    /// have ended, or the endpoint has ended (a client's session with it). Nothing follows.
    Closed(EndpointId, DisconnectReason),
}

/// A message of a branch to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToEndpoint {
    /// Packets to send, in order.
    Send(Vec<Outgoing>),
    /// A link to end.
    Disconnect {
        /// The link.
        connection: ConnectionId,
        /// Why.
        reason: DisconnectReason,
        /// The way in which it ends.
        farewell: Farewell,
    },
    /// A connection to move to another branch of the endpoint, with its events that this branch has
    /// not accepted yet.
    ///
    /// This branch receives [`Disconnected`](PeerEvent::Disconnected) with
    /// [`Moved`](DisconnectReason::Moved) behind what it has accepted, and sends nothing to the
    /// connection any more; the other one receives `Connected`, then those events. A connection
    /// that the other branch cannot take, because it is not served, leaves, or its queue is full,
    /// stays; it is counted.
    Move {
        /// The connection.
        connection: ConnectionId,
        /// The branch that it is moved to.
        branch: BranchId,
    },
    /// Refuse new connections, or stop refusing them.
    RefuseNewConnections(bool),
    /// The branch ends: so do its links, and the endpoint when no branch is left.
    /// [`ToBranch::Closed`] answers.
    Leave {
        /// The branch.
        branch: BranchId,
        /// Why.
        reason: DisconnectReason,
        /// The way in which its connections end. [`Farewell::Drain`] waits up to [`LINGER`] for
        /// what was accepted.
        farewell: Farewell,
    },
}

/// Properties of an endpoint that serves a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointInfo {
    /// This side's own id on it.
    pub unique_id: PeerId,
    /// State of the session: connected (servers) or connecting (clients).
    pub status: ConnectionStatus,
    /// True if a server may relay between its clients on it.
    pub relay_supported: bool,
    /// Largest packet in bytes.
    pub max_packet_size: usize,
}

impl EndpointInfo {
    /// Returns the present properties of `peer`.
    pub fn of(peer: &(impl MultiplayerPeer + ?Sized)) -> Self {
        Self {
            unique_id: peer.unique_id(),
            status: peer.connection_status(),
            relay_supported: peer.is_server_relay_supported(),
            max_packet_size: peer.max_packet_size(),
        }
    }
}
