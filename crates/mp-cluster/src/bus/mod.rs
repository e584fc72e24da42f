//! The bus of a cluster: messages from node to node.
//!
//! A [`Bus`] delivers each message at most once, in the order of its sender unless a route between
//! servers of the bus changes. A message may be lost: [gateways](crate::gateway) detect gaps, and a
//! request has a timeout.

pub(crate) mod inbox;
mod memory;

use std::fmt;
use std::future::Future;

use bytes::Bytes;

pub use self::memory::{MemoryBus, MemoryCluster, MemoryClusterDirectory};
use crate::id::ClusterNodeId;

/// The connection of a node to the other nodes of its cluster.
pub trait Bus: Send + 'static {
    /// Queues a message for a node, or drops and counts it: the queue is full
    /// ([`BUS_QUEUE_MESSAGES_MAX`], [`BUS_QUEUE_BYTES_MAX`]), the bus is disconnected, or the
    /// message is longer than [`FRAME_BYTES_MAX`]. Never waits.
    ///
    /// [`BUS_QUEUE_MESSAGES_MAX`]: crate::limits::BUS_QUEUE_MESSAGES_MAX
    /// [`BUS_QUEUE_BYTES_MAX`]: crate::limits::BUS_QUEUE_BYTES_MAX
    /// [`FRAME_BYTES_MAX`]: crate::limits::FRAME_BYTES_MAX
    fn publish(&mut self, to: ClusterNodeId, kind: BusMessageKind, bytes: Bytes);

    /// Waits for the next event. Dropping the future loses nothing. A message comes from an
    /// untrusted node: decode it with bounds, and count it if it is refused.
    fn recv(&mut self) -> impl Future<Output = BusEvent> + Send;

    /// Returns the counters of this node.
    fn stats(&self) -> BusStats;
}

/// The kind of a message. Each kind has a subject of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "buses map kinds to subjects")]
pub enum BusMessageKind {
    /// A [`BusFrame`](crate::BusFrame) of a gateway.
    Frame,
    /// A request of a node, or the answer to one.
    Request,
}

/// A message, or a change of the connection to the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "programs handle all events")]
pub enum BusEvent {
    /// A message for this node, of any node that may publish.
    Message(BusMessageKind, Bytes),
    /// The bus is connected. Messages that other nodes sent before may be lost.
    Connected,
    /// The bus is disconnected: messages are dropped until it is connected again, which the bus
    /// attempts by itself.
    Disconnected,
}

/// Counters of a node's connection to the bus, since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BusStats {
    /// Messages passed to the bus.
    pub sent_messages: u64,
    /// Bytes of these messages.
    pub sent_bytes: u64,
    /// Messages received, with those that were dropped.
    pub received_messages: u64,
    /// Bytes of these messages.
    pub received_bytes: u64,
    /// Messages that were not sent because the queue was full.
    pub send_queue_full: u64,
    /// Messages that were not sent because the bus was disconnected, or that were queued for longer
    /// than [`BUS_SEND_TIME_MAX`](crate::limits::BUS_SEND_TIME_MAX).
    pub not_connected: u64,
    /// Received messages that were dropped because the node was too slow.
    pub receive_queue_full: u64,
    /// Messages that were dropped because they are too long.
    pub too_long: u64,
    /// Times that the connection was lost.
    pub disconnections: u64,
}

impl BusMessageKind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::Frame, Self::Request];

    /// Returns the last part of the kind's subjects.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Request => "request",
        }
    }
}

impl fmt::Display for BusMessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
