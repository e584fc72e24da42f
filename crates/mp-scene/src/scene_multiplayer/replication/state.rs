//! The state of one synchronizer: its properties, its viewers, and what they have been sent.

mod set;

use std::any::Any;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use indexmap::IndexMap;
use mp_core::variant::StringName;
use mp_core::{Instant, NodePath, PeerId, Variant, VariantType};

use super::super::traffic::SynchronizerRows;
use crate::codec::godot::compressed::decode_compressed;
use crate::codec::{Limits, Objects};
use crate::property::{Accessor, Attached, Mark, PropertyError, component};
use crate::replication::MultiplayerSynchronizer;
use crate::tree::{NodeId, NodeTree};
pub(super) use set::set_state;

#[derive(Debug)]
pub(super) struct Synchronizer {
    pub(super) node: NodeId,
    /// The synchronizer's root.
    pub(super) entity: NodeId,
    /// The own entities that are or contain the synchronizer or its root.
    pub(super) enclosing: Vec<NodeId>,
    pub(super) authority: PeerId,
    /// The net id from a SPAWN, of the local peer or of the authority, or the path id with bit 31
    /// set; 0 before. It does not change: a synchronizer that some peers know by its path is sent
    /// by its path to all, as in Godot.
    pub(super) net_id: u32,
    /// The net id in the SPAWN of a peer. It stays while the synchronizer is in the tree.
    pub(super) announced_id: Option<(PeerId, u32)>,
    pub(super) spawned: Vec<Property>,
    pub(super) synced: Vec<Property>,
    pub(super) watched: Vec<Watched>,
    pub(super) interval: Duration,
    pub(super) delta_interval: Duration,
    pub(super) signals: bool,
    /// True if the synchronizer cannot be sent as it is configured.
    pub(super) refused: bool,
    /// True if the program was notified that the synchronizer cannot be sent.
    pub(super) reported: bool,
    /// True if the program was notified that a change is too large since one was last sent.
    pub(super) change_reported: bool,

    /// The peers that are sent the synchronizer.
    pub(super) viewers: IndexMap<PeerId, Viewer>,
    pub(super) last_sync: Option<Instant>,
    pub(super) last_watch: Option<Instant>,
    /// Number of viewers that lack a change.
    pub(super) viewers_behind: usize,
    /// Earliest time at which a viewer is due for changes; `None` if one may be due now.
    pub(super) next_delta: Option<Instant>,
    pub(super) last_change: Option<Instant>,
    /// The time of the last accepted SYNC.
    pub(super) received_time: Option<u16>,
    pub(super) mark: Option<Mark>,
    /// True if a watched property cannot report its changes.
    pub(super) has_plain: bool,
    /// The existing nodes on the paths of the properties.
    pub(super) path_nodes: Vec<NodeId>,
    /// The number of the step that last encoded the element, and the position of the element.
    pub(super) element: (u64, Option<Range<usize>>),
    /// The rows of the accounting, while there is one.
    pub(super) rows: Option<Box<SynchronizerRows>>,
}

/// The state of one viewer of a synchronizer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Viewer {
    /// Index of the synchronizer among those of the peer.
    pub(super) position: usize,
    /// The time of the last DELTA with the synchronizer; `None` before the first one.
    pub(super) last: Option<Instant>,
}

/// The node of a property path and the accessor of the property, or the reason why there is none.
type PropertyTarget = Result<(NodeId, Rc<dyn Accessor>), PropertyError>;

/// A property that a synchronizer replicates.
pub(super) struct Property {
    path: NodePath,
    /// The part of `path` that names the node.
    names: String,
    target: PropertyTarget,
    /// True if the program was notified that the property cannot be read.
    reported: bool,
    components: Vec<StringName>,
}

/// A property that is sent when it changes.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) property: Property,
    /// The last sent value.
    pub(super) encoded: Vec<u8>,
    pub(super) changed: Option<Instant>,
}

impl Synchronizer {
    /// Returns the state of the synchronizer at `node`. Its properties are looked up by
    /// [`resolve`](Self::resolve).
    pub(super) fn new(
        node: NodeId,
        entity: NodeId,
        authority: PeerId,
        settings: &MultiplayerSynchronizer,
    ) -> Self {
        let config = settings.replication_config();
        let watched = |path: &NodePath| Watched {
            property: Property::new(path),
            encoded: Vec::new(),
            changed: None,
        };
        Self {
            node,
            entity,
            enclosing: Vec::new(),
            authority,
            net_id: 0,
            announced_id: None,
            spawned: config.spawned().map(Property::new).collect(),
            synced: config.synced().map(Property::new).collect(),
            watched: config.watched().map(watched).collect(),
            interval: settings.replication_interval(),
            delta_interval: settings.delta_interval(),
            signals: settings.has_signals(),
            refused: false,
            reported: false,
            change_reported: false,
            viewers: IndexMap::new(),
            last_sync: None,
            last_watch: None,
            viewers_behind: 0,
            next_delta: None,
            last_change: None,
            received_time: None,
            mark: None,
            has_plain: false,
            path_nodes: Vec::new(),
            element: (0, None),
            rows: None,
        }
    }

    /// Resets the state of the session: nothing has been sent or received.
    pub(super) fn restart(&mut self) {
        (self.net_id, self.announced_id) = (0, None);
        self.viewers.clear();
        (self.last_sync, self.last_watch, self.next_delta) = (None, None, None);
        (self.last_change, self.received_time) = (None, None);
        for watched in &mut self.watched {
            watched.changed = None;
        }
    }

    /// Ends the session of a peer, whose SYNC times start again. (A synchronizer that the peer
    /// spawned is removed with its entity.)
    pub(super) fn forget_peer(&mut self, peer: PeerId) {
        self.viewers.swap_remove(&peer);
        if self.authority == peer {
            self.received_time = None;
        }
    }

    /// Looks up the nodes and properties of the paths; returns the first error. A watched property
    /// whose node is another one than before counts as changed.
    pub(super) fn resolve(&mut self, tree: &dyn NodeTree) -> Result<(), (String, PropertyError)> {
        let (entity, around) = (self.entity, &mut self.path_nodes);
        around.clear();
        let mut first = Ok(());
        let mut note = |property: &mut Property| {
            if let Err(error) = &property.target
                && first.is_ok()
            {
                property.reported = true;
                first = Err((property.path.to_string(), error.clone()));
            }
        };
        for property in self.spawned.iter_mut().chain(&mut self.synced) {
            property.resolve(tree, entity, around);
            note(property);
        }
        for watched in &mut self.watched {
            if watched.property.resolve(tree, entity, around) {
                watched.changed = None;
            }
            note(&mut watched.property);
        }
        first
    }

    /// Compares the watched properties with the last sent values, once per step. All properties
    /// count as changed at the first comparison. Returns properties that cannot be read, each once.
    pub(super) fn watch(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        objects: Objects,
        scratch: &mut BytesMut,
    ) -> Vec<(String, PropertyError)> {
        self.last_watch = Some(now);
        let mut failed = Vec::new();
        for watched in &mut self.watched {
            scratch.clear();
            let property = &mut watched.property;
            if let Err(error) = property.encode(tree, objects, scratch) {
                if !std::mem::replace(&mut property.reported, true) {
                    failed.push((property.path.to_string(), error));
                }
                continue;
            }
            property.reported = false;
            if watched.changed.is_none() || !is_same(&watched.encoded, scratch) {
                watched.encoded.clear();
                watched.encoded.extend_from_slice(scratch);
                watched.changed = Some(now);
                self.last_change = Some(now);
            }
        }
        failed
    }

    /// Returns whether a method runs on a node whose properties are read.
    pub(super) fn is_busy(&self, tree: &mut dyn NodeTree) -> bool {
        let watched = self.watched.iter().map(|watched| &watched.property);
        let mut nodes = self.synced.iter().chain(watched).filter_map(Property::node);
        nodes.any(|node| tree.name_of(node).is_some() && tree.object_mut(node).is_none())
    }

    /// Returns whether a property has changed after `since`; `None`: at any time.
    pub(super) fn has_changed(&self, since: Option<Instant>) -> bool {
        self.last_change.is_some_and(|change| since.is_none_or(|since| change > since))
    }

    /// Returns the mask and the encoded size of the properties that have changed after `since`.
    pub(super) fn changes(&self, since: Option<Instant>) -> (u64, usize) {
        let (mut mask, mut size) = (0, 0);
        for (bit, watched) in self.watched.iter().enumerate() {
            if watched.changed.is_some_and(|change| since.is_none_or(|since| change > since)) {
                mask |= 1 << bit;
                size += watched.encoded.len();
            }
        }
        (mask, size)
    }

    /// Returns the encoded values of the properties in `mask`, in order.
    pub(super) fn values(&self, mask: u64) -> impl Iterator<Item = &[u8]> {
        let watched = self.watched.iter().enumerate();
        watched.filter(move |(bit, _)| mask & (1 << bit) != 0).map(|(_, w)| w.encoded.as_slice())
    }
}

impl Property {
    fn new(path: &NodePath) -> Self {
        let components = path.subnames().iter().skip(1).cloned().collect();
        let names = path.concatenated_names();
        let names = if names.is_empty() { ".".to_owned() } else { names.to_string() };
        let target = Err(PropertyError::Unreachable);
        Self { path: path.clone(), names, target, reported: false, components }
    }

    pub(super) fn path(&self) -> &NodePath {
        &self.path
    }

    /// Looks up the node and the property, and adds the nodes on the path to `around`. Returns true
    /// if the node is not the same as before, or is absent.
    fn resolve(&mut self, tree: &dyn NodeTree, entity: NodeId, around: &mut Vec<NodeId>) -> bool {
        let before = self.node();
        let mut node = Some(entity);
        let steps = self.names.match_indices('/').map(|(end, _)| end).filter(|&end| end > 0);
        for end in steps.chain([self.names.len()]) {
            around.extend(node.filter(|node| !around.contains(node)));
            node = node.and_then(|_| tree.find_from(entity, &self.names[..end]));
        }
        around.extend(node.filter(|node| !around.contains(node)));
        let node = node.ok_or(PropertyError::Unreachable);
        self.target = node.and_then(|node| self.property_of(tree, node));
        let is_same = before.is_some() && before == self.node();
        if !is_same {
            self.reported = false;
        }
        !is_same
    }

    /// Returns the accessor of the property for `node`.
    fn property_of(&self, tree: &dyn NodeTree, node: NodeId) -> PropertyTarget {
        let name = self.path.subnames().first().ok_or(PropertyError::NoProperty)?;
        let accessor = tree.property(node, name).ok_or(PropertyError::NoProperty)?;
        Ok((node, accessor))
    }

    fn node(&self) -> Option<NodeId> {
        self.target.as_ref().ok().map(|(node, _)| *node)
    }

    /// Returns whether both name the same property of the same node.
    pub(super) fn is_same_field(&self, other: &Self) -> bool {
        self.node() == other.node() && self.path.subnames().first() == other.path.subnames().first()
    }

    /// Returns the object that has the property, and the accessor of the property.
    fn object<'t>(
        &self,
        tree: &'t mut dyn NodeTree,
    ) -> Result<(&'t mut dyn Any, Rc<dyn Accessor>), PropertyError> {
        let (node, accessor) = self.target.as_ref().map_err(Clone::clone)?;
        let object = tree.object_mut(*node).ok_or(PropertyError::Unreachable)?;
        Ok((object, Rc::clone(accessor)))
    }

    /// Appends the encoded value.
    pub(super) fn encode(
        &self,
        tree: &mut dyn NodeTree,
        objects: Objects,
        out: &mut BytesMut,
    ) -> Result<(), PropertyError> {
        if self.components.is_empty() {
            let (object, accessor) = self.object(tree)?;
            return accessor.encode(object, objects, out);
        }
        let value = self.read(tree)?;
        crate::codec::godot::compressed::encode_compressed(&value, objects, out)?;
        Ok(())
    }

    /// Returns the value.
    pub(super) fn read(&self, tree: &mut dyn NodeTree) -> Result<Variant, PropertyError> {
        let (object, accessor) = self.object(tree)?;
        let value = accessor.read(object)?;
        self.components.iter().try_fold(value, |value, name| {
            component(&value, name).ok_or_else(|| PropertyError::NoComponent(name.to_string()))
        })
    }

    /// Attaches `mark`, with which the property reports changes; `None` if its object cannot be
    /// borrowed.
    pub(super) fn attach(
        &self,
        tree: &mut dyn NodeTree,
        mark: &Mark,
        force: bool,
    ) -> Option<Attached> {
        if self.target.is_err() {
            // The path is resolved again when the tree changes.
            return Some(Attached::Kept);
        }
        let (object, accessor) = self.object(tree).ok()?;
        let is_whole = self.components.is_empty();
        Some(if is_whole { accessor.attach(object, mark, force) } else { Attached::Plain })
    }
}

impl std::fmt::Debug for Property {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.path.fmt(f)
    }
}

/// Returns whether two encoded values are equal in Godot. Values of different bytes may be equal,
/// for example `0.0` and `-0.0`.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a == b {
        return true;
    }
    let exact = |bytes: &[u8]| {
        let of = u32::from(bytes.first().copied().unwrap_or(0) & 0x3f);
        of == VariantType::Int.number() || of == VariantType::Bool.number()
    };
    if exact(a) || exact(b) {
        return false;
    }
    let limits = Limits { full_objects: Some(|_| true), ..Limits::default() };
    let decode = |mut bytes: &[u8]| decode_compressed(&mut bytes, &limits);
    matches!((decode(a), decode(b)), (Ok(a), Ok(b)) if a == b)
}
