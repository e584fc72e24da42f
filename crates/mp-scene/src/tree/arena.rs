//! The tree of mp: nodes in an arena, with children in the order in which they were added.

mod check_out;
mod edit;
mod life;
mod node_tree;
mod read;

use std::any::TypeId;
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::rc::Rc;

use indexmap::IndexMap;
use mp_core::PeerId;
use slotmap::SlotMap;

pub(crate) use check_out::CheckedOut;
use life::{NodeLife, TreeLife};

use super::class::{ClassOf, NodeClass};
use super::name::check_name;
use super::{Group, Instance, Node, NodeId, NodeTree, TreeChange, TreeError};
use crate::rpc::{RpcConfig, RpcIds};

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
    /// See [`RpcTable::stub`](crate::rpc::RpcTable::stub).
    ///
    /// # Errors
    ///
    /// If the node is not in the tree.
    pub fn rpc_stub(&mut self, node: impl Into<NodeId>, method: &str) -> Result<(), TreeError> {
        self.entry_mut(node.into())?.node_config.insert(method.to_owned(), None);
        Ok(())
    }

    /// Returns whether `node` is the multiplayer root or above it.
    pub(crate) fn is_root_or_above(&self, node: NodeId) -> bool {
        self.is_ancestor_or_self(node, self.root)
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

#[cfg(test)]
mod tests;
