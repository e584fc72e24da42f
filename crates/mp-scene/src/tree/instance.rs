//! Nodes outside of a tree, and the scenes that create them.

use std::any::Any;
use std::fmt;
use std::rc::Rc;

use mp_core::PeerId;

use super::class::ClassOf;
use super::{Node, TreeError};
use crate::rpc::RpcTable;

/// A node with its children outside of a tree, as `PackedScene.instantiate()` creates it in Godot.
/// [`Tree::add_instance`](super::Tree::add_instance) adds it to a tree.
///
/// ```
/// use mp_scene::prelude::*;
///
/// let input = Instance::new("Input", Group).authority(PeerId::new(7).unwrap());
/// let player = Instance::new("Player", Group).child(input);
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
    /// Creates a node without children.
    pub fn new<N: Node>(name: &str, object: N) -> Self {
        Self::with_class(name, Box::new(object), ClassOf::of::<N>())
    }

    /// Creates a node with its own RPC table instead of that of its type.
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

    /// Appends a child.
    #[must_use]
    pub fn child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// Sets the name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Sets the authority over the node and its current children (Godot:
    /// `set_multiplayer_authority`, which is recursive).
    #[must_use]
    pub fn authority(mut self, peer: PeerId) -> Self {
        self.set_authority(peer);
        self
    }

    /// Returns the object of this node (path `"."`) or of a child, for example to set fields before
    /// the instance is added: `instance.get_mut::<Label>("Panel/Label")`.
    ///
    /// # Errors
    ///
    /// [`TreeError::NotFound`], or [`TreeError::WrongType`] if the object is not an `N`.
    #[doc(alias = "get_node")]
    pub fn get_mut<N: Node>(&mut self, path: &str) -> Result<&mut N, TreeError> {
        let mut instance = self;
        for step in path.split('/').filter(|&step| step != ".") {
            let child = instance.children.iter_mut().find(|child| child.name == step);
            instance = child.ok_or_else(|| TreeError::NotFound(path.to_owned()))?;
        }
        let object: &mut dyn Any = &mut *instance.object;
        object.downcast_mut().ok_or_else(|| TreeError::wrong_type::<N>(path))
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes the node apart, for an implementation of [`NodeTree`](super::NodeTree) that stores
    /// nodes in its own way.
    pub fn into_parts(self) -> InstanceParts {
        let Self { name, object, class: _, authority, scene_file_path, children } = self;
        InstanceParts { name, object, authority, scene_file_path, children }
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

/// The parts of an [`Instance`].
#[non_exhaustive]
pub struct InstanceParts {
    /// The name.
    pub name: String,
    /// The object.
    pub object: Box<dyn Node>,
    /// The peer that has authority over the node; `None`: the one over its parent.
    pub authority: Option<PeerId>,
    /// The file of the scene that the node was created from.
    pub scene_file_path: Option<Rc<str>>,
    /// The children.
    pub children: Vec<Instance>,
}

impl fmt::Debug for InstanceParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstanceParts")
            .field("name", &self.name)
            .field("children", &self.children)
            .finish_non_exhaustive()
    }
}

/// A scene: the path of its file in the Godot project, and the function that creates its nodes.
/// Clones are cheap.
///
/// A [`MultiplayerSpawner`](crate::MultiplayerSpawner) identifies a scene by its index in the list
/// of scenes, which must be the same on all peers.
#[derive(Clone)]
pub struct PackedScene {
    path: Rc<str>,
    make: Rc<dyn Fn() -> Instance>,
}

impl PackedScene {
    /// Creates the scene at `path` (`"res://player.tscn"`), whose nodes `make` creates.
    pub fn new(path: &str, make: impl Fn() -> Instance + 'static) -> Self {
        Self { path: path.into(), make: Rc::new(make) }
    }

    /// Creates the nodes of the scene.
    pub fn instantiate(&self) -> Instance {
        let mut instance = (self.make)();
        instance.scene_file_path = Some(Rc::clone(&self.path));
        instance
    }

    /// Creates the nodes of the scene, and sets fields of the topmost one with `set`.
    ///
    /// ```
    /// use mp_scene::prelude::*;
    ///
    /// #[derive(Default)]
    /// struct Player { health: i64 }
    /// impl Node for Player {}
    ///
    /// let scene = PackedScene::new("res://player.tscn", || Instance::new("Player", Player::default()));
    /// let mut instance = scene.instantiate_with(|player: &mut Player| player.health = 7);
    /// assert_eq!(instance.get_mut::<Player>(".")?.health, 7);
    /// # Ok::<(), mp_scene::TreeError>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If the object of the topmost node is not an `N`. [`Instance::get_mut`] returns an error
    /// instead.
    pub fn instantiate_with<N: Node>(&self, set: impl FnOnce(&mut N)) -> Instance {
        let mut instance = self.instantiate();
        match instance.get_mut(".") {
            Ok(object) => set(object),
            Err(error) => panic!("{}: {error}", self.path),
        }
        instance
    }

    /// Returns the path of the scene's file.
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
