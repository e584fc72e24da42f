//! [`HiddenNodes`]: the net ids of nodes that no guest has.

use std::collections::{BTreeMap, VecDeque};

use crate::limits::HIDDEN_NODES_MAX;

/// Nodes that no guest has any more, by the host's net id. A node that is shown again keeps its net
/// ids, by which guests distinguish it from another one at the same path. The oldest nodes are
/// forgotten: most have left.
#[derive(Debug, Default)]
pub(super) struct HiddenNodes {
    /// The room's net ids of the node and its synchronizers.
    ids: BTreeMap<u32, (u32, Vec<u32>)>,
    oldest: VecDeque<u32>,
}

impl HiddenNodes {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.ids.len(), self.oldest.len());
        self.ids.len()
    }

    /// Adds a node that the last guest has lost.
    pub(super) fn add(&mut self, net_id: u32, ids: (u32, Vec<u32>)) {
        while self.oldest.len() >= HIDDEN_NODES_MAX {
            self.oldest.pop_front().and_then(|oldest| self.ids.remove(&oldest));
        }
        if self.ids.insert(net_id, ids).is_none() {
            self.oldest.push_back(net_id);
        }
    }

    /// Returns the net ids of a node that is shown again.
    pub(super) fn take(&mut self, net_id: u32) -> Option<(u32, Vec<u32>)> {
        let ids = self.ids.remove(&net_id)?;
        self.oldest.retain(|&hidden| hidden != net_id);
        Some(ids)
    }
}
