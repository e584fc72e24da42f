//! Nodes that are not in a tree yet, and the scenes that make them.

use std::fmt;
use std::rc::Rc;

use mp_core::PeerId;

use super::Node;
use super::class::ClassOf;
use crate::rpc::RpcTable;

/// A node with all below it, outside of any tree: what `PackedScene.instantiate()` gives in Godot.
/// [`Tree::add_instance`](super::Tree::add_instance) puts it into one.
///
/// ```
/// use mp_scene::prelude::*;
///
/// let player = Instance::new("Player", Group).child(Instance::new("Input", Group).authority(PeerId::new(7).unwrap()));
/// assert_eq!(player.name(), "Player");
/// ```
pub struct Instance {
    pub(super) name: String,
    pub(super) object: Box<dyn Node>,
    pub(super) class: ClassOf,
    pub(super) authority: Option<PeerId>,
    pub(super) scene_file_path: Option<Rc<str>>,
    pub(super) children: Vec<Self>,
}

impl Instance {
    /// A node alone.
    pub fn new<N: Node>(name: &str, object: N) -> Self {
        Self::with_class(name, Box::new(object), ClassOf::of::<N>())
    }

    /// A node with a table of RPC methods of its own instead of that of its type.
    pub fn with_table<N: Node>(name: &str, object: N, table: RpcTable<N>) -> Self {
        Self::with_class(name, Box::new(object), ClassOf::own(table))
    }

    pub(super) fn with_class(name: &str, object: Box<dyn Node>, class: ClassOf) -> Self {
        Self {
            name: name.to_owned(),
            object,
            class,
            authority: None,
            scene_file_path: None,
            children: Vec::new(),
        }
    }

    /// Adds a child, after those that are there.
    #[must_use]
    pub fn child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// Gives it another name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Gives `peer` authority over it and over all that is below it now (Godot: `set_multiplayer_authority`, which is recursive).
    #[must_use]
    pub fn authority(mut self, peer: PeerId) -> Self {
        self.set_authority(peer);
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn set_authority(&mut self, peer: PeerId) {
        self.authority = Some(peer);
        self.children.iter_mut().for_each(|child| child.set_authority(peer));
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("name", &self.name)
            .field("children", &self.children)
            .finish_non_exhaustive()
    }
}

/// A scene: the path of its file in the Godot project, and how its nodes are made here. Copies are cheap.
///
/// A [`MultiplayerSpawner`](crate::MultiplayerSpawner) tells its scenes apart by their position in its list, which must be the same on
/// every side.
#[derive(Clone)]
pub struct PackedScene {
    path: Rc<str>,
    make: Rc<dyn Fn() -> Instance>,
}

impl PackedScene {
    /// The scene at `path` (`"res://player.tscn"`), made by `make`.
    pub fn new(path: &str, make: impl Fn() -> Instance + 'static) -> Self {
        Self { path: path.into(), make: Rc::new(make) }
    }

    /// Its nodes, made anew.
    pub fn instantiate(&self) -> Instance {
        let mut instance = (self.make)();
        instance.scene_file_path = Some(Rc::clone(&self.path));
        instance
    }

    /// The path of its file.
    #[doc(alias = "scene_file_path")]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Debug for PackedScene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PackedScene").field(&self.path).finish()
    }
}
