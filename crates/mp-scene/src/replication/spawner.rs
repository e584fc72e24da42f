//! The node that announces scenes.

use std::fmt;
use std::rc::Rc;

use mp_core::Variant;

use super::{Inbox, Pending};
use crate::tree::{Instance, Node, NodeId, PackedScene};

/// Announces the nodes that its authority adds under its spawn parent and removes from it.
///
/// The authority (peer 1 unless set) either adds instances of the [spawnable
/// scenes](Self::add_spawnable_scene), or calls [`Scene::spawn`](crate::Scene::spawn), which
/// creates a node from data with the [spawn function](Self::set_spawn_function). The other peers
/// create the same nodes, set the spawn properties of the synchronizers below them, and report
/// [`Signal::Spawned`](crate::Signal::Spawned).
///
/// ```
/// use mp_scene::prelude::*;
///
/// let unit = PackedScene::new("res://unit.tscn", || Instance::new("Unit", Group));
/// let branch = Branch::builder("/root/Main").setup(move |scene| {
///     scene.add("Units", Group)?;
///     scene.add("Spawner", MultiplayerSpawner::new("../Units").with_scene(&unit))?;
///     // Announced to all peers that join.
///     scene.add_instance("Units", unit.instantiate().named("U1"))?;
///     Ok(())
/// });
/// # branch.build().unwrap();
/// ```
#[derive(Debug, Default)]
pub struct MultiplayerSpawner {
    spawn_path: String,
    spawn_limit: u32,
    scenes: Vec<PackedScene>,
    function: Option<SpawnFunction>,
    pending: Pending<()>,
}

#[derive(Clone)]
pub(crate) struct SpawnFunction(Rc<Make>);

type Make = dyn Fn(&Variant) -> Option<Instance>;

impl MultiplayerSpawner {
    /// Maximum number of scenes that a packet can name; the next index means a custom spawn.
    pub const SCENES_MAX: usize = 255;

    /// Creates a spawner whose spawn parent is at `spawn_path`, relative to the spawner.
    pub fn new(spawn_path: &str) -> Self {
        Self { spawn_path: spawn_path.to_owned(), ..Self::default() }
    }

    /// Adds a spawnable scene. See [`add_spawnable_scene`](Self::add_spawnable_scene).
    #[must_use]
    pub fn with_scene(mut self, scene: &PackedScene) -> Self {
        self.add_spawnable_scene(scene.clone());
        self
    }

    /// Sets the function that creates nodes from data, for [`Scene::spawn`](crate::Scene::spawn)
    /// and for nodes that peers spawn with it. `None` refuses the data.
    #[must_use]
    pub fn with_spawn_function(
        mut self,
        make: impl Fn(&Variant) -> Option<Instance> + 'static,
    ) -> Self {
        self.set_spawn_function(make);
        self
    }

    /// Sets the [spawn limit](Self::set_spawn_limit).
    #[must_use]
    pub fn with_spawn_limit(mut self, limit: u32) -> Self {
        self.spawn_limit = limit;
        self
    }

    /// Adds a scene whose instances are announced. Packets contain its index in the list; scenes
    /// after the first [`SCENES_MAX`](Self::SCENES_MAX) are not announced.
    pub fn add_spawnable_scene(&mut self, scene: PackedScene) {
        self.scenes.push(scene);
    }

    /// Removes all spawnable scenes.
    pub fn clear_spawnable_scenes(&mut self) {
        self.scenes.clear();
    }

    /// Sets the path of the spawn parent, relative to the spawner.
    pub fn set_spawn_path(&mut self, path: &str) {
        path.clone_into(&mut self.spawn_path);
        self.pending.note(());
    }

    /// Sets the maximum number of announced nodes up to which [`Scene::spawn`](crate::Scene::spawn)
    /// works; 0 means no limit (default). Both kinds of nodes count. Instances added under the
    /// spawn parent are announced beyond the limit too, as in Godot.
    pub fn set_spawn_limit(&mut self, limit: u32) {
        self.spawn_limit = limit;
    }

    /// Sets the [`spawn_function`](Self::with_spawn_function).
    pub fn set_spawn_function(&mut self, make: impl Fn(&Variant) -> Option<Instance> + 'static) {
        self.function = Some(SpawnFunction(Rc::new(make)));
    }

    /// Removes the spawn function.
    pub fn clear_spawn_function(&mut self) {
        self.function = None;
    }

    /// Returns the path of the spawn parent, relative to the spawner.
    #[doc(alias = "get_spawn_path")]
    pub fn spawn_path(&self) -> &str {
        &self.spawn_path
    }

    /// Returns the spawn limit; 0 means no limit.
    #[doc(alias = "get_spawn_limit")]
    pub fn spawn_limit(&self) -> u32 {
        self.spawn_limit
    }

    /// Returns the spawnable scenes, in order.
    #[doc(alias("get_spawnable_scene", "get_spawnable_scene_count"))]
    pub fn spawnable_scenes(&self) -> &[PackedScene] {
        &self.scenes
    }

    /// Returns whether there is a spawn function.
    #[doc(alias = "get_spawn_function")]
    pub fn has_spawn_function(&self) -> bool {
        self.function.is_some()
    }

    pub(crate) fn function(&self) -> Option<SpawnFunction> {
        self.function.clone()
    }

    /// Returns the index of a scene in packets.
    pub(crate) fn scene_index(&self, path: &str) -> Option<u8> {
        let index = self.scenes.iter().position(|scene| scene.path() == path)?;
        u8::try_from(index).ok().filter(|&number| usize::from(number) < Self::SCENES_MAX)
    }

    pub(crate) fn follow(&mut self, node: NodeId, inbox: &Inbox) {
        self.pending.follow(node, inbox);
    }

    /// Clears the recorded changes. Returns whether there were any.
    pub(crate) fn take_changed(&mut self) -> bool {
        !self.pending.take().is_empty()
    }
}

impl Node for MultiplayerSpawner {
    fn as_spawner(&mut self) -> Option<&mut Self> {
        Some(self)
    }
}

impl SpawnFunction {
    pub(crate) fn make(&self, data: &Variant) -> Option<Instance> {
        (self.0)(data)
    }
}

impl fmt::Debug for SpawnFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpawnFunction")
    }
}
