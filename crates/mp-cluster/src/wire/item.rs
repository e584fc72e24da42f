//! [`Item`]: the events and commands that gateways pass on.

mod encoding;

use mp_core::{
    CloseMode, ConnectionId, DisconnectReason, EndpointId, EndpointInfo, OutgoingPacket, PeerEvent,
};
use serde::{Deserialize, Serialize};

/// An event of an endpoint, or a command of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// To the branch: the endpoint, which has this id on its node, serves it from now on.
    Opened(EndpointId, EndpointInfo),
    /// To the endpoint: keeps its messages from now on, because the branch moves to another node.
    Freeze,
    /// To the branch: no message follows on this link.
    Frozen,
    /// To the branch, which another node has adopted: the endpoint with these connections goes on
    /// serving it.
    Reopened(EndpointId, EndpointInfo, Vec<ConnectionId>),
    /// To the branch.
    Event(PeerEvent),
    /// To the branch: the endpoint no longer serves it.
    Closed(DisconnectReason),
    /// To the endpoint.
    Send(OutgoingPacket),
    /// To the endpoint: closes a connection.
    Disconnect { connection: ConnectionId, reason: DisconnectReason, close_mode: CloseMode },
    /// To the endpoint: holds a connection.
    Hold(ConnectionId),
    /// To the endpoint: returns a held connection to the branch.
    Return(ConnectionId),
    /// To the endpoint: whether new connections are refused.
    Refuse(bool),
    /// To the endpoint: the branch leaves.
    Leave { reason: DisconnectReason, close_mode: CloseMode },
}

/// A sequence of items that is complete and in order, or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Stream {
    /// Items of the endpoint as a whole.
    Link,
    /// Items of a connection.
    Connection(ConnectionId),
}

impl Item {
    /// Returns whether the item may be lost without ending its stream.
    pub(crate) fn may_be_lost(&self) -> bool {
        match self {
            Self::Event(PeerEvent::Packet(packet)) => !packet.mode.is_reliable(),
            Self::Send(packet) => !packet.mode.is_reliable(),
            _ => false,
        }
    }

    /// Calls `each` for the streams of the item.
    pub(crate) fn for_each_stream(&self, mut each: impl FnMut(Stream)) {
        match self {
            Self::Event(event) => {
                each(connection_of(event).map_or(Stream::Link, Stream::Connection))
            }
            Self::Send(packet) => {
                packet.to.as_slice().iter().for_each(|&to| each(Stream::Connection(to)));
            }
            Self::Disconnect { connection, .. }
            | Self::Hold(connection)
            | Self::Return(connection) => {
                each(Stream::Connection(*connection));
            }
            Self::Reopened(_, _, connections) => {
                each(Stream::Link);
                connections.iter().for_each(|&connection| each(Stream::Connection(connection)));
            }
            Self::Opened(..)
            | Self::Freeze
            | Self::Frozen
            | Self::Closed(_)
            | Self::Refuse(_)
            | Self::Leave { .. } => each(Stream::Link),
        }
    }

    /// Returns the connection whose stream the item ends. The near gateway has the connection, and
    /// only its report ends the streams of both directions: a [`Disconnect`](Self::Disconnect) may
    /// be lost, and its stream must then be missed.
    pub(crate) fn ended(&self) -> Option<ConnectionId> {
        match self {
            Self::Event(PeerEvent::Disconnected { connection, .. }) => Some(*connection),
            _ => None,
        }
    }
}

/// Returns the connection of an event, unless the event is of the whole endpoint.
pub(crate) fn connection_of(event: &PeerEvent) -> Option<ConnectionId> {
    match event {
        PeerEvent::Packet(packet) => Some(packet.from),
        PeerEvent::Connected { connection, .. }
        | PeerEvent::Held { connection }
        | PeerEvent::Moved { connection, .. }
        | PeerEvent::Resumed { connection, .. }
        | PeerEvent::Disconnected { connection, .. } => Some(*connection),
        _ => None,
    }
}
