//! [`ClusterStats`]: counters of a node of a cluster.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mp_cluster::bus::BusStats;
use mp_cluster::{ClaimStats, ClusterNodeId, FrameRefusal, GatewaysStats, Members};
use mp_core::ReasonCounts;

use super::servers::ServerList;
use super::snapshots::SnapshotStats;
use super::tickets::TicketStats;

/// Statistics of a node, at most a second old.
#[derive(Clone, Debug)]
pub(crate) struct ClusterStats {
    pub(crate) node: ClusterNodeId,
    /// True while the node may speak for its rooms.
    pub(crate) has_lease: bool,
    pub(crate) lost_leases: u64,
    pub(crate) members: Members,
    /// Rooms that this node owns.
    pub(crate) rooms: usize,
    /// Players of this node in rooms of others, that wait for an answer.
    pub(crate) asking: usize,
    /// Players of other nodes in rooms of this one.
    pub(crate) guests: usize,
    pub(crate) gateways: GatewaysStats,
    pub(crate) claims: ClaimStats,
    pub(crate) bus: BusStats,
    pub(crate) requests: RequestStats,
    pub(crate) tickets: TicketStats,
    pub(crate) snapshots: SnapshotStats,
    /// Messages of the rooms that were dropped because the queue was full.
    pub(crate) dropped: u64,
}

/// Counters of joins between nodes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RequestStats {
    /// Joins sent to other nodes.
    pub(crate) asked: u64,
    /// Joins of other nodes.
    pub(crate) received: u64,
    /// Joins that no node has answered in time.
    pub(crate) unanswered: u64,
    /// Players of other nodes that were admitted and whose connection has not followed.
    pub(crate) missing: u64,
    /// Connections of links that no join has announced.
    pub(crate) unexpected: u64,
    /// Requests and answers of other nodes that were refused.
    pub(crate) refused: ReasonCounts<FrameRefusal>,
    /// Joins and calls of other nodes that were dropped because too many wait.
    pub(crate) overflowed: u64,
    /// Calls of other nodes about rooms and queues.
    pub(crate) calls_received: u64,
    /// Calls to other nodes.
    pub(crate) calls_sent: u64,
    /// Calls that the other node has not answered in time.
    pub(crate) calls_unanswered: u64,
    /// Times that changed bans of this node were written to the directory.
    pub(crate) bans_written: u64,
    /// Times that the bans were read from the directory.
    pub(crate) bans_read: u64,
}

/// The last statistics of a node. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedStats {
    last: Arc<Mutex<Option<ClusterStats>>>,
    servers: Arc<Mutex<ServerList>>,
    dropped: Arc<AtomicU64>,
}

impl SharedStats {
    pub(super) fn publish(&self, mut stats: ClusterStats) {
        stats.dropped = self.dropped.load(Ordering::Relaxed);
        let servers = ServerList::new(&stats.members, stats.node);
        *self.servers.lock().unwrap_or_else(PoisonError::into_inner) = servers;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(stats);
    }

    /// Returns the last statistics; `None` before the first turn.
    pub(crate) fn get(&self) -> Option<ClusterStats> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the nodes that were registered at the last scan.
    pub(super) fn members(&self) -> Members {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map(|stats| stats.members.clone()).unwrap_or_default()
    }

    /// Returns whether the node had its lease at the last publication.
    pub(super) fn has_lease(&self) -> bool {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().is_some_and(|stats| stats.has_lease)
    }

    /// Returns the servers at which players connect if theirs is lost.
    pub(crate) fn servers(&self) -> ServerList {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}
