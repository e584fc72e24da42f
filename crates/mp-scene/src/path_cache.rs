//! Which number stands for which node, in both directions and separately for each peer (Godot: `SceneCacheInterface`).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use mp_core::{Instant, PeerId};

use crate::limits::{PATH_CACHE_BYTES_MAX, PATH_ENTRY_BYTES, PATH_REPEAT, PATH_REPEAT_MAX};
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
    /// When to announce which number again to whom.
    due: BTreeSet<(Instant, PeerId, u32)>,
    now: Instant,
}

#[derive(Debug, Default)]
struct PeerPaths {
    /// Our numbers that were announced to the peer.
    told: BTreeMap<u32, Told>,
    /// Numbers that it had not confirmed when they were due to be announced again.
    unconfirmed: BTreeSet<u32>,
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

/// Our number of a node, as it was announced to one peer.
#[derive(Clone, Copy, Debug)]
struct Told {
    node: NodeId,
    confirmed: bool,
    is_repeated: bool,
    due: Instant,
    wait: Duration,
}

/// A number of ours that a peer has confirmed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConfirmedPath {
    pub(crate) node: NodeId,
    /// The peer lacked the node when the number was announced first, and what was sent by it may be lost.
    pub(crate) was_late: bool,
}

/// A node that a peer has numbered.
#[derive(Debug)]
struct Given {
    node: Numbered,
    /// Looked up again when the node has left the tree.
    path: Box<str>,
    /// The announcement that the node came with.
    announcement: Option<Announcement>,
}

/// The announcement of a node, or of the innermost announced node above it. It tells nodes apart
/// that had the same path one after the other; nodes that every side has by itself have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announcement {
    /// The local peer announces this node.
    Own(NodeId),
    /// A peer announced it by this net id. A node that is hidden and shown again keeps its net id.
    Peer(PeerId, u32),
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
        self.due.retain(|&(_, of, _)| of != peer);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self { now: self.now, ..Self::default() };
    }

    /// Sets the time, from which it counts until a number is announced again.
    pub(crate) fn set_now(&mut self, now: Instant) {
        self.now = now;
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
        self.forget(node, |_| ());
        if tree.name_of(node).is_none() {
            self.peers.values_mut().for_each(|paths| paths.node_left(node));
        }
    }

    /// Forgets our numbers of the nodes that `has_moved`. Returns these nodes, and the peers that
    /// had not confirmed their numbers.
    pub(crate) fn forget_own(
        &mut self,
        has_moved: impl Fn(NodeId) -> bool,
    ) -> (Vec<NodeId>, Vec<(PeerId, NodeId)>) {
        let mut moved: Vec<_> = self.ids.iter().filter(|(node, _)| has_moved(**node)).collect();
        moved.sort_unstable_by_key(|(_, id)| **id);
        let moved: Vec<_> = moved.into_iter().map(|(node, _)| *node).collect();
        let mut unconfirmed = Vec::new();
        for &node in &moved {
            self.forget(node, |peer| unconfirmed.push((peer, node)));
        }
        (moved, unconfirmed)
    }

    /// Forgets our number of a node, and reports the peers that had not confirmed it.
    fn forget(&mut self, node: NodeId, mut had_not_confirmed: impl FnMut(PeerId)) {
        let Some(id) = self.ids.remove(&node) else { return };
        for (&peer, paths) in &mut self.peers {
            let Some(told) = paths.told.remove(&id) else { continue };
            paths.unconfirmed.remove(&id);
            self.due.remove(&(told.due, peer, id));
            if !told.confirmed {
                had_not_confirmed(peer);
            }
        }
    }

    /// Notes that `id`, our number of `node`, is announced to `peer` now; false when it was before, or the peer is unknown.
    pub(crate) fn tell(&mut self, peer: PeerId, id: u32, node: NodeId) -> bool {
        let Some(paths) = self.peers.get_mut(&peer) else { return false };
        let Entry::Vacant(entry) = paths.told.entry(id) else { return false };
        let (due, wait) = (self.now + PATH_REPEAT, PATH_REPEAT);
        entry.insert(Told { node, confirmed: false, is_repeated: false, due, wait });
        self.due.insert((due, peer, id));
        true
    }

    /// Takes a number that is due to be announced to a peer again, if it still has not confirmed it by then.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<(PeerId, u32, NodeId)> {
        let &(due, peer, id) = self.due.first().filter(|(due, ..)| *due <= now)?;
        self.due.remove(&(due, peer, id));
        let paths = self.peers.get_mut(&peer)?;
        let told = paths.told.get_mut(&id)?;
        paths.unconfirmed.insert(id);
        told.wait = (told.wait * 2).min(PATH_REPEAT_MAX);
        told.due = now + told.wait;
        self.due.insert((told.due, peer, id));
        Some((peer, id, told.node))
    }

    /// The numbers that a peer has not confirmed for so long that it may have got their nodes since.
    pub(crate) fn unconfirmed(&self, peer: PeerId) -> impl Iterator<Item = (u32, NodeId)> {
        let paths = self.peers.get(&peer);
        paths.into_iter().flat_map(|paths| {
            paths.unconfirmed.iter().filter_map(|&id| Some((id, paths.told.get(&id)?.node)))
        })
    }

    /// Notes that a number was announced again now; the next time is a whole wait away.
    pub(crate) fn note_repeat(&mut self, peer: PeerId, id: u32) {
        let told = self.peers.get_mut(&peer).and_then(|paths| paths.told.get_mut(&id));
        if let Some(told) = told {
            told.is_repeated = true;
            if self.due.remove(&(told.due, peer, id)) {
                told.due = self.now + told.wait;
                self.due.insert((told.due, peer, id));
            }
        }
    }

    /// When [`take_due`](Self::take_due) has something.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|&(due, ..)| due)
    }

    /// Notes that `peer` knows `id`; `None` when it was never announced to it.
    pub(crate) fn confirm(&mut self, peer: PeerId, id: u32) -> Option<ConfirmedPath> {
        let paths = self.peers.get_mut(&peer)?;
        let told = paths.told.get_mut(&id)?;
        let was_late = told.is_repeated && !told.confirmed;
        told.confirmed = true;
        paths.unconfirmed.remove(&id);
        self.due.remove(&(told.due, peer, id));
        Some(ConfirmedPath { node: told.node, was_late })
    }

    pub(crate) fn is_confirmed(&self, peer: PeerId, id: u32) -> bool {
        let told = self.peers.get(&peer).and_then(|paths| paths.told.get(&id));
        told.is_some_and(|told| told.confirmed)
    }

    /// Whether `peer` numbers the methods of `node` in another way.
    pub(crate) fn is_mismatched(&self, peer: PeerId, node: NodeId) -> bool {
        self.peers.get(&peer).is_some_and(|paths| paths.mismatched.contains(&node))
    }

    /// Whether `peer` uses `id` already.
    pub(crate) fn is_given(&self, peer: PeerId, id: u32) -> bool {
        self.peers.get(&peer).is_some_and(|paths| paths.given.contains_key(&id))
    }

    /// Returns whether `peer` has numbered the node at `path` with `id` already.
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
        announcement: Option<Announcement>,
        path: &str,
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
        paths.by_node.insert((node, id));
        let node = Numbered::There(node);
        paths.given.insert(id, Given { node, path: path.into(), announcement });
        Ok(())
    }

    /// Notes whether `peer` numbers the methods of `node` in another way.
    pub(crate) fn set_mismatched(&mut self, peer: PeerId, node: NodeId, is_mismatched: bool) {
        let Some(paths) = self.peers.get_mut(&peer) else { return };
        if is_mismatched {
            paths.mismatched.insert(node);
        } else {
            paths.mismatched.remove(&node);
        }
    }

    /// Returns the node that `peer` calls `id`. When it has left the tree the path is looked up
    /// again: as in Godot the number goes on for a node that took its place, but not for one of
    /// another announcement.
    pub(crate) fn resolve(
        &mut self,
        tree: &dyn NodeTree,
        peer: PeerId,
        id: u32,
        announcement_of: impl Fn(NodeId) -> Option<Announcement>,
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
        if announcement_of(node) != given.announcement {
            return Err(Refusal::Because("the node has left"));
        }
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
