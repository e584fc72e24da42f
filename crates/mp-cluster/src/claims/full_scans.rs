//! [`FullScans`]: when a node reads all rooms although no node has vanished.

use crate::id::ClusterNodeId;
use crate::limits::FULL_SCAN_INTERVAL;
use crate::placement::Members;

/// The turns of a node to read all rooms. One of the nodes reads them every [`FULL_SCAN_INTERVAL`]
/// scans, whatever their number: when the nodes change, each one waits for its place in the order
/// of ids, and then for a round of all nodes. A node that has started does not wait for its place:
/// if all nodes have started at once, each one adopts its part of the rooms that were left.
#[derive(Debug)]
pub(super) struct FullScans {
    /// Scans of nodes until the next one of all rooms.
    left: u32,
    /// True until the node has read the rooms since it started.
    is_first: bool,
}

impl Default for FullScans {
    fn default() -> Self {
        Self { left: FULL_SCAN_INTERVAL, is_first: true }
    }
}

impl FullScans {
    /// Handles that the nodes have changed.
    pub(super) fn align(&mut self, here: ClusterNodeId, members: &Members) {
        if !self.is_first {
            self.left = FULL_SCAN_INTERVAL * place_of(here, members);
        }
    }

    /// Counts a scan of nodes. Returns whether all rooms are read after it.
    pub(super) fn advance(&mut self, here: ClusterNodeId, members: &Members) -> bool {
        self.left = self.left.saturating_sub(1);
        if self.left > 0 {
            return false;
        }
        let turns = match self.is_first {
            true => place_of(here, members),
            false => count(members.len()),
        };
        self.left = FULL_SCAN_INTERVAL * turns;
        self.is_first = false;
        true
    }

    /// Lets all rooms be read after the next scan of nodes.
    pub(super) fn repeat(&mut self) {
        *self = Self { left: 0, is_first: true };
    }
}

/// Returns the place of a node in the order of ids, from 1.
fn place_of(here: ClusterNodeId, members: &Members) -> u32 {
    count(members.range(..here).count() + 1)
}

/// Returns a number of nodes, at least 1.
fn count(nodes: usize) -> u32 {
    u32::try_from(nodes).unwrap_or(u32::MAX).clamp(1, u32::MAX / FULL_SCAN_INTERVAL)
}
