//! The tree of mp: nodes in an arena, with children in the order in which they were added.

mod life;
mod node_tree;

use std::any::{Any, TypeId, type_name};
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::rc::Rc;

use indexmap::IndexMap;
use mp_core::{PeerId, Variant};
use slotmap::SlotMap;

use life::{NodeLife, TreeLife};

use super::class::{ClassOf, NodeClass};
use super::name::{check_name, check_names};
use super::{Group, Instance, Node, NodeId, NodeRef, NodeTree, TreeChange, TreeError};
use crate::property::{Accessor, PropertyError, SetterContext};
use crate::rpc::{Method, RpcConfig, RpcIds, RpcTable};

/// A tree of nodes with their objects, names and authorities.
///
/// A name is not empty and contains none of `. : @ / " %`. Names that Godot generates for unnamed
/// nodes, such as `@Node2D@7`, are valid too: a program that mirrors the nodes of a Godot game adds
/// such nodes, and peers can call and synchronize them. As in Godot, a spawner cannot announce
/// them.
///
/// A new node has authority 1, the server, unless its [`Instance`] sets another.
pub struct Tree {
    nodes: SlotMap<slotmap::DefaultKey, Entry>,
    top: NodeId,
    root: NodeId,
    classes: HashMap<TypeId, Rc<NodeClass>>,
    changes: Vec<TreeChange>,
    /// Nodes whose objects were mutably borrowed since the last [`NodeTree::take_touched`], without
    /// duplicates.
    touched: Vec<NodeId>,
    /// Paths vacated since the last [`NodeTree::take_vacated`].
    vacated: Vec<String>,
    life: TreeLife,
}

struct Entry {
    name: String,
    parent: Option<NodeId>,
    children: IndexMap<String, NodeId>,
    authority: PeerId,
    /// `None` while the object is checked out.
    object: Option<Box<dyn Node>>,
    /// True if `Tree::touched` contains the node.
    is_touched: bool,
    class: Rc<NodeClass>,
    scene_file_path: Option<Rc<str>>,
    node_config: BTreeMap<String, Option<RpcConfig>>,
    rpc_ids: OnceCell<Rc<RpcIds>>,
    life: NodeLife,
}

impl Tree {
    /// Creates a tree whose multiplayer root is at the absolute path `root_path` (`"/root"`,
    /// `"/root/Game"`), with a [`Group`] for each node of the path.
    ///
    /// # Errors
    ///
    /// [`TreeError::BadRootPath`] if the path is not absolute or contains an invalid name.
    pub fn new(root_path: &str) -> Result<Self, TreeError> {
        let bad = || TreeError::BadRootPath(root_path.to_owned());
        let mut names = root_path.strip_prefix('/').ok_or_else(bad)?.split('/');
        let top_name = names.next().filter(|name| check_name(name).is_ok()).ok_or_else(bad)?;

        let mut nodes = SlotMap::new();
        let top = NodeId(nodes.insert(Entry::new(top_name, None, Box::new(Group), Rc::default())));
        let classes = HashMap::new();
        let (changes, touched, vacated) = (Vec::new(), Vec::new(), Vec::new());
        let life = TreeLife::default();
        let mut tree = Self { nodes, top, root: top, classes, changes, touched, vacated, life };
        for name in names {
            tree.root = tree.add(tree.root, name, Group).map_err(|_| bad())?.id();
        }
        Ok(tree)
    }

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

    /// Replaces the [`Group`] at the multiplayer root by an object, for games whose root script has
    /// RPC methods.
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
            self.life.forget(leaving, &entry.life);
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
        self.exit(node)?;
        let moved = self.subtree(node);
        self.vacate(&moved);
        self.changes.extend(moved.iter().rev().copied().map(TreeChange::Removed));
        if let Some(old) = old {
            self.nodes[old.0].children.shift_remove(&name);
        }
        self.nodes[node.0].parent = Some(parent);
        self.nodes[parent.0].children.insert(name, node);
        let first = self.changes.len();
        self.changes.extend(moved.into_iter().map(TreeChange::Added));
        self.life.mark_moved();
        self.enter_added(first);
        self.note_entered(node);
        Ok(())
    }

    /// Moves the multiplayer root to the node at the absolute path `path`. Nodes keep their ids;
    /// their paths in packets change.
    ///
    /// # Errors
    ///
    /// If the path is not absolute, or there is no such node.
    pub fn set_root_path(&mut self, path: &str) -> Result<(), TreeError> {
        if !path.starts_with('/') {
            return Err(TreeError::BadRootPath(path.to_owned()));
        }
        self.root = self.find(path).ok_or_else(|| TreeError::NotFound(path.to_owned()))?;
        Ok(())
    }

    /// Sets the authority over a node, and over all nodes below it if `recursive`.
    ///
    /// # Errors
    ///
    /// If the node is not in the tree.
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

    /// Sets the RPC settings of a method of this node only (Godot: `Node.rpc_config`), in the id
    /// range with bit 15 set; `None` removes them. Has no effect after the first use of the node's
    /// RPC ids.
    ///
    /// # Errors
    ///
    /// If the node is not in the tree.
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

    /// Reserves the id of a method that only other peers have, in the node's own table (bit 15).
    /// See [`RpcTable::stub`].
    ///
    /// # Errors
    ///
    /// If the node is not in the tree.
    pub fn rpc_stub(&mut self, node: impl Into<NodeId>, method: &str) -> Result<(), TreeError> {
        self.entry_mut(node.into())?.node_config.insert(method.to_owned(), None);
        Ok(())
    }

    /// Returns a mutable reference to the object of a node.
    ///
    /// # Errors
    ///
    /// If the node is not in the tree, its object has another type, or one of its methods is
    /// running.
    pub fn get_mut<N: Node>(&mut self, node: NodeRef<N>) -> Result<&mut N, TreeError> {
        let entry = self.nodes.get_mut(node.id().0).ok_or(TreeError::NotInTree)?;
        if !std::mem::replace(&mut entry.is_touched, true) {
            self.touched.push(node.id());
        }
        let object: &mut dyn Any = entry.object.as_deref_mut().ok_or(TreeError::Busy)?;
        object.downcast_mut().ok_or_else(|| TreeError::WrongType(type_name::<N>()))
    }

    /// Returns the object of a node.
    ///
    /// # Errors
    ///
    /// As [`get_mut`](Self::get_mut).
    pub fn get<N: Node>(&self, node: NodeRef<N>) -> Result<&N, TreeError> {
        let object: &dyn Any = self.entry(node.id())?.object.as_deref().ok_or(TreeError::Busy)?;
        object.downcast_ref().ok_or_else(|| TreeError::WrongType(type_name::<N>()))
    }

    /// Returns the multiplayer root.
    pub fn root(&self) -> NodeId {
        self.root
    }

    /// Returns the absolute path of the multiplayer root.
    #[doc(alias = "get_root_path")]
    pub fn root_path(&self) -> String {
        self.absolute_path(self.root)
    }

    /// Returns whether `node` is in the tree.
    pub fn contains(&self, node: impl Into<NodeId>) -> bool {
        self.nodes.contains_key(node.into().0)
    }

    /// Returns the name of a node; `None` if it is not in the tree.
    pub fn name(&self, node: impl Into<NodeId>) -> Option<&str> {
        self.nodes.get(node.into().0).map(|entry| entry.name.as_str())
    }

    /// Returns the peer that has authority over a node; `None` if the node is not in the tree.
    #[doc(alias = "get_multiplayer_authority")]
    pub fn multiplayer_authority(&self, node: impl Into<NodeId>) -> Option<PeerId> {
        self.nodes.get(node.into().0).map(|entry| entry.authority)
    }

    /// Returns the parent of a node; `None` for the topmost node, or if the node is not in the
    /// tree.
    #[doc(alias = "get_parent")]
    pub fn parent(&self, node: impl Into<NodeId>) -> Option<NodeId> {
        self.nodes.get(node.into().0)?.parent
    }

    /// Returns the children of a node in the order in which they were added.
    #[doc(alias = "get_children")]
    pub fn children(&self, node: impl Into<NodeId>) -> impl Iterator<Item = NodeId> {
        self.nodes.get(node.into().0).into_iter().flat_map(|entry| entry.children.values().copied())
    }

    /// Returns the values of the properties that the node's
    /// [`PropertyTable`](crate::PropertyTable) lists, by name. Empty if the node is not in the tree
    /// or one of its methods is running; properties that cannot be read are missing.
    #[doc(alias = "get_property_list")]
    pub fn properties(&mut self, node: impl Into<NodeId>) -> BTreeMap<String, Variant> {
        let Some(entry) = self.nodes.get_mut(node.into().0) else { return BTreeMap::new() };
        let Some(object) = entry.object.as_deref_mut() else { return BTreeMap::new() };
        let read = |(name, accessor): (&str, &Rc<dyn Accessor>)| {
            Some((name.to_owned(), accessor.read(&mut *object).ok()?))
        };
        entry.class.properties.named().filter_map(read).collect()
    }

    /// Returns whether `node` is the multiplayer root or above it.
    pub(crate) fn is_root_or_above(&self, node: NodeId) -> bool {
        self.is_ancestor_or_self(node, self.root)
    }

    /// Returns whether the node is in the tree and its object is not checked out.
    pub(crate) fn is_checked_in(&self, node: NodeId) -> bool {
        self.nodes.get(node.0).is_some_and(|entry| entry.object.is_some())
    }

    /// Returns whether the node is in the tree and its object is checked out.
    pub(crate) fn is_checked_out(&self, node: NodeId) -> bool {
        self.nodes.get(node.0).is_some_and(|entry| entry.object.is_none())
    }

    /// Takes the object out of the tree while one of its methods runs.
    pub(crate) fn check_out(&mut self, node: NodeId) -> Result<CheckedOut, TreeError> {
        let entry = self.entry_mut(node)?;
        let object = entry.object.take().ok_or(TreeError::Busy)?;
        let class = Rc::clone(&entry.class);
        Ok(CheckedOut { node, object, class, is_unchanged: false })
    }

    /// Returns the object to the tree. If its node was removed meanwhile, runs
    /// [`Node::exit_tree`] and drops the object.
    pub(crate) fn check_in(&mut self, mut out: CheckedOut) {
        let Some(entry) = self.nodes.get_mut(out.node.0) else {
            out.object.exit_tree(self, out.node);
            return;
        };
        entry.object = Some(out.object);
        if !out.is_unchanged && !std::mem::replace(&mut entry.is_touched, true) {
            self.touched.push(out.node);
        }
    }

    /// Sets a property with its setter. The node is checked out meanwhile, and the setter may
    /// change the rest of the tree.
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

    /// Inserts an instance whose names are already checked.
    fn insert(&mut self, parent: NodeId, instance: Instance) -> NodeId {
        let Instance { name, object, class, authority, scene_file_path, children } = instance;
        let class = self.class(&class);
        let mut entry = Entry::new(&name, Some(parent), object, class);
        entry.authority = authority.unwrap_or(PeerId::SERVER);
        entry.scene_file_path = scene_file_path;
        let node = NodeId(self.nodes.insert(entry));
        self.nodes[parent.0].children.insert(name, node);
        self.note_process(node);
        self.changes.push(TreeChange::Added(node));
        for child in children {
            self.insert(node, child);
        }
        node
    }

    fn put_root(&mut self, object: Box<dyn Node>, class: &ClassOf) {
        let class = self.class(class);
        let entry = &mut self.nodes[self.root.0];
        entry.object = Some(object);
        entry.class = class;
        entry.rpc_ids = OnceCell::new();
        self.restart_life(self.root);
    }

    /// Returns `node` and all nodes below it, parents first, in the order in which Godot lets them
    /// enter the tree. They leave in reverse order.
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

    /// Records the paths of nodes that are about to be removed, renamed or moved.
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

    /// Iterates over `node`, its parent, and so on to the topmost node.
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
            life: NodeLife::default(),
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

/// A node's object while it is checked out.
pub(crate) struct CheckedOut {
    node: NodeId,
    pub(crate) object: Box<dyn Node>,
    pub(crate) class: Rc<NodeClass>,
    /// True if nothing has changed the object, so that its properties need not be compared.
    pub(crate) is_unchanged: bool,
}

impl CheckedOut {
    pub(crate) fn method(&self, name: &str) -> Option<Method> {
        self.class.methods.method(name)
    }
}

#[cfg(test)]
mod tests;
