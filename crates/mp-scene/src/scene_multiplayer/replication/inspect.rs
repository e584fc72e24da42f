//! Copies of spawned nodes and of synchronizers' properties as text, for operators.

use mp_core::PeerId;

use super::state::{Property, Synchronizer};
use super::{EntityOrigin, Replication};
use crate::InspectedProperty;
use crate::inspect::value_text;
use crate::replication::ReplicationMode;
use crate::tree::{NodeId, NodeTree};

impl Replication {
    /// Returns the peer that has announced a spawned node. `own` is the local peer.
    pub(in super::super) fn spawned_by(&self, node: NodeId, own: PeerId) -> Option<PeerId> {
        match self.entities.get(&node)?.origin {
            EntityOrigin::Scene => None,
            EntityOrigin::Own { .. } => Some(own),
            EntityOrigin::Peer { peer, .. } => Some(peer),
        }
    }

    /// Returns the properties of the synchronizer at `node`; `None` if there is none.
    pub(in super::super) fn inspect_synchronizer(
        &self,
        tree: &mut dyn NodeTree,
        node: NodeId,
    ) -> Option<Vec<InspectedProperty>> {
        let synchronizer = self.synchronizers.get(*self.by_node.get(&node)?)?;
        Some(synchronizer.inspect(tree))
    }
}

impl Synchronizer {
    fn inspect(&self, tree: &mut dyn NodeTree) -> Vec<InspectedProperty> {
        let watched: Vec<_> = self.watched.iter().map(|watched| &watched.property).collect();
        let is_in = |list: &[&Property], property: &Property| {
            list.iter().any(|other| other.path() == property.path())
        };
        let (synced, spawned): (Vec<_>, Vec<_>) =
            (self.synced.iter().collect(), self.spawned.iter().collect());
        let only_spawned =
            spawned.iter().filter(|it| !is_in(&synced, it) && !is_in(&watched, it)).copied();
        let mut properties = Vec::new();
        let never = only_spawned.map(|it| (it, ReplicationMode::Never));
        let always = synced.iter().map(|&it| (it, ReplicationMode::Always));
        let on_change = watched.iter().map(|&it| (it, ReplicationMode::OnChange));
        for (property, mode) in never.chain(always).chain(on_change) {
            properties.push(InspectedProperty {
                path: property.path().to_string(),
                spawn: is_in(&spawned, property),
                mode,
                value: property.read(tree).ok().map(|value| value_text(&value)),
            });
        }
        properties
    }
}
