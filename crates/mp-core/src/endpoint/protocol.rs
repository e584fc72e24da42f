//! Messages between endpoints and branches.
#![expect(clippy::exhaustive_structs, reason = "hosts and tests construct it")]

use super::CarriedSession;
#[cfg(doc)]
use crate::limits::DRAIN_TIMEOUT;
use crate::{
    BranchId, CloseMode, ConnectionId, ConnectionStatus, DisconnectReason, EndpointId,
    MultiplayerPeer, OutgoingPacket, PeerEvent, PeerId,
};

/// A message of an endpoint to a branch. Together with [`ToEndpoint`] this is the complete protocol
/// between endpoints and branches.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToBranch {
    /// The endpoint serves the branch from now on. This is the first message.
    Opened(EndpointId, EndpointInfo),
    /// Events of the branch's connections, in order.
    Events(EndpointId, Vec<PeerEvent>),
    /// The endpoint no longer serves the branch, because the branch [left](ToEndpoint::Leave) and
    /// its connections have ended, or because the endpoint was closed (such as the end of a
    /// client's session). This is the last message.
    Closed(EndpointId, DisconnectReason),
}

/// A message of a branch to an endpoint. The endpoint receives it together with the branch's id.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToEndpoint {
    /// Packets to send to connections of the branch, in order. Other connections do not receive
    /// them, for example one that has moved to another branch.
    Send(Vec<OutgoingPacket>),
    /// Closes a connection of the branch.
    Disconnect {
        /// The connection.
        connection: ConnectionId,
        /// The reason.
        reason: DisconnectReason,
        /// The way in which it is closed.
        close_mode: CloseMode,
    },
    /// Holds a connection of the branch, as the first step of a move: the branch receives
    /// [`Held`](PeerEvent::Held), and no event of the connection after that except its end.
    /// Receiving on the connection is paused.
    Hold {
        /// The connection.
        connection: ConnectionId,
    },
    /// Moves a connection of the branch, with the events that this branch has not received because
    /// it [holds](Self::Hold) the connection, to another branch of the endpoint. A connection that
    /// is not held is held first.
    ///
    /// This branch receives [`Disconnected`](PeerEvent::Disconnected) with the reason
    /// [`Moved`](DisconnectReason::Moved), and may not send to the connection any more. The other
    /// branch receives [`Moved`](PeerEvent::Moved), then the held events. If the other branch is
    /// not served, leaves, refuses connections, or has a full queue, the rejected move is counted
    /// and this branch receives `Moved` itself, as if it were the other branch.
    Move {
        /// The connection.
        connection: ConnectionId,
        /// The branch to move the connection to.
        branch: BranchId,
        /// State of the session, which the other branch receives.
        carried: Box<CarriedSession>,
    },
    /// Sets whether the branch refuses new connections. The transport refuses them while all
    /// branches do, unless the endpoint is [shared](crate::Endpoint::shared).
    RefuseNewConnections(bool),
    /// The branch leaves: its connections are closed, and the endpoint too if no other branch is
    /// left, unless it is [shared](crate::Endpoint::shared). The reply is [`ToBranch::Closed`].
    Leave {
        /// The reason.
        reason: DisconnectReason,
        /// The way in which its connections are closed. [`CloseMode::Drain`] waits up to
        /// [`DRAIN_TIMEOUT`] for accepted packets to be delivered.
        close_mode: CloseMode,
    },
}

/// Properties of an endpoint that serves a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EndpointInfo {
    /// Local peer id on the endpoint.
    pub unique_id: PeerId,
    /// State of the session: connected (servers) or connecting (clients).
    pub status: ConnectionStatus,
    /// True if a server may relay packets between its clients.
    pub relay_supported: bool,
    /// Maximum packet size in bytes.
    pub max_packet_size: usize,
    /// True if a connection stays open although the remote peer's program has stopped.
    pub outlives_program: bool,
}

impl EndpointInfo {
    /// Returns the current properties of `peer`.
    pub fn of(peer: &(impl MultiplayerPeer + ?Sized)) -> Self {
        Self {
            unique_id: peer.unique_id(),
            status: peer.connection_status(),
            relay_supported: peer.is_server_relay_supported(),
            max_packet_size: peer.max_packet_size(),
            outlives_program: peer.outlives_program(),
        }
    }
}
