//! [`MemoryCluster`]: the bus and the directory of several nodes of one process.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use mp_core::Instant;

use super::inbox::Inbox;
use super::{Bus, BusEvent, BusMessageKind, BusStats};
use crate::directory::{Directory, MemoryDirectory, Operation, OperationOutcome, Unavailable};
use crate::id::ClusterNodeId;
use crate::limits::FRAME_BYTES_MAX;
use crate::snapshots::MemorySnapshots;

/// A cluster within one process, for tests: the nodes share a bus, a directory and snapshots in
/// memory. Clones are the same cluster. All nodes must use the same clock.
#[derive(Clone, Debug, Default)]
pub struct MemoryCluster(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    inboxes: BTreeMap<ClusterNodeId, Inbox>,
    directory: MemoryDirectory,
    snapshots: MemorySnapshots,
    /// Nodes that do not reach the directory.
    without_directory: BTreeSet<ClusterNodeId>,
}

/// The connection of a node to the bus of a [`MemoryCluster`]. When it is dropped, messages for the
/// node are lost.
#[derive(Debug)]
pub struct MemoryBus {
    cluster: MemoryCluster,
    node: ClusterNodeId,
    inbox: Inbox,
}

/// The directory of a [`MemoryCluster`], as a node reaches it.
#[derive(Clone, Debug)]
pub struct MemoryClusterDirectory {
    cluster: MemoryCluster,
    node: ClusterNodeId,
}

impl MemoryCluster {
    /// Returns a cluster without nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Connects a node to the bus. Its first event is [`BusEvent::Connected`].
    pub fn bus(&self, node: ClusterNodeId) -> MemoryBus {
        let inbox = Inbox::default();
        inbox.set_connected(true);
        self.lock().inboxes.insert(node, inbox.clone());
        MemoryBus { cluster: self.clone(), node, inbox }
    }

    /// Returns the directory for a node.
    pub fn directory(&self, node: ClusterNodeId) -> MemoryClusterDirectory {
        MemoryClusterDirectory { cluster: self.clone(), node }
    }

    /// Returns the snapshots of rooms, which all nodes share.
    pub fn snapshots(&self) -> MemorySnapshots {
        self.lock().snapshots.clone()
    }

    /// Disconnects a node from the bus, or connects it again. Messages from and to a disconnected
    /// node are lost.
    pub fn set_bus_connected(&self, node: ClusterNodeId, is_connected: bool) {
        let inbox = self.lock().inboxes.get(&node).cloned();
        if let Some(inbox) = inbox {
            inbox.set_connected(is_connected);
        }
    }

    /// Sets whether a node reaches the directory. If not, its operations are [`Unavailable`].
    pub fn set_directory_reachable(&self, node: ClusterNodeId, is_reachable: bool) {
        let mut state = self.lock();
        if is_reachable {
            state.without_directory.remove(&node);
        } else {
            state.without_directory.insert(node);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bus for MemoryBus {
    fn publish(&mut self, to: ClusterNodeId, kind: BusMessageKind, bytes: Bytes) {
        if bytes.len() > FRAME_BYTES_MAX {
            return self.inbox.count(|stats| stats.too_long += 1);
        }
        if !self.inbox.is_connected() {
            return self.inbox.count(|stats| stats.not_connected += 1);
        }
        self.inbox.count(|stats| {
            stats.sent_messages += 1;
            stats.sent_bytes += bytes.len() as u64;
        });
        let receiver = self.cluster.lock().inboxes.get(&to).cloned();
        if let Some(receiver) = receiver.filter(Inbox::is_connected) {
            receiver.push(kind, bytes);
        }
    }

    fn recv(&mut self) -> impl Future<Output = BusEvent> + Send {
        self.inbox.recv()
    }

    fn stats(&self) -> BusStats {
        self.inbox.stats()
    }
}

impl Drop for MemoryBus {
    fn drop(&mut self) {
        self.cluster.lock().inboxes.remove(&self.node);
    }
}

impl Directory for MemoryClusterDirectory {
    fn apply(
        &self,
        now: Instant,
        operation: Operation,
    ) -> impl Future<Output = Result<OperationOutcome, Unavailable>> + Send {
        let mut state = self.cluster.lock();
        let is_reachable = !state.without_directory.contains(&self.node);
        let outcome = is_reachable.then(|| state.directory.apply_at(now, operation));
        ready(outcome.ok_or(Unavailable))
    }
}
