//! Nodes that are added, removed, renamed and moved.

use std::any::Any;

use super::Tree;
use crate::rpc::RpcTable;
use crate::tree::class::ClassOf;
use crate::tree::name::{check_name, check_names};
use crate::tree::{Instance, Node, NodeId, NodeRef, TreeChange, TreeError};

impl Tree {
    /// Adds a node under `parent` with the RPC methods of its type.
    ///
    /// # Errors
    ///
    /// If the name is invalid or taken, or the parent is not in the tree.
    #[doc(alias = "add_child")]
    pub fn add<N: Node>(
        &mut self,
        parent: NodeId,
        name: &str,
        object: N,
    ) -> Result<NodeRef<N>, TreeError> {
        self.add_instance(parent, Instance::new(name, object)).map(NodeRef::new)
    }

    /// Adds a node under `parent` with its own RPC table instead of that of its type.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub fn add_with_table<N: Node>(
        &mut self,
        parent: NodeId,
        name: &str,
        object: N,
        table: RpcTable<N>,
    ) -> Result<NodeRef<N>, TreeError> {
        self.add_instance(parent, Instance::with_table(name, object, table)).map(NodeRef::new)
    }

    /// Adds a node with its children under `parent`, then runs [`Node::enter_tree`] of each,
    /// parents first.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add), for any name in the instance. Nothing is added then.
    #[doc(alias = "add_child")]
    pub fn add_instance(
        &mut self,
        parent: NodeId,
        instance: Instance,
    ) -> Result<NodeId, TreeError> {
        if self.entry(parent)?.children.contains_key(&instance.name) {
            return Err(TreeError::NameTaken(instance.name));
        }
        check_names(&instance)?;
        self.refuse_leaving(parent)?;
        let first = self.changes.len();
        let node = self.insert(parent, instance);
        self.enter_added(first);
        self.note_entered(node);
        Ok(node)
    }

    /// Adds a node as [`add_instance`](Self::add_instance) does. If a sibling has its name, appends
    /// a number (`Ent`, `Ent2`, `Ent3`), as `add_child(node, true)` does in Godot.
    ///
    /// # Errors
    ///
    /// As [`add_instance`](Self::add_instance).
    pub fn add_readable(
        &mut self,
        parent: NodeId,
        instance: Instance,
    ) -> Result<NodeId, TreeError> {
        let siblings = &self.entry(parent)?.children;
        if !siblings.contains_key(&instance.name) {
            return self.add_instance(parent, instance);
        }
        let stem = instance.name.trim_end_matches(|c: char| c.is_ascii_digit());
        let number: u64 = instance.name[stem.len()..].parse().unwrap_or(1);
        let name = (number.saturating_add(1)..)
            .map(|number| format!("{stem}{number}"))
            .find(|name| !siblings.contains_key(name));
        let instance = match name {
            Some(name) => instance.named(&name),
            None => instance,
        };
        self.add_instance(parent, instance)
    }

    /// Replaces the [`Group`](crate::tree::Group) at the multiplayer root by an object, for games
    /// whose root script has RPC methods.
    pub fn set_root<N: Node>(&mut self, object: N) -> NodeRef<N> {
        self.put_root(Box::new(object), &ClassOf::of::<N>());
        NodeRef::new(self.root)
    }

    /// Replaces the object at the multiplayer root, with its own RPC table instead of that of its
    /// type.
    pub fn set_root_with_table<N: Node>(&mut self, object: N, table: RpcTable<N>) -> NodeRef<N> {
        self.put_root(Box::new(object), &ClassOf::own(table));
        NodeRef::new(self.root)
    }

    /// Removes a node and its children from the tree, after [`Node::exit_tree`] of each, children
    /// first. Returns the node's object, or `None` if one of its methods is running.
    ///
    /// # Errors
    ///
    /// If the node is not in the tree, is the multiplayer root or above it, or is just leaving.
    #[doc(alias("remove_child", "free"))]
    pub fn remove(&mut self, node: impl Into<NodeId>) -> Result<Option<Box<dyn Any>>, TreeError> {
        let node = node.into();
        let entry = self.entry(node)?;
        if self.is_ancestor_or_self(node, self.root) {
            return Err(TreeError::IsRoot);
        }
        let name = entry.name.clone();
        let parent = entry.parent;
        self.exit(node)?;
        let leaving = self.subtree(node);
        self.vacate(&leaving);
        if let Some(parent) = parent
            && let Some(parent) = self.nodes.get_mut(parent.0)
        {
            parent.children.shift_remove(&name);
        }
        let mut object = None;
        for leaving in leaving.into_iter().rev() {
            let Some(entry) = self.nodes.remove(leaving.0) else { continue };
            self.changes.push(TreeChange::Removed(leaving));
            self.life.forget(&entry.life);
            if leaving == node {
                object = entry.object.map(|object| object as Box<dyn Any>);
            }
        }
        Ok(object)
    }

    /// Renames a node, which keeps its id and its position among its siblings.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add); [`TreeError::IsRoot`] for the topmost node.
    #[doc(alias = "set_name")]
    pub fn rename(&mut self, node: impl Into<NodeId>, name: &str) -> Result<(), TreeError> {
        let node = node.into();
        check_name(name)?;
        let entry = self.entry(node)?;
        let parent = entry.parent.ok_or(TreeError::IsRoot)?;
        let old = entry.name.clone();
        if name == old {
            return Ok(());
        }
        if self.nodes[parent.0].children.contains_key(name) {
            return Err(TreeError::NameTaken(name.to_owned()));
        }
        let renamed = self.subtree(node);
        self.vacate(&renamed);
        let siblings = &mut self.nodes[parent.0].children;
        if let Some((index, ..)) = siblings.get_full(&old) {
            // Keeps the node's position among its siblings.
            siblings.shift_remove_index(index);
            siblings.shift_insert(index, name.to_owned(), node);
        }
        name.clone_into(&mut self.nodes[node.0].name);
        self.changes.push(TreeChange::Renamed(node));
        Ok(())
    }

    /// Moves a node with its children to another parent. Their ids stay the same. Peers to which a
    /// spawner announced them receive a despawn, and a new announcement if a spawner has the new
    /// parent. As in Godot, [`Node::exit_tree`] and [`Node::enter_tree`] of each run (unless one of
    /// its methods is running), but not [`Node::ready`].
    ///
    /// # Errors
    ///
    /// As [`remove`](Self::remove), or if the new parent is not in the tree, is below the node, or
    /// has a child of the same name.
    pub fn reparent(
        &mut self,
        node: impl Into<NodeId>,
        parent: impl Into<NodeId>,
    ) -> Result<(), TreeError> {
        let (node, parent) = (node.into(), parent.into());
        let entry = self.entry(node)?;
        if self.is_ancestor_or_self(node, self.root) {
            return Err(TreeError::IsRoot);
        }
        if self.is_ancestor_or_self(node, parent) {
            return Err(TreeError::WithinItself);
        }
        let (name, old) = (entry.name.clone(), entry.parent);
        if self.entry(parent)?.children.contains_key(&name) {
            return Err(TreeError::NameTaken(name));
        }
        self.refuse_leaving(parent)?;
        self.enter_again(node, old, parent, name)
    }

    /// Renames a node as if it left the tree and entered it again: peers to which a spawner
    /// announced it receive a despawn, and a new announcement. [`Node::exit_tree`] and
    /// [`Node::enter_tree`] run as for [`reparent`](Self::reparent).
    ///
    /// # Errors
    ///
    /// As [`rename`](Self::rename).
    pub(crate) fn rename_anew(&mut self, node: NodeId, name: &str) -> Result<(), TreeError> {
        check_name(name)?;
        let entry = self.entry(node)?;
        let parent = entry.parent.ok_or(TreeError::IsRoot)?;
        if self.is_ancestor_or_self(node, self.root) {
            return Err(TreeError::IsRoot);
        }
        if self.nodes[parent.0].children.contains_key(name) {
            return Err(TreeError::NameTaken(name.to_owned()));
        }
        self.enter_again(node, Some(parent), parent, name.to_owned())
    }

    /// Lets a node leave the tree and enter it below `parent` under `name`, which is free.
    fn enter_again(
        &mut self,
        node: NodeId,
        old: Option<NodeId>,
        parent: NodeId,
        name: String,
    ) -> Result<(), TreeError> {
        self.exit(node)?;
        let moved = self.subtree(node);
        self.vacate(&moved);
        self.changes.extend(moved.iter().rev().copied().map(TreeChange::Removed));
        if let Some(old) = old {
            let before = self.nodes[node.0].name.clone();
            self.nodes[old.0].children.shift_remove(&before);
        }
        let entry = &mut self.nodes[node.0];
        entry.parent = Some(parent);
        entry.name.clone_from(&name);
        self.nodes[parent.0].children.insert(name, node);
        let first = self.changes.len();
        self.changes.extend(moved.into_iter().map(TreeChange::Added));
        self.life.mark_moved();
        self.enter_added(first);
        self.note_entered(node);
        Ok(())
    }
}
