//! One synchronizer: what it sends, to whom, and how far it has come.

use std::any::Any;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use indexmap::IndexMap;
use mp_core::variant::StringName;
use mp_core::{Instant, NodePath, PeerId, Variant, VariantType};

use crate::codec::godot::compressed::decode_compressed;
use crate::codec::{Limits, Objects};
use crate::property::{Accessor, Mark, PropertyError, component, set_component};
use crate::replication::MultiplayerSynchronizer;
use crate::tree::{NodeId, NodeTree};

#[derive(Debug)]
pub(super) struct Synchronizer {
    pub(super) node: NodeId,
    /// Its root.
    pub(super) entity: NodeId,
    /// Entities of this side that it and its root lie in, or are.
    pub(super) inside: Vec<NodeId>,
    pub(super) authority: PeerId,
    /// From an announcement, of this side or of its authority, or with bit 31 its number in the path cache; 0 before either. It stays, so
    /// that one that some know by its path is announced by that to others, as in Godot.
    pub(super) net_id: u32,
    pub(super) spawned: Vec<Property>,
    pub(super) synced: Vec<Property>,
    pub(super) watched: Vec<Watched>,
    pub(super) interval: Duration,
    pub(super) delta_interval: Duration,
    pub(super) signals: bool,
    /// It cannot be sent as it is.
    pub(super) refused: bool,
    /// That it cannot be sent has been said.
    pub(super) reported: bool,

    /// The peers that may see it.
    pub(super) seen_by: IndexMap<PeerId, Seen>,
    pub(super) last_sync: Option<Instant>,
    pub(super) last_watch: Option<Instant>,
    /// How many peers lack a change.
    pub(super) lacking: usize,
    /// No peer is due for changes before; `None` when one may be due at once.
    pub(super) next_delta: Option<Instant>,
    pub(super) last_change: Option<Instant>,
    /// The time of the last SYNC that was taken.
    pub(super) received_time: Option<u16>,
    pub(super) mark: Option<Mark>,
    /// Where its element lies in the step of this number.
    pub(super) element: (u64, Option<Range<usize>>),
}

/// What a peer that sees a synchronizer has of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Its place among all that the peer is sent.
    pub(super) place: usize,
    /// When the peer was last sent changes of it.
    pub(super) last: Option<Instant>,
}

/// A property of the nodes around a synchronizer.
pub(super) struct Property {
    path: NodePath,
    target: Option<(NodeId, Rc<dyn Accessor>)>,
    components: Vec<StringName>,
}

/// A property that is sent when it has changed.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) property: Property,
    /// As it was last sent.
    pub(super) encoded: Vec<u8>,
    pub(super) changed: Option<Instant>,
}

impl Synchronizer {
    /// What `node` is to do. Its properties are looked up with [`resolve`](Self::resolve).
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
            inside: Vec::new(),
            authority,
            net_id: 0,
            spawned: config.spawned().map(Property::new).collect(),
            synced: config.synced().map(Property::new).collect(),
            watched: config.watched().map(watched).collect(),
            interval: settings.interval(),
            delta_interval: settings.interval_of_deltas(),
            signals: settings.has_signals(),
            refused: false,
            reported: false,
            seen_by: IndexMap::new(),
            last_sync: None,
            last_watch: None,
            lacking: 0,
            next_delta: None,
            last_change: None,
            received_time: None,
            mark: None,
            element: (0, None),
        }
    }

    /// Begins anew: nothing was sent or received yet.
    pub(super) fn restart(&mut self) {
        self.net_id = 0;
        self.seen_by.clear();
        (self.last_sync, self.last_watch, self.next_delta) = (None, None, None);
        (self.last_change, self.received_time) = (None, None);
        for watched in &mut self.watched {
            watched.changed = None;
        }
    }

    /// Looks its properties up.
    pub(super) fn resolve(&mut self, tree: &dyn NodeTree) -> Result<(), (String, PropertyError)> {
        let entity = self.entity;
        let watched = self.watched.iter_mut().map(|watched| &mut watched.property);
        let properties = self.spawned.iter_mut().chain(&mut self.synced).chain(watched);
        for property in properties {
            let result = property.resolve(tree, entity);
            result.map_err(|error| (property.path.to_string(), error))?;
        }
        Ok(())
    }

    /// Compares what it watches with what was last sent, once per step. The first time everything is a change.
    pub(super) fn watch(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        objects: Objects,
        scratch: &mut BytesMut,
    ) -> Result<(), (String, PropertyError)> {
        self.last_watch = Some(now);
        for watched in &mut self.watched {
            scratch.clear();
            let result = watched.property.encode(tree, self.entity, objects, scratch);
            result.map_err(|error| (watched.property.path.to_string(), error))?;
            if watched.changed.is_none() || !is_same(&watched.encoded, scratch) {
                watched.encoded.clear();
                watched.encoded.extend_from_slice(scratch);
                watched.changed = Some(now);
                self.last_change = Some(now);
            }
        }
        Ok(())
    }

    /// Whether something has changed since `since`, or with `None` ever.
    pub(super) fn has_changed(&self, since: Option<Instant>) -> bool {
        self.last_change.is_some_and(|change| since.is_none_or(|since| change > since))
    }

    /// What has changed since `since`: the mask, and the size of the values.
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

    /// The values of `mask`, in order.
    pub(super) fn values(&self, mask: u64) -> impl Iterator<Item = &[u8]> {
        let watched = self.watched.iter().enumerate();
        watched.filter(move |(bit, _)| mask & (1 << bit) != 0).map(|(_, w)| w.encoded.as_slice())
    }
}

impl Property {
    fn new(path: &NodePath) -> Self {
        let components = path.subnames().iter().skip(1).cloned().collect();
        Self { path: path.clone(), target: None, components }
    }

    pub(super) fn path(&self) -> &NodePath {
        &self.path
    }

    fn resolve(&mut self, tree: &dyn NodeTree, entity: NodeId) -> Result<(), PropertyError> {
        let names = self.path.concatenated_names();
        let names = if names.is_empty() { "." } else { &names };
        let node = tree.find_from(entity, names).ok_or(PropertyError::Unreachable)?;
        let name = self.path.subnames().first().ok_or(PropertyError::NoProperty)?;
        let accessor = tree.property(node, name).ok_or(PropertyError::NoProperty)?;
        self.target = Some((node, accessor));
        Ok(())
    }

    /// The object that has it, looked up again when the node has left the tree.
    fn object<'t>(
        &mut self,
        tree: &'t mut dyn NodeTree,
        entity: NodeId,
    ) -> Result<(&'t mut dyn Any, Rc<dyn Accessor>), PropertyError> {
        let stays = self.target.as_ref().is_some_and(|(node, _)| tree.parent_of(*node).is_some());
        if !stays {
            self.resolve(tree, entity)?;
        }
        let (node, accessor) = self.target.as_ref().ok_or(PropertyError::Unreachable)?;
        let object = tree.object_mut(*node).ok_or(PropertyError::Unreachable)?;
        Ok((object, Rc::clone(accessor)))
    }

    /// Appends its value as it travels.
    pub(super) fn encode(
        &mut self,
        tree: &mut dyn NodeTree,
        entity: NodeId,
        objects: Objects,
        out: &mut BytesMut,
    ) -> Result<(), PropertyError> {
        if self.components.is_empty() {
            let (object, accessor) = self.object(tree, entity)?;
            return accessor.encode(object, objects, out);
        }
        let value = self.read(tree, entity)?;
        crate::codec::godot::compressed::encode_compressed(&value, objects, out)?;
        Ok(())
    }

    fn read(&mut self, tree: &mut dyn NodeTree, entity: NodeId) -> Result<Variant, PropertyError> {
        let (object, accessor) = self.object(tree, entity)?;
        let value = accessor.read(object)?;
        self.components.iter().try_fold(value, |value, name| {
            component(&value, name).ok_or_else(|| PropertyError::NoComponent(name.to_string()))
        })
    }

    pub(super) fn write(
        &mut self,
        tree: &mut dyn NodeTree,
        entity: NodeId,
        value: Variant,
    ) -> Result<(), PropertyError> {
        let (object, accessor) = self.object(tree, entity)?;
        if self.components.is_empty() {
            return accessor.write(object, value);
        }
        // From the inside out: each level is set in a copy of the one around it.
        let mut levels = vec![accessor.read(object)?];
        for name in &self.components[..self.components.len() - 1] {
            let inner = component(&levels[levels.len() - 1], name);
            levels.push(inner.ok_or_else(|| PropertyError::NoComponent(name.to_string()))?);
        }
        let whole = self.components.iter().rev().try_fold(value, |value, name| {
            let mut around = levels.pop().unwrap_or_default();
            let set = set_component(&mut around, name, value);
            set.then_some(around).ok_or_else(|| PropertyError::NoComponent(name.to_string()))
        })?;
        accessor.write(object, whole)
    }

    /// Asks it to say by itself when it changes; whether it will.
    pub(super) fn attach(&mut self, tree: &mut dyn NodeTree, entity: NodeId, mark: &Mark) -> bool {
        let Ok((object, accessor)) = self.object(tree, entity) else { return false };
        self.components.is_empty() && accessor.attach(object, mark)
    }
}

impl std::fmt::Debug for Property {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.path.fmt(f)
    }
}

/// Whether two encoded values are equal as Godot sees it, which is not always byte by byte: `0.0` is `-0.0`.
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
