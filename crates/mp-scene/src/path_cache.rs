//! Which number stands for which node, in both directions and separately for each peer (Godot: `SceneCacheInterface`).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mp_core::PeerId;

use crate::limits::{PATH_CACHE_BYTES_MAX, PATH_ENTRY_BYTES};
use crate::scene_multiplayer::Refusal;
use crate::tree::{NodeId, NodeTree};

/// The numbers that we give and those that we were given.
///
/// Ours count up from 1 over all nodes and peers. A node keeps its number until it leaves the tree; a number is not used
/// again before [`clear`](Self::clear).
#[derive(Debug, Default)]
pub(crate) struct PathCache {
    last_id: u32,
    ids: HashMap<NodeId, u32>,
    peers: BTreeMap<PeerId, PeerPaths>,
}

#[derive(Debug, Default)]
struct PeerPaths {
    /// Our numbers that the peer was told, and whether it confirmed them.
    told: BTreeMap<u32, bool>,
    /// The peer's numbers.
    given: BTreeMap<u32, Given>,
    /// Bytes that `given` takes, so that a peer cannot fill our memory.
    given_bytes: usize,
    /// The peer's numbers by the nodes that they stand for.
    by_node: BTreeSet<(NodeId, u32)>,
    /// The peer's numbers whose nodes have left, the oldest first.
    left: BTreeMap<u64, u32>,
    last_left: u64,
    /// Nodes whose methods the peer numbers in another way.
    mismatched: BTreeSet<NodeId>,
}

/// A node that a peer has numbered.
#[derive(Debug)]
struct Given {
    node: Numbered,
    /// Looked up again when the node has left the tree.
    path: Box<str>,
}

/// The node that a peer's number stands for.
#[derive(Clone, Copy, Debug)]
enum Numbered {
    /// In the tree.
    There(NodeId),
    /// It has left; its place in the order of those that have. The peer goes on using the number when it shows its node again.
    Left(u64),
}

/// Why a peer's number was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is in use.
    Taken,
    /// The peer has numbered too much.
    Full,
}

impl PathCache {
    pub(crate) fn add_peer(&mut self, peer: PeerId) {
        self.peers.insert(peer, PeerPaths::default());
    }

    pub(crate) fn remove_peer(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The number of `node`, given now if it has none.
    pub(crate) fn id_of(&mut self, node: NodeId) -> u32 {
        *self.ids.entry(node).or_insert_with(|| {
            self.last_id += 1;
            self.last_id
        })
    }

    /// Forgets our number of a node that has left its place in the tree. Peers' numbers stay with a node that was moved, as in
    /// Godot.
    pub(crate) fn remove_node(&mut self, tree: &dyn NodeTree, node: NodeId) {
        let id = self.ids.remove(&node);
        let has_left = tree.name_of(node).is_none();
        for paths in self.peers.values_mut() {
            if let Some(id) = id {
                paths.told.remove(&id);
            }
            if has_left {
                paths.node_left(node);
            }
        }
    }

    /// Notes that `peer` is told `id` now; false when it was told before, or is unknown.
    pub(crate) fn tell(&mut self, peer: PeerId, id: u32) -> bool {
        let Some(paths) = self.peers.get_mut(&peer) else { return false };
        let std::collections::btree_map::Entry::Vacant(entry) = paths.told.entry(id) else {
            return false;
        };
        entry.insert(false);
        true
    }

    /// Notes that `peer` knows `id`; false when it was never told.
    pub(crate) fn confirm(&mut self, peer: PeerId, id: u32) -> bool {
        let told = self.peers.get_mut(&peer).and_then(|paths| paths.told.get_mut(&id));
        told.is_some_and(|confirmed| {
            *confirmed = true;
            true
        })
    }

    pub(crate) fn is_confirmed(&self, peer: PeerId, id: u32) -> bool {
        self.peers.get(&peer).and_then(|paths| paths.told.get(&id)).copied().unwrap_or(false)
    }

    /// Whether `peer` numbers the methods of `node` in another way.
    pub(crate) fn is_mismatched(&self, peer: PeerId, node: NodeId) -> bool {
        self.peers.get(&peer).is_some_and(|paths| paths.mismatched.contains(&node))
    }

    /// Whether `peer` uses `id` already.
    pub(crate) fn is_given(&self, peer: PeerId, id: u32) -> bool {
        self.peers.get(&peer).is_some_and(|paths| paths.given.contains_key(&id))
    }

    /// Whether `peer` has numbered the node at `path` with `id` already.
    pub(crate) fn has_given(&self, peer: PeerId, id: u32, path: &str) -> bool {
        let given = self.peers.get(&peer).and_then(|paths| paths.given.get(&id));
        given.is_some_and(|given| *given.path == *path)
    }

    /// Notes that `peer` calls `node` by `id`. Bound: [`PATH_CACHE_BYTES_MAX`] per peer, for which the numbers of nodes that left
    /// first are forgotten first.
    pub(crate) fn give(
        &mut self,
        peer: PeerId,
        id: u32,
        node: NodeId,
        path: &str,
        checksum_ok: bool,
    ) -> Result<(), Refused> {
        let paths = self.peers.get_mut(&peer).ok_or(Refused::Full)?;
        if paths.given.contains_key(&id) {
            return Err(Refused::Taken);
        }
        let bytes = PATH_ENTRY_BYTES + path.len();
        while paths.given_bytes + bytes > PATH_CACHE_BYTES_MAX {
            let (_, oldest) = paths.left.pop_first().ok_or(Refused::Full)?;
            if let Some(given) = paths.given.remove(&oldest) {
                paths.given_bytes -= PATH_ENTRY_BYTES + given.path.len();
            }
        }
        paths.given_bytes += bytes;
        if checksum_ok {
            paths.mismatched.remove(&node);
        } else {
            paths.mismatched.insert(node);
        }
        paths.by_node.insert((node, id));
        paths.given.insert(id, Given { node: Numbered::There(node), path: path.into() });
        Ok(())
    }

    /// The node that `peer` calls `id`. When it has left the tree the path is looked up again, so that a node that took
    /// its place is found.
    pub(crate) fn resolve(
        &mut self,
        tree: &dyn NodeTree,
        peer: PeerId,
        id: u32,
    ) -> Result<NodeId, Refusal> {
        let unknown = Refusal::Because("unknown node number");
        let Some(paths) = self.peers.get_mut(&peer) else { return Err(unknown) };
        let Some(given) = paths.given.get_mut(&id) else { return Err(unknown) };
        if let Numbered::There(node) = given.node
            && tree.name_of(node).is_some()
        {
            return Ok(node);
        }
        let gone = || Refusal::Gone(given.path.to_string());
        let node = tree.find(&given.path).ok_or_else(gone)?;
        match std::mem::replace(&mut given.node, Numbered::There(node)) {
            Numbered::There(before) => drop(paths.by_node.remove(&(before, id))),
            Numbered::Left(order) => drop(paths.left.remove(&order)),
        }
        paths.by_node.insert((node, id));
        Ok(node)
    }
}

impl PeerPaths {
    fn node_left(&mut self, node: NodeId) {
        self.mismatched.remove(&node);
        while let Some(&(of, id)) = self.by_node.range((node, 0)..).next()
            && of == node
        {
            self.by_node.remove(&(node, id));
            if let Some(given) = self.given.get_mut(&id) {
                self.last_left += 1;
                given.node = Numbered::Left(self.last_left);
                self.left.insert(self.last_left, id);
            }
        }
    }
}
