//! [`HiddenNodes`]: the net ids of nodes that no guest has.

use std::collections::BTreeMap;

use crate::limits::HIDDEN_NODES_MAX;

/// Nodes that no guest has any more, by the host's net id. A node that is shown again keeps its net
/// ids, by which guests distinguish it from another one at the same path. The oldest nodes are
/// forgotten: most have left.
#[derive(Debug, Default)]
pub(super) struct HiddenNodes {
    nodes: BTreeMap<u32, HiddenNode>,
    /// The host's net ids, in the order in which the nodes were hidden.
    oldest: BTreeMap<u64, u32>,
    next_order: u64,
}

#[derive(Debug)]
struct HiddenNode {
    order: u64,
    /// The room's net ids of the node and its synchronizers.
    ids: (u32, Vec<u32>),
}

impl HiddenNodes {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.nodes.len(), self.oldest.len());
        self.nodes.len()
    }

    /// Adds a node that the last guest has lost. Returns whether another one was forgotten for it.
    pub(super) fn add(&mut self, net_id: u32, ids: (u32, Vec<u32>)) -> bool {
        self.take(net_id);
        let is_full = self.oldest.len() >= HIDDEN_NODES_MAX;
        if is_full && let Some((_, oldest)) = self.oldest.pop_first() {
            self.nodes.remove(&oldest);
        }
        let order = self.next_order;
        self.next_order += 1;
        self.nodes.insert(net_id, HiddenNode { order, ids });
        self.oldest.insert(order, net_id);
        is_full
    }

    /// Returns the host's net id and the room's ids of each node, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &(u32, Vec<u32>))> {
        self.oldest.values().filter_map(|id| Some((*id, &self.nodes.get(id)?.ids)))
    }

    /// Removes and returns the net ids of a node that is shown again.
    pub(super) fn take(&mut self, net_id: u32) -> Option<(u32, Vec<u32>)> {
        let HiddenNode { order, ids } = self.nodes.remove(&net_id)?;
        self.oldest.remove(&order);
        Some(ids)
    }
}
