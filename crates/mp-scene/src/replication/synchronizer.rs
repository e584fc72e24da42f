//! The node that sends properties.
#![expect(clippy::exhaustive_enums, reason = "Godot lists the modes")]

use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use mp_core::PeerId;

use super::{Inbox, Pending, ReplicationConfig};
use crate::tree::{Node, NodeId};

/// Sends properties of the nodes around it from its authority (peer 1 unless set) to all who may see them.
///
/// Who may see is settled for each peer: every [filter](Self::add_visibility_filter) must agree, and then the synchronizer must be
/// [public](Self::set_public_visibility) or the peer [listed](Self::set_visibility_for). A node that a spawner announces is there for
/// whoever may see any of the synchronizers below it that the spawner's authority has, and for everyone when there is none.
///
/// ```
/// use mp_scene::prelude::*;
/// use std::time::Duration;
///
/// let config = ReplicationConfig::new().always(".:position").on_change(".:health");
/// let sync = MultiplayerSynchronizer::new(config).replication_interval(Duration::from_millis(50)).public_visibility(false);
/// assert_eq!(sync.root_path(), "..");
/// ```
pub struct MultiplayerSynchronizer {
    root_path: String,
    config: ReplicationConfig,
    replication_interval: Duration,
    delta_interval: Duration,
    update_mode: VisibilityUpdateMode,
    public: bool,
    listed: BTreeSet<PeerId>,
    filters: Vec<(FilterId, Filter)>,
    last_filter: u32,
    signals: bool,
    pending: Pending<Change>,
}

type Filter = Rc<dyn Fn(Option<PeerId>) -> bool>;

/// When the filters of a synchronizer are asked again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum VisibilityUpdateMode {
    /// At every tick (0), as Godot does in its idle frames.
    #[default]
    Idle = 0,
    /// At every tick (1); Godot does it in its physics frames, of which mp's ticks are the like.
    Physics = 1,
    /// When [`MultiplayerSynchronizer::update_visibility`] is called (2).
    None = 2,
}

/// A filter of a synchronizer, to remove it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FilterId(u32);

/// What has changed in the settings of a synchronizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// What it sends: it begins anew.
    Content,
    /// How often it sends, whether it signals, when filters are asked.
    Timing,
    /// Who may see it: a peer, or everyone.
    Visibility(Option<PeerId>),
}

impl MultiplayerSynchronizer {
    /// One that sends what `config` says of the node above it, to everyone.
    pub fn new(config: ReplicationConfig) -> Self {
        Self {
            root_path: "..".to_owned(),
            config,
            replication_interval: Duration::ZERO,
            delta_interval: Duration::ZERO,
            update_mode: VisibilityUpdateMode::default(),
            public: true,
            listed: BTreeSet::new(),
            filters: Vec::new(),
            last_filter: 0,
            signals: false,
            pending: Pending::default(),
        }
    }

    /// With another [root](Self::set_root_path).
    #[must_use]
    pub fn with_root_path(mut self, path: &str) -> Self {
        self.set_root_path(path);
        self
    }

    /// With a [replication interval](Self::set_replication_interval).
    #[must_use]
    pub fn replication_interval(mut self, interval: Duration) -> Self {
        self.set_replication_interval(interval);
        self
    }

    /// With a [delta interval](Self::set_delta_interval).
    #[must_use]
    pub fn delta_interval(mut self, interval: Duration) -> Self {
        self.set_delta_interval(interval);
        self
    }

    /// Public or not: see [`set_public_visibility`](Self::set_public_visibility).
    #[must_use]
    pub fn public_visibility(mut self, public: bool) -> Self {
        self.set_public_visibility(public);
        self
    }

    /// With a filter that stays: see [`add_visibility_filter`](Self::add_visibility_filter).
    #[must_use]
    pub fn visibility_filter(mut self, filter: impl Fn(Option<PeerId>) -> bool + 'static) -> Self {
        self.add_visibility_filter(filter);
        self
    }

    /// With a [visibility update mode](Self::set_visibility_update_mode).
    #[must_use]
    pub fn visibility_update_mode(mut self, mode: VisibilityUpdateMode) -> Self {
        self.set_visibility_update_mode(mode);
        self
    }

    /// With [signals](Self::set_signals).
    #[must_use]
    pub fn signals(mut self) -> Self {
        self.set_signals(true);
        self
    }

    /// Sets the path of the node that its property paths begin at, relative to itself (default: `..`).
    pub fn set_root_path(&mut self, path: &str) {
        path.clone_into(&mut self.root_path);
        self.pending.note(Change::Content);
    }

    /// Sets what it sends; the other sides must have the same.
    pub fn set_replication_config(&mut self, config: ReplicationConfig) {
        self.config = config;
        self.pending.note(Change::Content);
    }

    /// Sets the least time between two packets of the always properties (default: zero, at every tick), in whole microseconds.
    pub fn set_replication_interval(&mut self, interval: Duration) {
        self.replication_interval = whole_micros(interval);
        self.pending.note(Change::Timing);
    }

    /// Sets the least time between two packets of changes for one peer (default: zero, at every tick), in whole microseconds.
    pub fn set_delta_interval(&mut self, interval: Duration) {
        self.delta_interval = whole_micros(interval);
        self.pending.note(Change::Timing);
    }

    /// Sets when filters are asked again (default: at every tick, which costs a call per filter and peer each time).
    pub fn set_visibility_update_mode(&mut self, mode: VisibilityUpdateMode) {
        self.update_mode = mode;
        self.pending.note(Change::Timing);
    }

    /// Whether everyone may see it that its filters let (default: yes).
    #[doc(alias = "set_visibility_public")]
    pub fn set_public_visibility(&mut self, public: bool) {
        if std::mem::replace(&mut self.public, public) != public {
            self.update_visibility(None);
        }
    }

    /// Whether `peer` may see it when it is not public. Ids of peers that are not there are remembered.
    pub fn set_visibility_for(&mut self, peer: PeerId, visible: bool) {
        let changed = if visible { self.listed.insert(peer) } else { self.listed.remove(&peer) };
        if changed {
            self.update_visibility(Some(peer));
        }
    }

    /// Adds a condition. It is asked for a peer, and for `None`, which is everybody: true there makes it public at once for those that
    /// do not see it yet.
    pub fn add_visibility_filter(
        &mut self,
        filter: impl Fn(Option<PeerId>) -> bool + 'static,
    ) -> FilterId {
        self.last_filter += 1;
        let id = FilterId(self.last_filter);
        self.filters.push((id, Rc::new(filter)));
        self.pending.note(Change::Timing);
        id
    }

    /// Removes a condition; whether it was there. As when one is added, who sees it is settled anew with the next update.
    pub fn remove_visibility_filter(&mut self, filter: FilterId) -> bool {
        let before = self.filters.len();
        self.filters.retain(|(id, _)| *id != filter);
        self.pending.note(Change::Timing);
        self.filters.len() < before
    }

    /// Settles anew whether `peer`, or with `None` everyone, may see it.
    pub fn update_visibility(&mut self, peer: Option<PeerId>) {
        self.pending.note(Change::Visibility(peer));
    }

    /// Whether [`Signal::Synchronized`](crate::Signal::Synchronized), [`Signal::DeltaSynchronized`](crate::Signal::DeltaSynchronized)
    /// and [`Signal::VisibilityChanged`](crate::Signal::VisibilityChanged) are emitted (default: no, as a thousand nodes at 60 Hz
    /// would make 60,000 signals a second).
    pub fn set_signals(&mut self, on: bool) {
        self.signals = on;
        self.pending.note(Change::Timing);
    }

    /// The path of the node that its property paths begin at.
    #[doc(alias = "get_root_path")]
    pub fn root_path(&self) -> &str {
        &self.root_path
    }

    /// What it sends.
    #[doc(alias = "get_replication_config")]
    pub fn replication_config(&self) -> &ReplicationConfig {
        &self.config
    }

    /// Least time between two packets of the always properties.
    #[doc(alias("get_replication_interval", "replication_interval"))]
    pub fn interval(&self) -> Duration {
        self.replication_interval
    }

    /// Least time between two packets of changes for one peer.
    #[doc(alias("get_delta_interval", "delta_interval"))]
    pub fn interval_of_deltas(&self) -> Duration {
        self.delta_interval
    }

    /// When filters are asked again.
    #[doc(alias("get_visibility_update_mode", "visibility_update_mode"))]
    pub fn update_mode(&self) -> VisibilityUpdateMode {
        self.update_mode
    }

    /// Whether everyone may see it that its filters let.
    pub fn is_visibility_public(&self) -> bool {
        self.public
    }

    /// Whether `peer` is listed; what [`set_visibility_for`](Self::set_visibility_for) set, and nothing else.
    #[doc(alias = "get_visibility_for")]
    pub fn visibility_for(&self, peer: PeerId) -> bool {
        self.listed.contains(&peer)
    }

    /// Whether it signals.
    pub fn has_signals(&self) -> bool {
        self.signals
    }

    /// Whether `peer` may see it; with `None`, whether everybody may.
    pub(crate) fn is_visible_to(&self, peer: Option<PeerId>) -> bool {
        self.filters.iter().all(|(_, filter)| filter(peer))
            && (self.public || peer.is_some_and(|peer| self.listed.contains(&peer)))
    }

    /// Whether its filters are to be asked at every tick.
    pub(crate) fn is_asked_each_tick(&self) -> bool {
        !self.filters.is_empty() && self.update_mode != VisibilityUpdateMode::None
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
            .field("public", &self.public)
            .field("listed", &self.listed)
            .field("filters", &self.filters.len())
            .finish_non_exhaustive()
    }
}

fn whole_micros(interval: Duration) -> Duration {
    Duration::from_micros(interval.as_micros().try_into().unwrap_or(u64::MAX))
}
