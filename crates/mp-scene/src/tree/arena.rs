//! The tree that comes with mp: nodes in an arena, children in the order in which they were added.

mod seam;

use std::any::{Any, TypeId, type_name};
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::rc::Rc;

use indexmap::IndexMap;
use mp_core::{PeerId, Variant};
use slotmap::SlotMap;

use super::class::{ClassOf, NodeClass};
use super::name::{check_name, check_names};
use super::{Group, Instance, Node, NodeId, NodeRef, NodeTree, TreeChange, TreeError};
use crate::property::{Accessor, PropertyError, SetterContext};
use crate::rpc::{Method, RpcConfig, RpcIds, RpcTable};

/// A tree of nodes with their objects, names and authorities.
///
/// A name is not empty and has none of `. : @ / " %`, unless it is of the form of those that Godot
/// makes up for nodes without one, as `@Node2D@7`: a program that mirrors the nodes of a Godot game
/// adds such nodes by these names, and they are called and synchronized like others. As in Godot, a
/// spawner cannot announce them.
///
/// Every node has authority 1 until told otherwise.
pub struct Tree {
    nodes: SlotMap<slotmap::DefaultKey, Entry>,
    top: NodeId,
    root: NodeId,
    classes: HashMap<TypeId, Rc<NodeClass>>,
    changes: Vec<TreeChange>,
    /// Nodes whose objects were borrowed mutably, each once, until they are taken.
    touched: Vec<NodeId>,
    /// Paths that nodes have left, until they are taken.
    vacated: Vec<String>,
}

struct Entry {
    name: String,
    parent: Option<NodeId>,
    children: IndexMap<String, NodeId>,
    authority: PeerId,
    /// `None` while one of its methods runs.
    object: Option<Box<dyn Node>>,
    /// It is in the tree's list of touched nodes.
    is_touched: bool,
    class: Rc<NodeClass>,
    scene_file_path: Option<Rc<str>>,
    node_config: BTreeMap<String, Option<RpcConfig>>,
    rpc_ids: OnceCell<Rc<RpcIds>>,
}

impl Tree {
    /// A tree in which the multiplayer root stands at `root_path`, absolute as in Godot (`"/root"`, `"/root/Game"`), with
    /// a [`Group`] at every step.
    ///
    /// # Errors
    ///
    /// When the path is not absolute or names a node as Godot would not.
    pub fn new(root_path: &str) -> Result<Self, TreeError> {
        let bad = || TreeError::BadRootPath(root_path.to_owned());
        let mut names = root_path.strip_prefix('/').ok_or_else(bad)?.split('/');
        let top_name = names.next().filter(|name| check_name(name).is_ok()).ok_or_else(bad)?;

        let mut nodes = SlotMap::new();
        let top = NodeId(nodes.insert(Entry::new(top_name, None, Box::new(Group), Rc::default())));
        let classes = HashMap::new();
        let (changes, touched, vacated) = (Vec::new(), Vec::new(), Vec::new());
        let mut tree = Self { nodes, top, root: top, classes, changes, touched, vacated };
        for name in names {
            tree.root = tree.add(tree.root, name, Group).map_err(|_| bad())?.id();
        }
        Ok(tree)
    }

    /// Adds a node under `parent` with the RPC methods of its type.
    ///
    /// # Errors
    ///
    /// When the name is not one that a node can have in Godot, is taken, or the parent has left the
    /// tree.
    #[doc(alias = "add_child")]
    pub fn add<N: Node>(
        &mut self,
        parent: NodeId,
        name: &str,
        object: N,
    ) -> Result<NodeRef<N>, TreeError> {
        self.add_instance(parent, Instance::new(name, object)).map(NodeRef::new)
    }

    /// Adds a node under `parent` with a table of its own instead of that of its type.
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

    /// Adds a node with all below it under `parent`, and then runs [`Node::enter_tree`] of each, parents first.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add), for any name in it; nothing is added then.
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
        let first = self.changes.len();
        let node = self.insert(parent, instance);
        for index in first..self.changes.len() {
            if let TreeChange::Added(entered) = self.changes[index] {
                self.enter(entered);
            }
        }
        Ok(node)
    }

    /// As [`add_instance`](Self::add_instance); when a sibling has the name, a number behind it makes it another (`Ent`, `Ent2`,
    /// `Ent3`), as `add_child(node, true)` does in Godot.
    ///
    /// # Errors
    ///
    /// As there.
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

    /// Gives the multiplayer root an object, in place of the [`Group`] that it begins with: a game whose topmost script has
    /// RPC methods.
    pub fn set_root<N: Node>(&mut self, object: N) -> NodeRef<N> {
        self.put_root(Box::new(object), &ClassOf::of::<N>());
        NodeRef::new(self.root)
    }

    /// As [`set_root`](Self::set_root), with a table of its own instead of that of its type.
    pub fn set_root_with_table<N: Node>(&mut self, object: N, table: RpcTable<N>) -> NodeRef<N> {
        self.put_root(Box::new(object), &ClassOf::own(table));
        NodeRef::new(self.root)
    }

    /// Takes a node and all below it out of the tree. The object of the node itself is returned, unless one of its
    /// methods runs right now.
    ///
    /// # Errors
    ///
    /// When it has left the tree already, or is the multiplayer root or above it.
    #[doc(alias("remove_child", "queue_free"))]
    pub fn remove(&mut self, node: impl Into<NodeId>) -> Result<Option<Box<dyn Any>>, TreeError> {
        let node = node.into();
        let entry = self.entry(node)?;
        if self.is_ancestor_or_self(node, self.root) {
            return Err(TreeError::IsRoot);
        }
        let name = entry.name.clone();
        let parent = entry.parent;
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
            if leaving == node {
                object = entry.object.map(|object| object as Box<dyn Any>);
            }
        }
        Ok(object)
    }

    /// Gives a node another name. It stays the same node.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add); the tree's top has no siblings and keeps its name.
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
            // Keeps the node's place among its siblings.
            siblings.shift_remove_index(index);
            siblings.shift_insert(index, name.to_owned(), node);
        }
        name.clone_into(&mut self.nodes[node.0].name);
        self.changes.push(TreeChange::Renamed(node));
        Ok(())
    }

    /// Takes a node with all below it to another parent. They stay the same nodes; peers that a spawner announced them to are
    /// told that they are gone, and, when a spawner has the new parent, that they are there.
    ///
    /// # Errors
    ///
    /// As [`remove`](Self::remove), and when the new parent has left the tree, lies below the node, or has a child of the name.
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
        let moved = self.subtree(node);
        self.vacate(&moved);
        self.changes.extend(moved.iter().rev().copied().map(TreeChange::Removed));
        if let Some(old) = old {
            self.nodes[old.0].children.shift_remove(&name);
        }
        self.nodes[node.0].parent = Some(parent);
        self.nodes[parent.0].children.insert(name, node);
        self.changes.extend(moved.into_iter().map(TreeChange::Added));
        Ok(())
    }

    /// Makes the node at `path`, absolute, the multiplayer root. The nodes stay the same; their paths on the wire change.
    ///
    /// # Errors
    ///
    /// When the path is not absolute, or there is no such node.
    pub fn set_root_path(&mut self, path: &str) -> Result<(), TreeError> {
        if !path.starts_with('/') {
            return Err(TreeError::BadRootPath(path.to_owned()));
        }
        self.root = self.find(path).ok_or_else(|| TreeError::NotFound(path.to_owned()))?;
        Ok(())
    }

    /// Gives `peer` authority over a node, and over all below it when `recursive`.
    ///
    /// # Errors
    ///
    /// When the node has left the tree.
    pub fn set_multiplayer_authority(
        &mut self,
        node: impl Into<NodeId>,
        peer: PeerId,
        recursive: bool,
    ) -> Result<(), TreeError> {
        let node = node.into();
        self.entry(node)?;
        let mut next = vec![node];
        while let Some(node) = next.pop() {
            let entry = &mut self.nodes[node.0];
            if std::mem::replace(&mut entry.authority, peer) != peer {
                self.changes.push(TreeChange::Authority(node));
            }
            if recursive {
                next.extend(entry.children.values());
            }
        }
        Ok(())
    }

    /// Makes a method of this one node callable by peers (Godot: `Node.rpc_config`), in the id range with bit 15 set;
    /// `None` takes it back. Has no effect once the node's ids are in use.
    ///
    /// # Errors
    ///
    /// When the node has left the tree.
    pub fn rpc_config(
        &mut self,
        node: impl Into<NodeId>,
        method: &str,
        config: Option<RpcConfig>,
    ) -> Result<(), TreeError> {
        let entry = self.entry_mut(node.into())?;
        match config {
            Some(config) => entry.node_config.insert(method.to_owned(), Some(config)),
            None => entry.node_config.remove(method),
        };
        Ok(())
    }

    /// Reserves the id of a method that only other peers have, among the node's own (bit 15). See
    /// [`RpcTable::stub`].
    ///
    /// # Errors
    ///
    /// When the node has left the tree.
    pub fn rpc_stub(&mut self, node: impl Into<NodeId>, method: &str) -> Result<(), TreeError> {
        self.entry_mut(node.into())?.node_config.insert(method.to_owned(), None);
        Ok(())
    }

    /// The object of a node, to change it.
    ///
    /// # Errors
    ///
    /// When the node has left the tree, is of another type, or runs a method right now.
    pub fn get_mut<N: Node>(&mut self, node: NodeRef<N>) -> Result<&mut N, TreeError> {
        let entry = self.nodes.get_mut(node.id().0).ok_or(TreeError::NotInTree)?;
        if !std::mem::replace(&mut entry.is_touched, true) {
            self.touched.push(node.id());
        }
        let object: &mut dyn Any = entry.object.as_deref_mut().ok_or(TreeError::Busy)?;
        object.downcast_mut().ok_or_else(|| TreeError::WrongType(type_name::<N>()))
    }

    /// The object of a node.
    ///
    /// # Errors
    ///
    /// As [`get_mut`](Self::get_mut).
    pub fn get<N: Node>(&self, node: NodeRef<N>) -> Result<&N, TreeError> {
        let object: &dyn Any = self.entry(node.id())?.object.as_deref().ok_or(TreeError::Busy)?;
        object.downcast_ref().ok_or_else(|| TreeError::WrongType(type_name::<N>()))
    }

    /// The multiplayer root.
    pub fn root(&self) -> NodeId {
        self.root
    }

    /// The absolute path of the multiplayer root.
    #[doc(alias = "get_root_path")]
    pub fn root_path(&self) -> String {
        self.absolute_path(self.root)
    }

    /// Whether `node` is in the tree.
    pub fn contains(&self, node: impl Into<NodeId>) -> bool {
        self.nodes.contains_key(node.into().0)
    }

    /// The name of a node.
    pub fn name(&self, node: impl Into<NodeId>) -> Option<&str> {
        self.nodes.get(node.into().0).map(|entry| entry.name.as_str())
    }

    /// The peer that has authority over a node; `None` when it has left the tree.
    #[doc(alias = "get_multiplayer_authority")]
    pub fn multiplayer_authority(&self, node: impl Into<NodeId>) -> Option<PeerId> {
        self.nodes.get(node.into().0).map(|entry| entry.authority)
    }

    /// The parent of a node; `None` for the tree's top.
    #[doc(alias = "get_parent")]
    pub fn parent(&self, node: impl Into<NodeId>) -> Option<NodeId> {
        self.nodes.get(node.into().0)?.parent
    }

    /// The children of a node in the order in which they were added.
    #[doc(alias = "get_children")]
    pub fn children(&self, node: impl Into<NodeId>) -> impl Iterator<Item = NodeId> {
        self.nodes.get(node.into().0).into_iter().flat_map(|entry| entry.children.values().copied())
    }

    /// Whether the node is there and none of its methods runs.
    pub(crate) fn is_at_home(&self, node: NodeId) -> bool {
        self.nodes.get(node.0).is_some_and(|entry| entry.object.is_some())
    }

    /// Takes the object out while a method of it runs.
    pub(crate) fn check_out(&mut self, node: NodeId) -> Result<CheckedOut, TreeError> {
        let entry = self.entry_mut(node)?;
        let object = entry.object.take().ok_or(TreeError::Busy)?;
        Ok(CheckedOut { node, object, class: Rc::clone(&entry.class) })
    }

    /// Puts it back; a node that was removed meanwhile goes with its object.
    pub(crate) fn check_in(&mut self, out: CheckedOut) {
        if let Some(entry) = self.nodes.get_mut(out.node.0) {
            entry.object = Some(out.object);
            if !std::mem::replace(&mut entry.is_touched, true) {
                self.touched.push(out.node);
            }
        }
    }

    /// Sets a property with its setter, which has the node checked out and may change the rest of
    /// the tree.
    pub(crate) fn run_setter(
        &mut self,
        node: NodeId,
        property: &dyn Accessor,
        value: Variant,
        unique_id: PeerId,
    ) -> Result<(), PropertyError> {
        let mut out = self.check_out(node).map_err(|_| PropertyError::Unreachable)?;
        let mut cx = SetterContext::new(self, node, unique_id);
        let result = property.set(&mut *out.object, &mut cx, value);
        self.check_in(out);
        result
    }

    fn class(&mut self, of: &ClassOf) -> Rc<NodeClass> {
        match of {
            ClassOf::Own(class) => Rc::clone(class),
            ClassOf::Type(id, make) => {
                Rc::clone(self.classes.entry(*id).or_insert_with(|| Rc::new(make())))
            }
        }
    }

    /// Puts in what has been checked.
    fn insert(&mut self, parent: NodeId, instance: Instance) -> NodeId {
        let Instance { name, object, class, authority, scene_file_path, children } = instance;
        let class = self.class(&class);
        let mut entry = Entry::new(&name, Some(parent), object, class);
        entry.authority = authority.unwrap_or(PeerId::SERVER);
        entry.scene_file_path = scene_file_path;
        let node = NodeId(self.nodes.insert(entry));
        self.nodes[parent.0].children.insert(name, node);
        self.changes.push(TreeChange::Added(node));
        for child in children {
            self.insert(node, child);
        }
        node
    }

    fn enter(&mut self, node: NodeId) {
        if let Ok(mut out) = self.check_out(node) {
            out.object.enter_tree(self, node);
            self.check_in(out);
        }
    }

    fn put_root(&mut self, object: Box<dyn Node>, class: &ClassOf) {
        let class = self.class(class);
        let entry = &mut self.nodes[self.root.0];
        entry.object = Some(object);
        entry.class = class;
        entry.rpc_ids = OnceCell::new();
    }

    /// `node` and all below it, parents first, in the order in which Godot lets them enter. They leave in the opposite one.
    fn subtree(&self, node: NodeId) -> Vec<NodeId> {
        let mut found = Vec::new();
        let mut next = vec![node];
        while let Some(node) = next.pop() {
            found.push(node);
            let children = self.nodes.get(node.0).into_iter().flat_map(|entry| &entry.children);
            next.extend(children.rev().map(|(_, &child)| child));
        }
        found
    }

    /// Notes the paths of nodes that are about to leave them.
    fn vacate(&mut self, nodes: &[NodeId]) {
        for &node in nodes {
            let path = self.path_of(node);
            self.vacated.extend(path);
        }
    }

    fn entry(&self, node: NodeId) -> Result<&Entry, TreeError> {
        self.nodes.get(node.0).ok_or(TreeError::NotInTree)
    }

    fn entry_mut(&mut self, node: NodeId) -> Result<&mut Entry, TreeError> {
        self.nodes.get_mut(node.0).ok_or(TreeError::NotInTree)
    }

    fn is_ancestor_or_self(&self, ancestor: NodeId, node: NodeId) -> bool {
        self.upwards(node).any(|step| step == ancestor)
    }

    /// `node`, its parent, and so on to the top.
    fn upwards(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        std::iter::successors(Some(node), |&step| self.parent(step))
    }

    fn absolute_path(&self, node: NodeId) -> String {
        let mut names: Vec<_> = self.upwards(node).filter_map(|step| self.name(step)).collect();
        names.push("");
        names.reverse();
        names.join("/")
    }
}

impl Entry {
    fn new(
        name: &str,
        parent: Option<NodeId>,
        object: Box<dyn Node>,
        class: Rc<NodeClass>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            parent,
            children: IndexMap::new(),
            authority: PeerId::SERVER,
            object: Some(object),
            class,
            scene_file_path: None,
            node_config: BTreeMap::new(),
            rpc_ids: OnceCell::new(),
            is_touched: false,
        }
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree")
            .field("root", &self.root_path())
            .field("nodes", &self.nodes.len())
            .finish_non_exhaustive()
    }
}

/// A node's object while one of its methods runs.
pub(crate) struct CheckedOut {
    node: NodeId,
    pub(crate) object: Box<dyn Node>,
    class: Rc<NodeClass>,
}

impl CheckedOut {
    pub(crate) fn method(&self, name: &str) -> Option<Method> {
        self.class.methods.method(name)
    }
}

#[cfg(test)]
mod tests;
