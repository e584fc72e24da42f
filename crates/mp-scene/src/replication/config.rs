//! The configuration of a synchronizer: its properties, and when each is sent.
#![expect(clippy::exhaustive_enums, reason = "Godot lists the modes")]

use mp_core::NodePath;

/// Godot's `SceneReplicationConfig`: the properties of a synchronizer, in the order in which they
/// are encoded.
///
/// A property is named as in Godot: the path of its node relative to the synchronizer's root, a
/// colon, the name, and optionally a colon and a component: `.:health`, `Gun:ammo`, `.:position:x`.
/// All peers must have the same list.
///
/// ```
/// use mp_scene::prelude::*;
///
/// let config = ReplicationConfig::new()
///     .spawn(".:name_tag")
///     .always(".:position")
///     .on_change(".:health");
/// let mode = config.property_replication_mode(&".:health".into());
/// assert_eq!(mode, Some(ReplicationMode::OnChange));
/// ```
#[doc(alias = "SceneReplicationConfig")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicationConfig {
    properties: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    path: NodePath,
    spawn: bool,
    mode: ReplicationMode,
}

/// The time at which a property is sent, besides in announcements of the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReplicationMode {
    /// Never (0).
    Never = 0,
    /// At every interval, unreliably (1).
    #[default]
    Always = 1,
    /// After a change, reliably (2). At most [`ReplicationConfig::WATCHED_MAX`] properties of a
    /// configuration.
    OnChange = 2,
}

/// The reason why a configuration refuses a property.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplicationConfigError {
    /// The property is already in the configuration.
    #[error("{0:?} is already in the config")]
    Duplicate(String),
    /// The path names no property.
    #[error("{0:?} names no property; write it as \".:health\" or \"Gun:ammo\"")]
    NoProperty(String),
    /// The property is not in the configuration.
    #[error("{0:?} is not in the config")]
    NotFound(String),
    /// The configuration has [`ReplicationConfig::WATCHED_MAX`] `OnChange` properties.
    #[error(
        "{0:?} would be the 65th on_change property of the config, and at most 64 are allowed; move \
         some to another synchronizer"
    )]
    TooManyWatched(String),
}

impl ReplicationConfig {
    /// Maximum number of `OnChange` properties: the mask in a packet has 64 bits.
    pub const WATCHED_MAX: usize = 64;

    /// Creates a configuration without properties.
    pub const fn new() -> Self {
        Self { properties: Vec::new() }
    }

    /// Adds a property that is part of announcements and is sent at every interval: Godot's
    /// default.
    ///
    /// # Panics
    ///
    /// If [`add_property`](Self::add_property) refuses the path, since builder calls have constant
    /// paths.
    #[must_use]
    #[track_caller]
    pub fn always(self, path: &str) -> Self {
        self.with(path, true, ReplicationMode::Always)
    }

    /// Adds a property that is part of announcements and is sent after a change.
    ///
    /// # Panics
    ///
    /// As [`always`](Self::always).
    #[must_use]
    #[track_caller]
    pub fn on_change(self, path: &str) -> Self {
        self.with(path, true, ReplicationMode::OnChange)
    }

    /// Adds a property that is part of announcements only.
    ///
    /// # Panics
    ///
    /// As [`always`](Self::always).
    #[must_use]
    #[track_caller]
    pub fn spawn(self, path: &str) -> Self {
        self.with(path, true, ReplicationMode::Never)
    }

    /// Adds a property that is sent at every interval and is not part of announcements.
    ///
    /// # Panics
    ///
    /// As [`always`](Self::always).
    #[must_use]
    #[track_caller]
    pub fn always_without_spawn(self, path: &str) -> Self {
        self.with(path, false, ReplicationMode::Always)
    }

    /// Adds a property that is sent after a change and is not part of announcements.
    ///
    /// # Panics
    ///
    /// As [`always`](Self::always).
    #[must_use]
    #[track_caller]
    pub fn on_change_without_spawn(self, path: &str) -> Self {
        self.with(path, false, ReplicationMode::OnChange)
    }

    #[track_caller]
    fn with(mut self, path: &str, spawn: bool, mode: ReplicationMode) -> Self {
        let at = self.properties.len();
        if let Err(error) = self.insert(at, path.into(), spawn, mode) {
            panic!("{error}");
        }
        self
    }

    /// Adds a property at `index`, or at the end: part of announcements, and sent
    /// [always](ReplicationMode::Always).
    ///
    /// # Errors
    ///
    /// If the path names no property, or is already in the configuration.
    pub fn add_property(
        &mut self,
        path: impl Into<NodePath>,
        index: Option<usize>,
    ) -> Result<(), ReplicationConfigError> {
        let at = index.unwrap_or(usize::MAX).min(self.properties.len());
        self.insert(at, path.into(), true, ReplicationMode::default())
    }

    /// Removes a property. Returns whether it was in the configuration.
    pub fn remove_property(&mut self, path: &NodePath) -> bool {
        let index = self.property_index(path);
        index.map(|index| self.properties.remove(index)).is_some()
    }

    /// Sets whether a property is part of announcements.
    ///
    /// # Errors
    ///
    /// If the property is not in the configuration.
    pub fn property_set_spawn(
        &mut self,
        path: &NodePath,
        spawn: bool,
    ) -> Result<(), ReplicationConfigError> {
        self.entry(path)?.spawn = spawn;
        Ok(())
    }

    /// Sets when a property is sent.
    ///
    /// # Errors
    ///
    /// If the property is not in the configuration, or would be the 65th `OnChange` property.
    pub fn property_set_replication_mode(
        &mut self,
        path: &NodePath,
        mode: ReplicationMode,
    ) -> Result<(), ReplicationConfigError> {
        let watched = self.watched().filter(|watched| *watched != path).count();
        let entry = self.entry(path)?;
        if mode == ReplicationMode::OnChange && watched >= Self::WATCHED_MAX {
            return Err(ReplicationConfigError::TooManyWatched(path.to_string()));
        }
        entry.mode = mode;
        Ok(())
    }

    /// Sets whether a property is sent [always](ReplicationMode::Always); `false` changes that mode
    /// to [`Never`](ReplicationMode::Never). Godot's older form of
    /// [`property_set_replication_mode`](Self::property_set_replication_mode).
    ///
    /// # Errors
    ///
    /// As [`property_set_replication_mode`](Self::property_set_replication_mode).
    pub fn property_set_sync(
        &mut self,
        path: &NodePath,
        sync: bool,
    ) -> Result<(), ReplicationConfigError> {
        self.set_mode_if(path, ReplicationMode::Always, sync)
    }

    /// Sets whether a property is sent [on change](ReplicationMode::OnChange); `false` changes that
    /// mode to [`Never`](ReplicationMode::Never). Godot's older form of
    /// [`property_set_replication_mode`](Self::property_set_replication_mode).
    ///
    /// # Errors
    ///
    /// As [`property_set_replication_mode`](Self::property_set_replication_mode).
    pub fn property_set_watch(
        &mut self,
        path: &NodePath,
        watch: bool,
    ) -> Result<(), ReplicationConfigError> {
        self.set_mode_if(path, ReplicationMode::OnChange, watch)
    }

    /// Returns the properties, in order.
    #[doc(alias = "get_properties")]
    pub fn properties(&self) -> impl ExactSizeIterator<Item = &NodePath> {
        self.properties.iter().map(|entry| &entry.path)
    }

    /// Returns whether a property is in the configuration.
    pub fn has_property(&self, path: &NodePath) -> bool {
        self.property_index(path).is_some()
    }

    /// Returns the index of a property.
    #[doc(alias = "property_get_index")]
    pub fn property_index(&self, path: &NodePath) -> Option<usize> {
        self.properties.iter().position(|entry| entry.path == *path)
    }

    /// Returns whether a property is part of announcements; `None` if it is not in the
    /// configuration.
    #[doc(alias = "property_get_spawn")]
    pub fn property_spawn(&self, path: &NodePath) -> Option<bool> {
        self.property_index(path).map(|index| self.properties[index].spawn)
    }

    /// Returns when a property is sent; `None` if it is not in the configuration.
    #[doc(alias = "property_get_replication_mode")]
    pub fn property_replication_mode(&self, path: &NodePath) -> Option<ReplicationMode> {
        self.property_index(path).map(|index| self.properties[index].mode)
    }

    /// Returns whether a property is sent always; `None` if it is not in the configuration.
    #[doc(alias = "property_get_sync")]
    pub fn property_sync(&self, path: &NodePath) -> Option<bool> {
        self.property_replication_mode(path).map(|mode| mode == ReplicationMode::Always)
    }

    /// Returns whether a property is sent on change; `None` if it is not in the configuration.
    #[doc(alias = "property_get_watch")]
    pub fn property_watch(&self, path: &NodePath) -> Option<bool> {
        self.property_replication_mode(path).map(|mode| mode == ReplicationMode::OnChange)
    }

    /// Returns the properties of announcements, in order.
    pub(crate) fn spawned(&self) -> impl Iterator<Item = &NodePath> {
        self.properties.iter().filter(|entry| entry.spawn).map(|entry| &entry.path)
    }

    /// Returns the `Always` properties, in order.
    pub(crate) fn synced(&self) -> impl Iterator<Item = &NodePath> {
        self.of_mode(ReplicationMode::Always)
    }

    /// Returns the `OnChange` properties, in the order of the bits of a mask.
    pub(crate) fn watched(&self) -> impl Iterator<Item = &NodePath> {
        self.of_mode(ReplicationMode::OnChange)
    }

    fn of_mode(&self, mode: ReplicationMode) -> impl Iterator<Item = &NodePath> {
        self.properties.iter().filter(move |entry| entry.mode == mode).map(|entry| &entry.path)
    }

    fn set_mode_if(
        &mut self,
        path: &NodePath,
        mode: ReplicationMode,
        on: bool,
    ) -> Result<(), ReplicationConfigError> {
        if on {
            return self.property_set_replication_mode(path, mode);
        }
        let entry = self.entry(path)?;
        if entry.mode == mode {
            entry.mode = ReplicationMode::Never;
        }
        Ok(())
    }

    fn entry(&mut self, path: &NodePath) -> Result<&mut Entry, ReplicationConfigError> {
        let index = self.property_index(path);
        let not_found = || ReplicationConfigError::NotFound(path.to_string());
        index.map(|index| &mut self.properties[index]).ok_or_else(not_found)
    }

    fn insert(
        &mut self,
        at: usize,
        path: NodePath,
        spawn: bool,
        mode: ReplicationMode,
    ) -> Result<(), ReplicationConfigError> {
        if path.subnames().is_empty() {
            return Err(ReplicationConfigError::NoProperty(path.to_string()));
        }
        if self.has_property(&path) {
            return Err(ReplicationConfigError::Duplicate(path.to_string()));
        }
        if mode == ReplicationMode::OnChange && self.watched().count() >= Self::WATCHED_MAX {
            return Err(ReplicationConfigError::TooManyWatched(path.to_string()));
        }
        self.properties.insert(at, Entry { path, spawn, mode });
        Ok(())
    }
}
