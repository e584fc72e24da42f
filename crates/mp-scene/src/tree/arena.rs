//! The tree that comes with mp: nodes in an arena, children in the order in which they were added.

use std::any::{Any, TypeId, type_name};
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::rc::Rc;

use indexmap::IndexMap;
use mp_core::PeerId;
use slotmap::SlotMap;

use super::{Group, Node, NodeId, NodeRef, NodeTree};
use crate::rpc::{Method, MethodTable, RpcConfig, RpcIds, RpcTable};

/// A tree of nodes with their objects, names and authorities.
///
/// Names are as in Godot: not empty, none of `. : @ / " %`. Every node has authority 1 until told otherwise.
pub struct Tree {
    nodes: SlotMap<slotmap::DefaultKey, Entry>,
    top: NodeId,
    root: NodeId,
    tables: HashMap<TypeId, Rc<MethodTable>>,
    removed: Vec<NodeId>,
    added: Vec<NodeId>,
}

struct Entry {
    name: String,
    parent: Option<NodeId>,
    children: IndexMap<String, NodeId>,
    authority: PeerId,
    /// `None` while one of its methods runs.
    object: Option<Box<dyn Node>>,
    methods: Rc<MethodTable>,
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
        let top_name = names.next().filter(|name| is_valid_name(name)).ok_or_else(bad)?;

        let mut nodes = SlotMap::new();
        let top = NodeId(nodes.insert(Entry::new(top_name, None, Box::new(Group), Rc::default())));
        let mut tree = Self {
            nodes,
            top,
            root: top,
            tables: HashMap::new(),
            removed: Vec::new(),
            added: Vec::new(),
        };
        for name in names {
            tree.root = tree.add(tree.root, name, Group).map_err(|_| bad())?.id();
        }
        Ok(tree)
    }

    /// Adds a node under `parent` with the RPC methods of its type.
    ///
    /// # Errors
    ///
    /// When the name is not Godot's idea of one, is taken, or the parent has left the tree.
    #[doc(alias = "add_child")]
    pub fn add<N: Node>(
        &mut self,
        parent: NodeId,
        name: &str,
        object: N,
    ) -> Result<NodeRef<N>, TreeError> {
        let methods = self.methods_of::<N>();
        self.insert(parent, name, Box::new(object), methods).map(NodeRef::new)
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
        self.insert(parent, name, Box::new(object), Rc::new(table.erase())).map(NodeRef::new)
    }

    /// Gives the multiplayer root an object, in place of the [`Group`] that it begins with: a game whose topmost script has
    /// RPC methods.
    pub fn set_root<N: Node>(&mut self, object: N) -> NodeRef<N> {
        let methods = self.methods_of::<N>();
        self.put_root(Box::new(object), methods);
        NodeRef::new(self.root)
    }

    /// As [`set_root`](Self::set_root), with a table of its own instead of that of its type.
    pub fn set_root_with_table<N: Node>(&mut self, object: N, table: RpcTable<N>) -> NodeRef<N> {
        self.put_root(Box::new(object), Rc::new(table.erase()));
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
        if let Some(parent) = entry.parent
            && let Some(parent) = self.nodes.get_mut(parent.0)
        {
            parent.children.shift_remove(&name);
        }
        let mut object = None;
        let mut doomed = vec![node];
        while let Some(next) = doomed.pop() {
            let Some(entry) = self.nodes.remove(next.0) else { continue };
            doomed.extend(entry.children.into_values());
            self.removed.push(next);
            if next == node {
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
        let siblings = &mut self.nodes[parent.0].children;
        if name == old {
            return Ok(());
        }
        if siblings.contains_key(name) {
            return Err(TreeError::NameTaken(name.to_owned()));
        }
        if let Some((index, ..)) = siblings.get_full(&old) {
            // Keeps the node's place among its siblings.
            siblings.shift_remove_index(index);
            siblings.shift_insert(index, name.to_owned(), node);
        }
        name.clone_into(&mut self.nodes[node.0].name);
        self.added.push(node);
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
            entry.authority = peer;
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
        let entry = self.entry_mut(node.id())?;
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

    /// The nodes that have left the tree, and those that have come or have other names, since the last call.
    pub(crate) fn take_changes(&mut self) -> (Vec<NodeId>, Vec<NodeId>) {
        (std::mem::take(&mut self.removed), std::mem::take(&mut self.added))
    }

    /// Whether the node is there and none of its methods runs.
    pub(crate) fn is_at_home(&self, node: NodeId) -> bool {
        self.nodes.get(node.0).is_some_and(|entry| entry.object.is_some())
    }

    /// Takes the object out while a method of it runs.
    pub(crate) fn check_out(&mut self, node: NodeId) -> Result<CheckedOut, TreeError> {
        let entry = self.entry_mut(node)?;
        let object = entry.object.take().ok_or(TreeError::Busy)?;
        Ok(CheckedOut { node, object, methods: Rc::clone(&entry.methods) })
    }

    /// Puts it back; a node that was removed meanwhile goes with its object.
    pub(crate) fn check_in(&mut self, out: CheckedOut) {
        if let Some(entry) = self.nodes.get_mut(out.node.0) {
            entry.object = Some(out.object);
        }
    }

    /// The methods of a type, made once.
    fn methods_of<N: Node>(&mut self) -> Rc<MethodTable> {
        let methods = self.tables.entry(TypeId::of::<N>());
        Rc::clone(methods.or_insert_with(|| Rc::new(N::rpc_table().erase())))
    }

    fn insert(
        &mut self,
        parent: NodeId,
        name: &str,
        object: Box<dyn Node>,
        methods: Rc<MethodTable>,
    ) -> Result<NodeId, TreeError> {
        check_name(name)?;
        if self.entry(parent)?.children.contains_key(name) {
            return Err(TreeError::NameTaken(name.to_owned()));
        }
        let id = NodeId(self.nodes.insert(Entry::new(name, Some(parent), object, methods)));
        self.nodes[parent.0].children.insert(name.to_owned(), id);
        self.added.push(id);
        Ok(id)
    }

    fn put_root(&mut self, object: Box<dyn Node>, methods: Rc<MethodTable>) {
        let entry = &mut self.nodes[self.root.0];
        entry.object = Some(object);
        entry.methods = methods;
        entry.rpc_ids = OnceCell::new();
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

impl NodeTree for Tree {
    fn find(&self, path: &str) -> Option<NodeId> {
        let mut steps = path.split('/');
        let mut node = self.root;
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
        Some(node)
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

    fn multiplayer_authority(&self, node: NodeId) -> Option<PeerId> {
        self.nodes.get(node.0).map(|entry| entry.authority)
    }

    fn rpc_ids(&self, node: NodeId) -> Option<Rc<RpcIds>> {
        let entry = self.nodes.get(node.0)?;
        let ids = entry.rpc_ids.get_or_init(|| {
            Rc::new(RpcIds::new(&entry.node_config, entry.methods.script_config()))
        });
        Some(Rc::clone(ids))
    }
}

impl Entry {
    fn new(
        name: &str,
        parent: Option<NodeId>,
        object: Box<dyn Node>,
        methods: Rc<MethodTable>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            parent,
            children: IndexMap::new(),
            authority: PeerId::SERVER,
            object: Some(object),
            methods,
            node_config: BTreeMap::new(),
            rpc_ids: OnceCell::new(),
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
    methods: Rc<MethodTable>,
}

impl CheckedOut {
    pub(crate) fn method(&self, name: &str) -> Option<Method> {
        self.methods.method(name)
    }
}

/// Why the tree refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// Not a name.
    #[error("{0:?} is no node name: it must not be empty nor contain any of . : @ / \" %")]
    BadName(String),
    /// Not a root path.
    #[error("{0:?} is no root path: it must be absolute, such as \"/root\" or \"/root/Game\"")]
    BadRootPath(String),
    /// The node's object is in use.
    #[error("a method of this node is running; its object can be reached again when it returns")]
    Busy,
    /// The multiplayer root and what is above it stay.
    #[error("the multiplayer root and the nodes above it cannot be removed or renamed")]
    IsRoot,
    /// A sibling has the name.
    #[error("the parent already has a child named {0:?}")]
    NameTaken(String),
    /// No node there.
    #[error("there is no node at {0:?}")]
    NotFound(String),
    /// The node was removed.
    #[error("the node has left the tree")]
    NotInTree,
    /// The node's object is of another type.
    #[error("the node's object is not a {0}")]
    WrongType(&'static str),
}

fn check_name(name: &str) -> Result<(), TreeError> {
    if is_valid_name(name) { Ok(()) } else { Err(TreeError::BadName(name.to_owned())) }
}

fn is_valid_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['.', ':', '@', '/', '"', '%'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> (Tree, NodeId) {
        let mut tree = Tree::new("/root/Game").unwrap();
        let level = tree.add(tree.root(), "Level", Group).unwrap().id();
        tree.add(level, "Door", Group).unwrap();
        (tree, level)
    }

    #[test]
    fn a_path_leads_to_its_node_and_back() {
        let (tree, _) = tree();
        for path in [".", "Level", "Level/Door", ".."] {
            assert_eq!(tree.path_of(tree.find(path).unwrap()).as_deref(), Some(path));
        }
        assert_eq!(tree.find("/root/Game/Level/Door"), tree.find("Level/./../Level/Door"));
        assert_eq!(tree.find("../.."), None);
        assert_eq!(tree.find("Level/Window"), None);
        assert_eq!(tree.find(""), None);
    }

    #[test]
    fn another_node_can_be_the_multiplayer_root() {
        let (mut tree, level) = tree();
        let door = tree.find("Level/Door").unwrap();
        tree.set_root_path("/root/Game/Level").unwrap();
        assert_eq!((tree.root(), tree.find("Door")), (level, Some(door)));
        assert_eq!(tree.root_path(), "/root/Game/Level");
        assert_eq!(tree.path_of(door).as_deref(), Some("Door"));

        let bad = TreeError::BadRootPath("Level".into());
        assert_eq!(tree.set_root_path("Level").unwrap_err(), bad);
        let absent = TreeError::NotFound("/root/Nowhere".into());
        assert_eq!(tree.set_root_path("/root/Nowhere").unwrap_err(), absent);
        assert_eq!(tree.root(), level, "it stays what it was");
    }

    #[test]
    fn a_node_leaves_with_everything_below_it() {
        let (mut tree, level) = tree();
        let door = tree.find("Level/Door").unwrap();
        assert!(tree.remove(level).unwrap().is_some());
        assert!(!tree.contains(door) && tree.path_of(door).is_none());
        assert_eq!(tree.take_changes(), (vec![level, door], vec![tree.root(), level, door]));
        assert_eq!(tree.remove(tree.root()).unwrap_err(), TreeError::IsRoot);
    }

    #[test]
    fn a_name_is_refused_when_godot_would_change_it_or_it_is_taken() {
        let (mut tree, _) = tree();
        for name in ["", "a/b", "a.b", "a:b", "a@b", "a\"b", "%a"] {
            let error = tree.add(tree.root(), name, Group).unwrap_err();
            assert_eq!(error, TreeError::BadName(name.to_owned()));
        }
        assert_eq!(
            tree.add(tree.root(), "Level", Group).unwrap_err(),
            TreeError::NameTaken("Level".into())
        );
        assert!(Tree::new("root").is_err() && Tree::new("/").is_err());
    }

    #[test]
    fn authority_reaches_the_children_when_asked_to() {
        let (mut tree, level) = tree();
        let door = tree.find("Level/Door").unwrap();
        let seven = PeerId::new(7).unwrap();
        tree.set_multiplayer_authority(level, seven, false).unwrap();
        assert_eq!(tree.multiplayer_authority(door), Some(PeerId::SERVER));
        tree.set_multiplayer_authority(level, seven, true).unwrap();
        assert_eq!(tree.multiplayer_authority(door), Some(seven));
    }

    #[test]
    fn a_renamed_node_keeps_its_place() {
        let (mut tree, level) = tree();
        tree.add(tree.root(), "Second", Group).unwrap();
        tree.rename(level, "First").unwrap();
        let names: Vec<_> =
            tree.children(tree.root()).map(|child| tree.name(child).unwrap()).collect();
        assert_eq!(names, ["First", "Second"]);
        assert_eq!(tree.find("First"), Some(level));
    }
}
