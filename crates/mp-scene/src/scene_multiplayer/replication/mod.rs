//! The replication of nodes and their properties (Godot: `SceneReplicationInterface`).
//!
//! * `tree_changes` applies changes of the tree: added and removed synchronizers and, with
//!   `spawners`, spawners and the nodes that they announce;
//! * `visibility` decides which peers see an entity or synchronizer;
//! * `announce` sends SPAWN and DESPAWN;
//! * `step` sends SYNC and DELTA, which `sync` and `delta` encode;
//! * `hand_over` sends the last state of a synchronizer whose authority changes;
//! * `receive` handles SPAWN and DESPAWN of peers, `elements` SYNC and DELTA;
//! * `peers` begins and ends the sessions of peers;
//! * `moves` despawns everything on a peer that moves to another branch;
//! * `renamed` announces the new paths of renamed nodes;
//! * `targets` resolves the property paths of synchronizers;
//! * `accounting` counts what synchronizers and spawned nodes send and receive;
//! * `inspect` copies synchronizers and spawned nodes as text;
//! * `synchronizers` stores the synchronizers, `state` is one of them.
//!
//! Decisions are stored: the viewers of each synchronizer, the synchronizers of each peer, and a
//! plan of what each peer is sent at every step. Peers with the same plan share the packets of a
//! step. So the overhead of a step depends only on what is sent and what has changed.

mod accounting;
mod announce;
mod delta;
mod elements;
mod errors;
mod hand_over;
mod inspect;
mod moves;
mod peers;
mod receive;
mod renamed;
mod spawners;
mod state;
mod step;
mod sync;
mod synchronizers;
mod targets;
#[cfg(test)]
mod tests;
mod tree_changes;
mod visibility;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use indexmap::{IndexMap, IndexSet};
use mp_core::{Instant, PeerId, Variant};
use rustc_hash::FxBuildHasher;
use slotmap::DefaultKey as Key;

use super::events::Events;
use super::paths::Paths;
use super::sender::Sender;
use super::traffic::Traffic;
use super::{GodotQuirks, Refusals};
use crate::ids::{IdBlocks, IdCounter};
use crate::property::DirtyList;
use crate::replication::Inbox;
use crate::tree::{NodeId, NodeTree};
use delta::Deltas;
use errors::Errors;
use sync::{Plan, Syncs};
use synchronizers::Synchronizers;

/// Default maximum size of a SYNC packet in bytes, as in Godot; it fits a datagram.
const SYNC_PACKET_MAX: usize = 1350;

/// Default maximum size of a DELTA packet in bytes, as in Godot.
const DELTA_PACKET_MAX: usize = 65_535;

/// The spawners, entities, synchronizers and peers of a branch.
#[derive(Debug)]
pub(super) struct Replication {
    spawners: IndexMap<NodeId, Spawner>,
    /// The spawners of each spawn parent.
    spawn_parents: HashMap<NodeId, Vec<NodeId>>,
    /// Spawners whose spawn path leads to no node.
    orphans: IndexSet<NodeId>,
    entities: IndexMap<NodeId, Entity>,
    synchronizers: Synchronizers,
    /// Synchronizers in Godot's order, in which new peers are sent them: the last one takes the
    /// position of one that is removed.
    by_node: IndexMap<NodeId, Key>,
    peers: IndexMap<PeerId, PeerInfo>,
    net_ids: IdCounter,
    last_order: u64,

    /// Entities to announce, in the order in which they entered the tree.
    ready: IndexSet<NodeId>,
    /// Number of removals of each node that have been read from the tree but not applied yet.
    pending_removals: HashMap<NodeId, usize>,
    /// Own entities that have left the tree in the changes that are being applied. Those that were
    /// moved to another parent are back in the tree.
    moved: Vec<NodeId>,
    /// Admitted peers to which nothing has been announced yet.
    new_peers: Vec<(PeerId, PeerNumbers)>,
    /// Entities of kept peers, which are freed when the peers resume or leave.
    suspended: BTreeMap<PeerId, Vec<NodeId>>,
    /// Nodes to free, which peers that have left had spawned.
    to_free: Vec<NodeId>,
    /// The spawner and the data of each entity that was created from data.
    data: HashMap<NodeId, (NodeId, Variant)>,
    /// The SPAWN that is being applied.
    incoming: Option<IncomingSpawn>,
    errors: Errors,

    /// Nodes whose settings have changed.
    inbox: Inbox,
    /// Nodes to check again at the next update, because one of their methods, or one of the spawner
    /// of the node or of an ancestor, was running.
    busy: IndexSet<NodeId>,
    /// Nodes that were checked out when they were added. They may be spawners or synchronizers.
    unseen: IndexSet<NodeId>,
    /// Synchronizers whose `Replicated` fields have changed.
    dirty: DirtyList,
    /// Own synchronizers with watched fields that cannot report changes.
    polled: KeySet,
    /// For each node on a property path, the synchronizers of such properties.
    path_nodes: HashMap<NodeId, Vec<Key>, FxBuildHasher>,
    /// Scratch buffer, so that a step does not allocate.
    touched: Vec<NodeId>,
    /// Synchronizers with a change that some viewer lacks.
    lagging: KeySet,
    /// Synchronizers whose filters run at each step.
    filtered: KeySet,
    plans: BTreeMap<u64, Rc<Plan>>,
    syncs: Syncs,
    deltas: Deltas,
    /// Scratch buffer for one encoded value, so that a step does not allocate.
    value: BytesMut,
    /// Scratch buffer for the values of a packet, so that a packet does not allocate.
    values: Vec<Variant>,

    sync_packet_max: usize,
    delta_packet_max: usize,
    stats: ReplicationStats,
    refusals: Refusals,
}

/// The parts that a function of the replication uses.
pub(super) struct Context<'a> {
    pub(super) now: Instant,
    /// The id of the local peer.
    pub(super) own: PeerId,
    pub(super) quirks: GodotQuirks,
    pub(super) tree: &'a mut dyn NodeTree,
    pub(super) sender: &'a mut Sender,
    pub(super) paths: &'a mut Paths,
    pub(super) traffic: &'a mut Traffic,
    pub(super) events: &'a mut Events,
}

/// Counters; see [`SceneStats`](crate::SceneStats).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReplicationStats {
    pub(super) refused_announcements: u64,
    pub(super) skipped_steps: u64,
    pub(super) refused_elements: u64,
    pub(super) old_syncs: u64,
    pub(super) moved_packets: u64,
}

/// A set of synchronizers. Their keys are not chosen by peers, so a fast hash is safe.
type KeySet = IndexSet<Key, FxBuildHasher>;

/// A spawner in the tree.
#[derive(Debug, Default)]
struct Spawner {
    /// `None` if the spawn path leads to no node: the spawner is an orphan.
    parent: Option<NodeId>,
    /// Its entities that the local peer announces.
    own: IndexSet<NodeId>,
}

/// A node that a spawner has announced, or the root of synchronizers.
#[derive(Debug, Default)]
struct Entity {
    origin: EntityOrigin,
    /// Assigned with the first announcement; 0 before.
    net_id: u32,
    /// In the order in which they entered the tree.
    synchronizers: Vec<Key>,
    /// The synchronizers of the entity and its descendants, except those in own entities below it.
    contained: KeySet,
    /// The closest own entity above this one. A peer without it cannot have this one.
    outer: Option<NodeId>,
    /// The own entities below this one, in the order in which they entered the tree.
    inner: IndexSet<NodeId>,
    /// The peers to which the entity is announced.
    announced_to: IndexSet<PeerId>,
    /// True if the program was notified that the entity's name cannot be announced.
    reported: bool,
    /// Order in which the entity entered the tree. Entities are announced to new peers in this
    /// order, so that a parent comes before its children.
    order: u64,
}

/// The origin of an entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum EntityOrigin {
    /// Part of the scene on every peer.
    #[default]
    Scene,
    /// Announced by the local peer.
    Own { spawner: NodeId },
    /// Announced by a remote peer.
    Peer { spawner: NodeId, peer: PeerId },
}

/// The replication state of a peer.
#[derive(Debug, Default)]
struct PeerInfo {
    /// True while the existing entities are being announced to the peer.
    is_new: bool,
    /// Own synchronizers that the peer views, in Godot's order: the last one takes the position of
    /// one that is removed.
    synchronizers: KeySet,
    /// Number of the step, which SYNC packets carry.
    time: u16,
    /// Highest net id that the peer has announced, in this branch or an earlier one.
    last_net_id: u32,
    /// Highest net id that the peer had announced when it moved to this branch; 0 if it did not.
    earlier_net_id: u32,
    plan: Option<Rc<Plan>>,
    /// True if some of `synchronizers` are not sent until the peer confirms their paths.
    unconfirmed: bool,
    /// Synchronizers with changes for the peer in this step.
    candidates: Vec<DeltaCandidate>,

    /// The peer's entities by net id.
    entities: BTreeMap<u32, NodeId>,
    by_net_id: BTreeMap<u32, Key>,
}

/// Numbers of a peer that go on when it moves to another branch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PeerNumbers {
    /// Number of the last step that the peer was sent. A Godot client ignores a SYNC with a lower
    /// one for a node that both branches have.
    pub(super) time: u16,
    /// Highest net id that the peer has announced.
    pub(super) last_net_id: u32,
}

/// A synchronizer with changes for a peer.
#[derive(Clone, Copy, Debug)]
struct DeltaCandidate {
    /// Index in the peer's `synchronizers`.
    position: usize,
    key: Key,
    /// Index of the peer in the synchronizer's viewers.
    viewer: usize,
}

/// A SPAWN while its nodes enter the tree.
#[derive(Debug)]
struct IncomingSpawn {
    sender: PeerId,
    entity: NodeId,
    ids: VecDeque<u32>,
    state: Bytes,
    /// False after a part of the state could not be decoded.
    readable: bool,
    /// Number of synchronizers of the entity and the sender for which the SPAWN had no net id.
    without_id: usize,
}

impl Default for Replication {
    fn default() -> Self {
        Self {
            spawners: IndexMap::new(),
            spawn_parents: HashMap::new(),
            orphans: IndexSet::new(),
            entities: IndexMap::new(),
            synchronizers: Synchronizers::default(),
            by_node: IndexMap::new(),
            peers: IndexMap::new(),
            net_ids: IdCounter::default(),
            last_order: 0,
            ready: IndexSet::new(),
            pending_removals: HashMap::new(),
            moved: Vec::new(),
            new_peers: Vec::new(),
            suspended: BTreeMap::new(),
            to_free: Vec::new(),
            data: HashMap::new(),
            incoming: None,
            errors: Errors::default(),
            inbox: Inbox::default(),
            busy: IndexSet::new(),
            unseen: IndexSet::new(),
            dirty: DirtyList::default(),
            polled: KeySet::default(),
            path_nodes: HashMap::default(),
            touched: Vec::new(),
            lagging: KeySet::default(),
            filtered: KeySet::default(),
            plans: BTreeMap::new(),
            syncs: Syncs::default(),
            deltas: Deltas::default(),
            value: BytesMut::new(),
            values: Vec::new(),
            sync_packet_max: SYNC_PACKET_MAX,
            delta_packet_max: DELTA_PACKET_MAX,
            stats: ReplicationStats::default(),
            refusals: Refusals::default(),
        }
    }
}

impl Replication {
    pub(super) fn set_sync_packet_max(&mut self, size: usize) {
        self.sync_packet_max = size;
    }

    pub(super) fn set_delta_packet_max(&mut self, size: usize) {
        self.delta_packet_max = size;
    }

    /// Forgets the rows of the accounting, which has ended.
    pub(super) fn forget_rows(&mut self) {
        self.synchronizers.values_mut().for_each(|synchronizer| synchronizer.rows = None);
    }

    /// Returns the maximum size of a SYNC packet in bytes.
    pub(super) fn sync_packet_max(&self) -> usize {
        self.sync_packet_max
    }

    /// Returns the maximum size of a DELTA packet in bytes.
    pub(super) fn delta_packet_max(&self) -> usize {
        self.delta_packet_max
    }

    pub(super) fn stats(&self) -> ReplicationStats {
        self.stats
    }

    pub(super) fn oversized_states(&self) -> u64 {
        self.errors.oversized_states()
    }

    pub(super) fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Returns whether steps have anything to do.
    pub(super) fn wants_steps(&self) -> bool {
        !self.peers.is_empty() && self.peers.values().any(|info| !info.synchronizers.is_empty())
            || !self.filtered.is_empty()
    }

    /// Draws net ids from `blocks`.
    pub(super) fn set_id_blocks(&mut self, blocks: IdBlocks) {
        self.net_ids.set_blocks(blocks);
    }
}
