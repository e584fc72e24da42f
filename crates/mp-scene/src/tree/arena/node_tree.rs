//! Implements [`NodeTree`] for [`Tree`].

use std::rc::Rc;

use mp_core::{PeerId, Variant};

use super::Tree;
use crate::property::{Accessor, PropertyError};
use crate::rpc::RpcIds;
use crate::tree::{Instance, Node, NodeId, NodeTree, TreeChange, TreeError};

impl NodeTree for Tree {
    fn find(&self, path: &str) -> Option<NodeId> {
        self.find_from(self.root, path)
    }

    fn root_path(&self) -> String {
        Self::root_path(self)
    }

    fn set_root_path(&mut self, path: &str) -> Result<(), TreeError> {
        Self::set_root_path(self, path)
    }

    fn path_of(&self, node: NodeId) -> Option<String> {
        if !self.contains(node) {
            return None;
        }
        if node == self.root {
            return Some(".".to_owned());
        }
        let (ups, meeting) = self
            .upwards(self.root)
            .enumerate()
            .find(|&(_, above)| self.is_ancestor_or_self(above, node))?;
        let mut steps: Vec<_> = self
            .upwards(node)
            .take_while(|&step| step != meeting)
            .filter_map(|step| self.name(step))
            .collect();
        steps.extend(std::iter::repeat_n("..", ups));
        steps.reverse();
        Some(steps.join("/"))
    }

    fn is_below_root(&self, node: NodeId) -> bool {
        self.is_ancestor_or_self(self.root, node)
    }

    fn find_from(&self, from: NodeId, path: &str) -> Option<NodeId> {
        let mut steps = path.split('/');
        let mut node = from;
        if path.starts_with('/') {
            steps.next();
            if steps.next() != self.name(self.top) {
                return None;
            }
            node = self.top;
        }
        for step in steps {
            node = match step {
                "." => node,
                ".." => self.parent(node)?,
                name => *self.nodes.get(node.0)?.children.get(name)?,
            };
        }
        self.contains(node).then_some(node)
    }

    fn name_of(&self, node: NodeId) -> Option<&str> {
        self.name(node)
    }

    fn parent_of(&self, node: NodeId) -> Option<NodeId> {
        self.parent(node)
    }

    fn scene_file_path(&self, node: NodeId) -> Option<&str> {
        self.nodes.get(node.0)?.scene_file_path.as_deref()
    }

    fn is_ready(&self, node: NodeId) -> bool {
        self.nodes.get(node.0).is_none_or(|entry| entry.life.is_ready)
    }

    fn multiplayer_authority(&self, node: NodeId) -> Option<PeerId> {
        self.multiplayer_authority(node)
    }

    fn object(&self, node: NodeId) -> Option<&dyn Node> {
        self.nodes.get(node.0)?.object.as_deref()
    }

    fn object_mut(&mut self, node: NodeId) -> Option<&mut dyn Node> {
        self.nodes.get_mut(node.0)?.object.as_deref_mut()
    }

    fn property(&self, node: NodeId, name: &str) -> Option<Rc<dyn Accessor>> {
        self.nodes.get(node.0)?.class.properties.accessor(name)
    }

    fn set_property(
        &mut self,
        node: NodeId,
        property: &dyn Accessor,
        value: Variant,
        unique_id: PeerId,
    ) -> Result<(), PropertyError> {
        if !property.has_setter() {
            let object = self.object_mut(node).ok_or(PropertyError::Unreachable)?;
            return property.write(object, value);
        }
        self.run_setter(node, property, value, unique_id)
    }

    fn instantiate(&mut self, parent: NodeId, instance: Instance) -> Result<NodeId, TreeError> {
        self.add_instance(parent, instance)
    }

    fn instantiate_readable(
        &mut self,
        parent: NodeId,
        instance: Instance,
    ) -> Result<NodeId, TreeError> {
        self.add_readable(parent, instance)
    }

    fn free(&mut self, node: NodeId) {
        // A peer cannot remove a node that has left the tree, nor the multiplayer root or a node
        // above it.
        let _ = self.remove(node);
    }

    fn take_touched(&mut self, touched: &mut Vec<NodeId>) {
        for node in &self.touched {
            if let Some(entry) = self.nodes.get_mut(node.0) {
                entry.is_touched = false;
            }
        }
        touched.append(&mut self.touched);
    }

    fn take_changes(&mut self) -> Vec<TreeChange> {
        std::mem::take(&mut self.changes)
    }

    fn take_vacated(&mut self) -> Vec<String> {
        std::mem::take(&mut self.vacated)
    }

    fn has_changes(&self) -> bool {
        !self.touched.is_empty() || self.has_structural_changes()
    }

    fn has_structural_changes(&self) -> bool {
        !(self.changes.is_empty() && self.vacated.is_empty())
    }

    fn rpc_ids(&self, node: NodeId) -> Option<Rc<RpcIds>> {
        let entry = self.nodes.get(node.0)?;
        let ids = entry.rpc_ids.get_or_init(|| {
            Rc::new(RpcIds::new(&entry.node_config, entry.class.methods.script_config()))
        });
        Some(Rc::clone(ids))
    }
}
