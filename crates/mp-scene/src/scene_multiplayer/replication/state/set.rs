//! Setting properties of a synchronizer to received values (Godot:
//! `MultiplayerSynchronizer::set_state`).

use mp_core::{ErrorChain, PeerId, Variant};

use super::{Property, PropertyTarget};
use crate::property::{PropertyError, component, set_component};
use crate::tree::{NodeId, NodeTree};

/// Sets properties of `entity` and other nodes in order, each to its value. A property that rejects
/// its value is not changed. `own` is the id of the local peer. Returns whether setters of the
/// program ran, which may have changed the tree.
pub(in super::super) fn set_state<'p>(
    tree: &mut dyn NodeTree,
    own: PeerId,
    entity: NodeId,
    state: impl Iterator<Item = (&'p Property, Variant)>,
) -> bool {
    let mut ran_setter = false;
    for (property, value) in state {
        let found;
        let target = if ran_setter {
            found = property.look_up(tree, entity);
            &found
        } else {
            &property.target
        };
        match property.set(tree, own, target, value) {
            Ok(()) => ran_setter |= target.as_ref().is_ok_and(|(_, it)| it.has_setter()),
            Err(error) => {
                let error = ErrorChain::new(&error);
                tracing::debug!(path = %property.path, %error, "property not set");
            }
        }
    }
    ran_setter
}

impl Property {
    fn set(
        &self,
        tree: &mut dyn NodeTree,
        own: PeerId,
        target: &PropertyTarget,
        value: Variant,
    ) -> Result<(), PropertyError> {
        let (node, accessor) = target.as_ref().map_err(Clone::clone)?;
        if self.components.is_empty() {
            return tree.set_property(*node, &**accessor, value, own);
        }
        let object = tree.object_mut(*node).ok_or(PropertyError::Unreachable)?;
        // From the innermost component outwards: each value is set in a copy of the enclosing one.
        let mut levels = vec![accessor.read(object)?];
        for name in &self.components[..self.components.len() - 1] {
            let inner = component(&levels[levels.len() - 1], name);
            levels.push(inner.ok_or_else(|| PropertyError::NoComponent(name.to_string()))?);
        }
        let whole = self.components.iter().rev().try_fold(value, |value, name| {
            let mut around = levels.pop().unwrap_or_default();
            let set = set_component(&mut around, name, value);
            set.then_some(around).ok_or_else(|| PropertyError::NoComponent(name.to_string()))
        })?;
        tree.set_property(*node, &**accessor, whole, own)
    }

    /// Returns the node and the property that the path names now.
    pub(super) fn look_up(&self, tree: &dyn NodeTree, entity: NodeId) -> PropertyTarget {
        let node = tree.find_from(entity, &self.names).ok_or(PropertyError::Unreachable)?;
        self.property_of(tree, node)
    }
}
