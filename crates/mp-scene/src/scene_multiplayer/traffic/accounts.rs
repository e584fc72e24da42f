//! [`Accounts`]: counts what a branch sends and receives.

use std::collections::{BTreeMap, HashMap};

use rustc_hash::FxBuildHasher;

use super::relayed::RelayedKey;
use super::report::{TrafficCount, TrafficReport};
use super::table::{Direction, KeyRef, RowId, Table, stored_name};
use super::viewer::{TrafficViewer, ViewerSlot};
use crate::tree::{NodeId, NodeTree};
use crate::{PacketKind, PacketStats};

/// Counts of a branch since the first viewer.
#[derive(Debug)]
pub(in super::super) struct Accounts {
    viewers: ViewerSlot,
    /// The counters of the branch at the beginning.
    before: PacketStats,
    table: Table,
    /// Rows of methods of nodes, so that a call looks up no text.
    calls: HashMap<(NodeId, u16), RowId, FxBuildHasher>,
    /// Rows of relayed packets. Their keys are chosen by peers, so they are not hashed.
    pub(super) relayed: BTreeMap<RelayedKey, RowId>,
}

impl Accounts {
    pub(super) fn new(before: PacketStats, viewer: &TrafficViewer) -> Self {
        Self {
            viewers: viewer.slot(),
            before,
            table: Table::default(),
            calls: HashMap::default(),
            relayed: BTreeMap::new(),
        }
    }

    /// Returns another viewer; `None` if all have been dropped.
    pub(super) fn viewer(&self) -> Option<TrafficViewer> {
        self.viewers.viewer()
    }

    /// Counts calls of a method.
    pub(in super::super) fn count_call(
        &mut self,
        tree: &dyn NodeTree,
        direction: Direction,
        (node, method): (NodeId, u16),
        count: TrafficCount,
    ) {
        let row = match self.calls.get(&(node, method)) {
            Some(row) => *row,
            None => self.add_call(tree, node, method),
        };
        self.table.count(row, direction, count);
    }

    fn add_call(&mut self, tree: &dyn NodeTree, node: NodeId, method: u16) -> RowId {
        let ids = tree.rpc_ids(node);
        let name = ids.as_ref().and_then(|ids| ids.by_id(method)).map(|(name, _)| &**name);
        let row = self.row_of(tree, PacketKind::Rpc, node, name.unwrap_or_default());
        if self.calls.len() >= CACHED_ROWS_MAX {
            self.calls.clear();
        }
        self.calls.insert((node, method), row);
        row
    }

    /// Counts packets about a node as a whole.
    pub(in super::super) fn count_node(
        &mut self,
        tree: &dyn NodeTree,
        direction: Direction,
        (kind, node): (PacketKind, NodeId),
        count: TrafficCount,
    ) {
        let row = self.row_of(tree, kind, node, "");
        self.table.count(row, direction, count);
    }

    /// Adds to the counts of a row.
    #[inline]
    pub(super) fn count(&mut self, row: RowId, direction: Direction, count: TrafficCount) {
        self.table.count(row, direction, count);
    }

    /// Returns the row of a member of a node.
    pub(super) fn row_of(
        &mut self,
        tree: &dyn NodeTree,
        kind: PacketKind,
        node: NodeId,
        member: &str,
    ) -> RowId {
        let node = tree.path_of(node).unwrap_or_default();
        self.row(kind, &node, member)
    }

    /// Returns the row of a member of the node at a path.
    pub(super) fn row(&mut self, kind: PacketKind, node: &str, member: &str) -> RowId {
        let (node, member) = (stored_name(node), stored_name(member));
        self.table.row(&KeyRef { kind, is_relayed: false, node: &node, member: &member })
    }

    pub(super) fn table_mut(&mut self) -> &mut Table {
        &mut self.table
    }

    /// Returns a copy. `packets` are the counters of the branch.
    pub(super) fn report(&self, packets: &PacketStats) -> TrafficReport {
        let other = self.table.other();
        TrafficReport {
            packets: packets.since(&self.before),
            rows: self.table.rows(),
            other_received: other.received,
            other_sent: other.sent,
        }
    }
}

/// Maximum number of rows that are found without their names.
pub(super) const CACHED_ROWS_MAX: usize = 4_096;
