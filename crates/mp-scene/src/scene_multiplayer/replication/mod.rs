//! The replication of nodes and their properties (Godot: `SceneReplicationInterface`).
//!
//! * `follow` keeps up with the tree: synchronizers that come and go, and `spawners` with what they announce;
//! * `visibility` settles who may see what;
//! * `announce` sends SPAWN and DESPAWN, `step` SYNC and DELTA, which `sync` and `delta` make;
//! * `hand_over` sends the last state of what another peer gets authority over;
//! * `receive` accepts SPAWN and DESPAWN of peers, `elements` SYNC and DELTA;
//! * `renamed` announces renamed nodes by their new paths;
//! * `targets` keeps up with what the properties of synchronizers name;
//! * `state` is one synchronizer.
//!
//! What is settled is kept: for each synchronizer the peers that see it and the other way round, and for each peer a plan of what it
//! is sent at every step. Peers with the same plan share the packets of a step. So a step costs what is sent and what has changed.

mod announce;
mod delta;
mod elements;
mod errors;
mod hand_over;
mod receive;
mod renamed;
mod spawners;
mod state;
mod step;
mod sync;
mod targets;
mod tree_changes;
mod visibility;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use indexmap::{IndexMap, IndexSet};
use mp_core::{Instant, PeerId, Variant};
use rustc_hash::FxBuildHasher;
use slotmap::{DefaultKey as Key, SlotMap};

use super::events::Events;
use super::paths::Paths;
use super::sender::Sender;
use super::{GodotQuirks, Refusals};
use crate::property::DirtyList;
use crate::replication::Inbox;
use crate::tree::{NodeId, NodeTree};
use delta::Deltas;
use errors::Errors;
use state::Synchronizer;
use sync::{Plan, Syncs};

/// Largest SYNC in bytes: Godot's default, which fits a datagram.
const SYNC_PACKET_MAX: usize = 1350;

/// Largest DELTA in bytes: Godot's default.
const DELTA_PACKET_MAX: usize = 65_535;

#[derive(Debug)]
pub(super) struct Replication {
    spawners: IndexMap<NodeId, Spawner>,
    /// The spawners of each spawn parent.
    spawn_parents: HashMap<NodeId, Vec<NodeId>>,
    /// Spawners at whose spawn path there is no node.
    orphans: IndexSet<NodeId>,
    entities: IndexMap<NodeId, Entity>,
    synchronizers: Synchronizers,
    /// In Godot's order, in which late joiners are sent them: the last takes the place of one that goes.
    by_node: IndexMap<NodeId, Key>,
    peers: IndexMap<PeerId, PeerInfo>,
    last_net_id: u32,
    last_order: u64,

    /// Entities that are about to be announced, in the order in which they entered.
    ready: IndexSet<NodeId>,
    /// Number of times that each node has left the tree without this having been followed yet.
    leaving: HashMap<NodeId, usize>,
    /// Entities of this side that have left the tree since it was last looked at; those that were taken to another parent are there again.
    moved: Vec<NodeId>,
    /// Peers that were admitted and have yet to be told what there is.
    joiners: Vec<PeerId>,
    /// What peers that are gone had spawned.
    to_free: Vec<NodeId>,
    /// The data of entities that were made from data.
    data: HashMap<NodeId, (NodeId, Variant)>,
    /// The announcement that is being followed.
    incoming: Option<IncomingSpawn>,
    errors: Errors,

    /// Nodes whose settings have changed.
    inbox: Inbox,
    /// Nodes to be looked at again, as a method of theirs, of their spawner, or of the spawner of one above them, ran.
    busy: IndexSet<NodeId>,
    /// Synchronizers whose `Replicated` fields have changed.
    dirty: DirtyList,
    /// Synchronizers of this side with watched fields that cannot say so.
    polled: KeySet,
    /// For each node on the path of a property, the synchronizers of such properties.
    path_nodes: HashMap<NodeId, Vec<Key>, FxBuildHasher>,
    /// Kept so that a step takes no memory.
    touched: Vec<NodeId>,
    /// Synchronizers of which some peer lacks a change.
    lagging: KeySet,
    /// Synchronizers whose filters are asked at each step.
    filtered: KeySet,
    plans: BTreeMap<u64, Rc<Plan>>,
    syncs: Syncs,
    deltas: Deltas,
    /// One encoded value: kept so that a step takes no memory.
    value: BytesMut,
    /// Values of a packet on their way to their properties: kept so that a packet takes no memory.
    values: Vec<Variant>,

    sync_packet_max: usize,
    delta_packet_max: usize,
    stats: ReplicationStats,
    refusals: Refusals,
}

/// What a call works with besides the replication.
pub(super) struct Context<'a> {
    pub(super) now: Instant,
    /// The id of the local peer.
    pub(super) own: PeerId,
    pub(super) quirks: GodotQuirks,
    pub(super) tree: &'a mut dyn NodeTree,
    pub(super) sender: &'a mut Sender,
    pub(super) paths: &'a mut Paths,
    pub(super) events: &'a mut Events,
}

/// Counters; see [`SceneStats`](crate::SceneStats).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReplicationStats {
    pub(super) refused_announcements: u64,
    pub(super) skipped_steps: u64,
    pub(super) refused_elements: u64,
    pub(super) old_syncs: u64,
}

type Synchronizers = SlotMap<Key, Synchronizer>;

/// Synchronizers, each once. Their keys are of this side's making, so that a fast hash will do.
type KeySet = IndexSet<Key, FxBuildHasher>;

/// A spawner in the tree.
#[derive(Debug, Default)]
struct Spawner {
    /// `None` while there is no node at its spawn path: it is an orphan.
    parent: Option<NodeId>,
    /// The entities of it that this side announces.
    own: IndexSet<NodeId>,
}

/// A node that a spawner has announced, or that synchronizers send.
#[derive(Debug, Default)]
struct Entity {
    origin: EntityOrigin,
    /// Given with the first announcement; 0 before.
    net_id: u32,
    /// In the order in which they entered the tree.
    synchronizers: Vec<Key>,
    /// Synchronizers of it and of the nodes below it, but for those in entities of this side below it.
    contained: KeySet,
    /// The entity of this side that it lies below: who has not that one cannot have this one.
    outer: Option<NodeId>,
    /// The entities of this side below it, in the order in which they entered.
    inner: IndexSet<NodeId>,
    /// The peers that it is announced to.
    announced_to: IndexSet<PeerId>,
    /// The program was notified that it cannot be announced under its name.
    reported: bool,
    /// When it entered: late joiners are told in this order, so that a parent is always there before its children.
    order: u64,
}

/// Where an entity comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum EntityOrigin {
    /// It is part of the scene on every side.
    #[default]
    Scene,
    /// This side announces it.
    Own { spawner: NodeId },
    /// A peer announced it.
    Peer { spawner: NodeId, peer: PeerId },
}

/// A peer, as far as replication knows it.
#[derive(Debug, Default)]
struct PeerInfo {
    /// It is being told what there is.
    is_new: bool,
    /// What it may see of this side's and has been told of, in Godot's order: the last takes the place of one that goes.
    synchronizers: KeySet,
    /// Counts up with each step.
    time: u16,
    plan: Option<Rc<Plan>>,
    /// Whether some of `synchronizers` wait until the peer confirms their paths.
    unconfirmed: bool,
    /// Synchronizers with changes for it in this step.
    candidates: Vec<DeltaCandidate>,

    /// What it has announced, by its net ids.
    entities: BTreeMap<u32, NodeId>,
    by_net_id: BTreeMap<u32, Key>,
}

/// A synchronizer with changes for a peer.
#[derive(Clone, Copy, Debug)]
struct DeltaCandidate {
    /// Its place among all that the peer is sent.
    place: usize,
    key: Key,
    /// The place of the peer among those who see it.
    seen: usize,
}

/// An announcement while its nodes enter the tree.
#[derive(Debug)]
struct IncomingSpawn {
    sender: PeerId,
    entity: NodeId,
    ids: VecDeque<u32>,
    state: Bytes,
    /// Whether the state could be read so far.
    readable: bool,
    /// Synchronizers of the entity and the sender for which no number was left.
    without_id: usize,
}

impl Default for Replication {
    fn default() -> Self {
        Self {
            spawners: IndexMap::new(),
            spawn_parents: HashMap::new(),
            orphans: IndexSet::new(),
            entities: IndexMap::new(),
            synchronizers: SlotMap::new(),
            by_node: IndexMap::new(),
            peers: IndexMap::new(),
            last_net_id: 0,
            last_order: 0,
            ready: IndexSet::new(),
            leaving: HashMap::new(),
            moved: Vec::new(),
            joiners: Vec::new(),
            to_free: Vec::new(),
            data: HashMap::new(),
            incoming: None,
            errors: Errors::default(),
            inbox: Inbox::default(),
            busy: IndexSet::new(),
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

    /// A peer was admitted. What there is it is told when the tree can be looked at.
    pub(super) fn add_peer(&mut self, peer: PeerId) {
        self.joiners.push(peer);
    }

    /// Ends the session of a peer: what is kept of it is forgotten, and what it had announced goes.
    ///
    /// Every field is by_net_id here: whoever adds one decides whether it belongs to the session of a
    /// peer.
    pub(super) fn remove_peer(&mut self, peer: PeerId) {
        let Self {
            entities,
            synchronizers,
            peers,
            plans,
            joiners,
            to_free,
            // Of nodes.
            spawners: _,
            spawn_parents: _,
            orphans: _,
            by_node: _,
            last_net_id: _,
            last_order: _,
            ready: _,
            leaving: _,
            moved: _,
            data: _,
            inbox: _,
            busy: _,
            dirty: _,
            polled: _,
            path_nodes: _,
            touched: _,
            lagging: _,
            filtered: _,
            // Of the branch, or empty between two inputs.
            incoming: _,
            errors: _,
            syncs: _,
            deltas: _,
            value: _,
            values: _,
            sync_packet_max: _,
            delta_packet_max: _,
            stats: _,
            refusals: _,
        } = self;
        joiners.retain(|&joiner| joiner != peer);
        // Those that stay keep their order, in which they are sent things.
        let Some(info) = peers.shift_remove(&peer) else { return };
        to_free.extend(info.entities.into_values());
        for entity in entities.values_mut() {
            entity.announced_to.swap_remove(&peer);
        }
        for synchronizer in synchronizers.values_mut() {
            synchronizer.forget_peer(peer);
        }
        plans.retain(|_, plan| Rc::strong_count(plan) > 1);
    }

    /// The session is over: peers are forgotten, what they had announced goes, and numbers begin anew.
    pub(super) fn reset(&mut self) {
        self.joiners.clear();
        for (_, info) in std::mem::take(&mut self.peers) {
            self.to_free.extend(info.entities.into_values());
        }
        for entity in self.entities.values_mut() {
            entity.net_id = 0;
            entity.announced_to.clear();
        }
        for synchronizer in self.synchronizers.values_mut() {
            synchronizer.restart();
        }
        self.plans.clear();
        self.lagging.clear();
        self.last_net_id = 0;
    }

    /// A peer has confirmed a path.
    pub(super) fn confirmed(&mut self, peer: PeerId) {
        if let Some(info) = self.peers.get_mut(&peer)
            && info.unconfirmed
        {
            info.plan = None;
        }
    }

    /// The largest SYNC in bytes.
    pub(super) fn sync_packet_max(&self) -> usize {
        self.sync_packet_max
    }

    /// The largest DELTA in bytes.
    pub(super) fn delta_packet_max(&self) -> usize {
        self.delta_packet_max
    }

    pub(super) fn stats(&self) -> ReplicationStats {
        self.stats
    }

    pub(super) fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Whether steps have something to do.
    pub(super) fn wants_steps(&self) -> bool {
        !self.peers.is_empty() && self.peers.values().any(|info| !info.synchronizers.is_empty())
            || !self.filtered.is_empty()
    }

    fn next_net_id(&mut self) -> u32 {
        // Bit 31 means a path; after 2³¹ announcements the count begins anew.
        self.last_net_id = if self.last_net_id >= NET_ID_MAX { 1 } else { self.last_net_id + 1 };
        self.last_net_id
    }
}

const NET_ID_MAX: u32 = (1 << 31) - 1;
