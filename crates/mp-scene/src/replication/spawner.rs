//! The node that announces scenes.

use std::fmt;
use std::rc::Rc;

use mp_core::Variant;

use super::{Inbox, Pending};
use crate::tree::{Instance, Node, NodeId, PackedScene};

/// Announces to the others what its authority adds under its spawn parent, and what the authority takes away again.
///
/// The authority (peer 1 unless set) either adds instances of the [spawnable scenes](Self::add_spawnable_scene) as usual, or lets the
/// [spawn function](Self::spawn_function) make one out of data with [`Scene::spawn`](crate::Scene::spawn). The others make the same
/// nodes, set what the synchronizers below them have as spawn properties, and are told with
/// [`Signal::Spawned`](crate::Signal::Spawned).
///
/// ```
/// use mp_scene::prelude::*;
///
/// let unit = PackedScene::new("res://unit.tscn", || Instance::new("Unit", Group));
/// let branch = Branch::builder("/root/Main").setup(move |scene| {
///     scene.add("Units", Group)?;
///     scene.add("Spawner", MultiplayerSpawner::new("../Units").scene(&unit))?;
///     scene.add_instance("Units", unit.instantiate().named("U1"))?; // announced to whoever joins
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
    /// Scenes that can be told apart on the wire at most; the next number means a custom spawn.
    pub const SCENES_MAX: usize = 255;

    /// One whose spawn parent is at `spawn_path`, relative to itself.
    pub fn new(spawn_path: &str) -> Self {
        Self { spawn_path: spawn_path.to_owned(), ..Self::default() }
    }

    /// With one more spawnable scene. See [`add_spawnable_scene`](Self::add_spawnable_scene).
    #[must_use]
    pub fn scene(mut self, scene: &PackedScene) -> Self {
        self.add_spawnable_scene(scene.clone());
        self
    }

    /// With the function that makes nodes out of data, for [`Scene::spawn`](crate::Scene::spawn) and for what peers spawn so. `None`
    /// makes nothing.
    #[must_use]
    pub fn spawn_function(mut self, make: impl Fn(&Variant) -> Option<Instance> + 'static) -> Self {
        self.set_spawn_function(make);
        self
    }

    /// With a [spawn limit](Self::set_spawn_limit).
    #[must_use]
    pub fn spawn_limit(mut self, limit: u32) -> Self {
        self.spawn_limit = limit;
        self
    }

    /// Adds a scene whose instances are announced. Its position in the list is its number on the wire; scenes from the 256th on are
    /// not announced.
    pub fn add_spawnable_scene(&mut self, scene: PackedScene) {
        self.scenes.push(scene);
    }

    /// Empties the list of scenes.
    pub fn clear_spawnable_scenes(&mut self) {
        self.scenes.clear();
    }

    /// Sets the path of the spawn parent, relative to the spawner.
    pub fn set_spawn_path(&mut self, path: &str) {
        path.clone_into(&mut self.spawn_path);
        self.pending.note(());
    }

    /// How many nodes this side may have spawned with [`Scene::spawn`](crate::Scene::spawn) and announced at the same time, all kinds
    /// counted; 0 means any number (default). Instances that are added as usual are announced all the same, as in Godot.
    pub fn set_spawn_limit(&mut self, limit: u32) {
        self.spawn_limit = limit;
    }

    /// See [`spawn_function`](Self::spawn_function).
    pub fn set_spawn_function(&mut self, make: impl Fn(&Variant) -> Option<Instance> + 'static) {
        self.function = Some(SpawnFunction(Rc::new(make)));
    }

    /// Takes the spawn function away.
    pub fn clear_spawn_function(&mut self) {
        self.function = None;
    }

    /// The path of the spawn parent, relative to the spawner.
    #[doc(alias = "get_spawn_path")]
    pub fn spawn_path(&self) -> &str {
        &self.spawn_path
    }

    /// The spawn limit; 0 means any number.
    #[doc(alias = "get_spawn_limit")]
    pub fn limit(&self) -> u32 {
        self.spawn_limit
    }

    /// The scenes, in order.
    #[doc(alias("get_spawnable_scene", "get_spawnable_scene_count"))]
    pub fn spawnable_scenes(&self) -> &[PackedScene] {
        &self.scenes
    }

    /// Whether it has a spawn function.
    #[doc(alias = "get_spawn_function")]
    pub fn has_spawn_function(&self) -> bool {
        self.function.is_some()
    }

    pub(crate) fn function(&self) -> Option<SpawnFunction> {
        self.function.clone()
    }

    /// The number of a scene on the wire.
    pub(crate) fn number_of(&self, path: &str) -> Option<u8> {
        let index = self.scenes.iter().position(|scene| scene.path() == path)?;
        u8::try_from(index).ok().filter(|&number| usize::from(number) < Self::SCENES_MAX)
    }

    pub(crate) fn follow(&mut self, node: NodeId, inbox: &Inbox) {
        self.pending.follow(node, inbox);
    }

    /// Whether its settings have changed.
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
