//! The node that sends properties.
#![expect(clippy::exhaustive_enums, reason = "Godot lists the modes")]

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use mp_core::PeerId;

use super::visibility::{FilterId, Visibility};
use super::{Inbox, Pending, ReplicationConfig};
use crate::tree::{Node, NodeId, NodeTree};

/// Sends properties of nodes from its authority (peer 1 unless set) to the peers to which it is
/// visible.
///
/// It is visible to a peer if every [filter](Self::add_visibility_filter) returns true and it is
/// [public](Self::set_public_visibility) or [visible for](Self::set_visibility_for) that peer. A
/// spawned node exists for the peers that can see one of the synchronizers below it that belong to
/// the spawner's authority, and for all peers if there is none.
///
/// ```
/// use mp_scene::prelude::*;
/// use std::time::Duration;
///
/// let config = ReplicationConfig::new().always(".:position").on_change(".:health");
/// let sync = MultiplayerSynchronizer::new(config)
///     .with_replication_interval(Duration::from_millis(50))
///     .with_public_visibility(false);
/// assert_eq!(sync.root_path(), "..");
/// ```
pub struct MultiplayerSynchronizer {
    root_path: String,
    config: ReplicationConfig,
    replication_interval: Duration,
    delta_interval: Duration,
    update_mode: VisibilityUpdateMode,
    /// Shared while filters run, which may read the tree that contains the synchronizer.
    visibility: Rc<Visibility>,
    signals: bool,
    pending: Pending<Change>,
}

/// The time at which the filters of a synchronizer are called again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum VisibilityUpdateMode {
    /// At every tick (0); Godot: in every idle frame.
    #[default]
    Idle = 0,
    /// At every tick (1); Godot: in every physics frame.
    Physics = 1,
    /// On a call of [`MultiplayerSynchronizer::update_visibility`] (2).
    None = 2,
}

/// A change of a synchronizer's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The configuration or root changed: replication restarts.
    Content,
    /// The intervals, signals or filters changed.
    Timing,
    /// The visibility changed, for a peer or for all.
    Visibility(Option<PeerId>),
}

impl MultiplayerSynchronizer {
    /// Creates a synchronizer that sends the properties in `config` of the node above it, to all
    /// peers.
    pub fn new(config: ReplicationConfig) -> Self {
        Self {
            root_path: "..".to_owned(),
            config,
            replication_interval: Duration::ZERO,
            delta_interval: Duration::ZERO,
            update_mode: VisibilityUpdateMode::default(),
            visibility: Rc::default(),
            signals: false,
            pending: Pending::default(),
        }
    }

    /// Sets the [root path](Self::set_root_path).
    #[must_use]
    pub fn with_root_path(mut self, path: &str) -> Self {
        self.set_root_path(path);
        self
    }

    /// Sets the [replication interval](Self::set_replication_interval).
    #[must_use]
    pub fn with_replication_interval(mut self, interval: Duration) -> Self {
        self.set_replication_interval(interval);
        self
    }

    /// Sets the [delta interval](Self::set_delta_interval).
    #[must_use]
    pub fn with_delta_interval(mut self, interval: Duration) -> Self {
        self.set_delta_interval(interval);
        self
    }

    /// Sets the [public visibility](Self::set_public_visibility).
    #[must_use]
    pub fn with_public_visibility(mut self, public: bool) -> Self {
        self.set_public_visibility(public);
        self
    }

    /// Adds a [visibility filter](Self::add_visibility_filter).
    #[must_use]
    pub fn with_visibility_filter(
        mut self,
        filter: impl Fn(&dyn NodeTree, Option<PeerId>) -> bool + 'static,
    ) -> Self {
        self.add_visibility_filter(filter);
        self
    }

    /// Sets the [visibility update mode](Self::set_visibility_update_mode).
    #[must_use]
    pub fn with_visibility_update_mode(mut self, mode: VisibilityUpdateMode) -> Self {
        self.set_visibility_update_mode(mode);
        self
    }

    /// Enables [signals](Self::set_signals).
    #[must_use]
    pub fn with_signals(mut self) -> Self {
        self.set_signals(true);
        self
    }

    /// Sets the path of the node to which property paths are relative. The path is relative to the
    /// synchronizer (default: `..`).
    pub fn set_root_path(&mut self, path: &str) {
        path.clone_into(&mut self.root_path);
        self.pending.note(Change::Content);
    }

    /// Sets the properties to send. All peers must set the same configuration.
    pub fn set_replication_config(&mut self, config: ReplicationConfig) {
        self.config = config;
        self.pending.note(Change::Content);
    }

    /// Sets the minimum time between two packets of `Always` properties, in whole microseconds
    /// (default: zero, at every tick).
    pub fn set_replication_interval(&mut self, interval: Duration) {
        self.replication_interval = whole_micros(interval);
        self.pending.note(Change::Timing);
    }

    /// Sets the minimum time between two packets of changed properties for one peer, in whole
    /// microseconds (default: zero, at every tick).
    pub fn set_delta_interval(&mut self, interval: Duration) {
        self.delta_interval = whole_micros(interval);
        self.pending.note(Change::Timing);
    }

    /// Sets when filters are called again (default: at every tick, once per filter and peer).
    pub fn set_visibility_update_mode(&mut self, mode: VisibilityUpdateMode) {
        self.update_mode = mode;
        self.pending.note(Change::Timing);
    }

    /// Sets whether the synchronizer is visible to all peers, unless a filter refuses (default:
    /// yes).
    #[doc(alias = "set_visibility_public")]
    pub fn set_public_visibility(&mut self, public: bool) {
        let visibility = Rc::make_mut(&mut self.visibility);
        if std::mem::replace(&mut visibility.public, public) != public {
            self.update_visibility(None);
        }
    }

    /// Sets whether the synchronizer is visible to `peer` if it is not public. The setting also
    /// applies to peers that connect later.
    pub fn set_visibility_for(&mut self, peer: PeerId, visible: bool) {
        let listed = &mut Rc::make_mut(&mut self.visibility).listed;
        let changed = if visible { listed.insert(peer) } else { listed.remove(&peer) };
        if changed {
            self.update_visibility(Some(peer));
        }
    }

    /// Adds a filter, which returns whether the synchronizer is visible to a peer. It may read the
    /// nodes of the tree, except one whose method is running:
    ///
    /// ```
    /// use mp_scene::prelude::*;
    /// # struct Player { team: i64 }
    /// # impl Node for Player {}
    ///
    /// // Visible to the players of team 1; the node of a player is named like its peer.
    /// let sync = MultiplayerSynchronizer::default().with_visibility_filter(|tree, peer| {
    ///     peer.is_some_and(|peer| {
    ///         let player = tree.node::<Player>(&format!("Players/{peer}"));
    ///         player.and_then(|player| tree.get(player)).is_ok_and(|player| player.team == 1)
    ///     })
    /// });
    /// ```
    ///
    /// It is also called with `None`, for all peers: if every filter then returns true and the
    /// synchronizer is public, it becomes visible at once to all peers that do not see it yet.
    pub fn add_visibility_filter(
        &mut self,
        filter: impl Fn(&dyn NodeTree, Option<PeerId>) -> bool + 'static,
    ) -> FilterId {
        let id = Rc::make_mut(&mut self.visibility).add_filter(filter);
        self.pending.note(Change::Timing);
        id
    }

    /// Removes a filter. Returns whether it existed. Visibility changes at the next update.
    pub fn remove_visibility_filter(&mut self, filter: FilterId) -> bool {
        self.pending.note(Change::Timing);
        Rc::make_mut(&mut self.visibility).remove_filter(filter)
    }

    /// Updates the visibility to `peer`, or to all peers if `None`.
    pub fn update_visibility(&mut self, peer: Option<PeerId>) {
        self.pending.note(Change::Visibility(peer));
    }

    /// Sets whether [`Signal::Synchronized`](crate::Signal::Synchronized),
    /// [`Signal::DeltaSynchronized`](crate::Signal::DeltaSynchronized) and
    /// [`Signal::VisibilityChanged`](crate::Signal::VisibilityChanged) are emitted (default: no,
    /// since a thousand synchronizers at 60 Hz would emit 60,000 signals per second).
    pub fn set_signals(&mut self, on: bool) {
        self.signals = on;
        self.pending.note(Change::Timing);
    }

    /// Returns the path of the node to which property paths are relative.
    #[doc(alias = "get_root_path")]
    pub fn root_path(&self) -> &str {
        &self.root_path
    }

    /// Returns the properties to send.
    #[doc(alias = "get_replication_config")]
    pub fn replication_config(&self) -> &ReplicationConfig {
        &self.config
    }

    /// Returns the minimum time between two packets of `Always` properties.
    #[doc(alias = "get_replication_interval")]
    pub fn replication_interval(&self) -> Duration {
        self.replication_interval
    }

    /// Returns the minimum time between two packets of changed properties for one peer.
    #[doc(alias = "get_delta_interval")]
    pub fn delta_interval(&self) -> Duration {
        self.delta_interval
    }

    /// Returns when filters are called again.
    #[doc(alias = "get_visibility_update_mode")]
    pub fn visibility_update_mode(&self) -> VisibilityUpdateMode {
        self.update_mode
    }

    /// Returns whether the synchronizer is visible to all peers, unless a filter refuses.
    pub fn is_visibility_public(&self) -> bool {
        self.visibility.public
    }

    /// Returns the value that [`set_visibility_for`](Self::set_visibility_for) set, regardless of
    /// filters and public visibility.
    #[doc(alias = "get_visibility_for")]
    pub fn visibility_for(&self, peer: PeerId) -> bool {
        self.visibility.listed.contains(&peer)
    }

    /// Returns whether signals are emitted.
    pub fn has_signals(&self) -> bool {
        self.signals
    }

    /// Returns the visibility, to evaluate it with the tree that contains the synchronizer.
    pub(crate) fn visibility(&self) -> Rc<Visibility> {
        Rc::clone(&self.visibility)
    }

    /// Returns whether filters are called at every tick.
    pub(crate) fn has_filters_each_tick(&self) -> bool {
        self.visibility.has_filters() && self.update_mode != VisibilityUpdateMode::None
    }

    pub(crate) fn follow(&mut self, node: NodeId, inbox: &Inbox) {
        self.pending.follow(node, inbox);
    }

    pub(crate) fn unfollow(&mut self) {
        self.pending.unfollow();
    }

    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        self.pending.take()
    }
}

impl Node for MultiplayerSynchronizer {
    fn as_synchronizer(&mut self) -> Option<&mut Self> {
        Some(self)
    }
}

impl Default for MultiplayerSynchronizer {
    fn default() -> Self {
        Self::new(ReplicationConfig::new())
    }
}

impl fmt::Debug for MultiplayerSynchronizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultiplayerSynchronizer")
            .field("root_path", &self.root_path)
            .field("config", &self.config)
            .field("visibility", &self.visibility)
            .finish_non_exhaustive()
    }
}

fn whole_micros(interval: Duration) -> Duration {
    Duration::from_micros(interval.as_micros().try_into().unwrap_or(u64::MAX))
}
