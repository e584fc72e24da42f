//! Path ids assigned by remote peers.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use mp_core::{AssignedId, PeerId, bug};

use crate::limits::{
    PATH_CACHE_BYTES_MAX, PATH_CACHE_RESERVED_BYTES, PATH_CACHE_TOTAL_BYTES_MAX, PATH_ENTRY_BYTES,
};
use crate::scene_multiplayer::{NotAccepted, Refusal};
use crate::tree::{NodeId, NodeTree};

/// Path ids assigned by remote peers.
///
/// An id stays after its node has left: as in Godot, the peer uses it again when it shows a hidden
/// node, or for another node at the same path. Memory is bounded by [`PATH_CACHE_BYTES_MAX`] for
/// each peer and [`PATH_CACHE_TOTAL_BYTES_MAX`] for all, of which each peer may always use
/// [`PATH_CACHE_RESERVED_BYTES`].
///
/// At a limit unused ids are discarded, the oldest first: ids whose nodes have left, or to whose
/// nodes the peer has assigned later ids. Without unused ids a new one is refused.
#[derive(Debug, Default)]
pub(crate) struct RemotePaths {
    peers: BTreeMap<PeerId, PeerPaths>,
    /// Memory in bytes of the ids of all peers.
    bytes: usize,
    /// Unused ids of all peers, in the order in which they became unused.
    unused: BTreeMap<u64, (PeerId, u32)>,
    last_unused: u64,
    /// Number of discarded ids.
    discarded: u64,
}

/// The path ids of one peer.
#[derive(Debug, Default)]
struct PeerPaths {
    assigned: BTreeMap<u32, AssignedPath>,
    /// Memory in bytes of `assigned`.
    bytes: usize,
    /// The current id of each node; all other ids are unused.
    in_use: BTreeMap<NodeId, u32>,
    /// The unused ids of this peer.
    unused: BTreeMap<u64, u32>,
    /// Nodes for which the peer's RPC table differs.
    mismatched: BTreeSet<NodeId>,
}

/// The node of a path id.
#[derive(Debug)]
struct AssignedPath {
    /// `None` while an id that the peer assigned in an earlier branch was not used in this one.
    node: Option<NodeId>,
    /// Resolved again after the node has left the tree. `None` if the node was part of a spawned
    /// node of an earlier branch.
    path: Option<Box<str>>,
    /// The announcement that created the node.
    announcement: Option<Announcement>,
    /// Checksum of the node's RPC methods at the peer.
    checksum: [u8; 32],
    /// Key in `unused`, if the id is unused.
    unused: Option<u64>,
}

/// The content of SIMPLIFY_PATH.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathAnnouncement<'a> {
    pub(crate) id: u32,
    pub(crate) checksum: &'a [u8; 32],
    pub(crate) path: &'a str,
}

/// The announcement of a node, or of the innermost announced node above it. It distinguishes nodes
/// that had the same path one after the other. A node that all peers create by themselves has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announcement {
    /// The local peer announces the node.
    Own(NodeId),
    /// A peer announced the node with this net id. A node that is hidden and shown again keeps its
    /// net id.
    Peer(PeerId, u32),
}

/// The reason why a path id of a peer was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusedId {
    /// The id is in use.
    InUse,
    /// The memory limit is reached and there are no unused ids.
    Full,
}

impl RemotePaths {
    pub(crate) fn add_peer(&mut self, peer: PeerId) {
        self.remove_peer(peer);
        self.peers.insert(peer, PeerPaths::default());
    }

    pub(crate) fn remove_peer(&mut self, peer: PeerId) {
        let Some(paths) = self.peers.remove(&peer) else { return };
        self.bytes -= paths.bytes;
        for place in paths.unused.keys() {
            self.unused.remove(place);
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self { discarded: self.discarded, ..Self::default() };
    }

    /// Returns the number of ids discarded so far to free memory for others.
    pub(crate) fn discarded(&self) -> u64 {
        self.discarded
    }

    /// Marks the ids of a removed node as unused.
    pub(crate) fn remove_node(&mut self, node: NodeId) {
        for (&peer, paths) in &mut self.peers {
            paths.mismatched.remove(&node);
            if let Some(id) = paths.in_use.remove(&node) {
                paths.set_unused(peer, id, &mut self.unused, &mut self.last_unused);
            }
        }
    }

    /// Returns whether the RPC table of `peer` differs for `node`.
    pub(crate) fn is_mismatched(&self, peer: PeerId, node: NodeId) -> bool {
        self.peers.get(&peer).is_some_and(|paths| paths.mismatched.contains(&node))
    }

    /// Records whether the RPC table of `peer` differs for `node`.
    pub(crate) fn set_mismatched(&mut self, peer: PeerId, node: NodeId, is_mismatched: bool) {
        let Some(paths) = self.peers.get_mut(&peer) else { return };
        if is_mismatched {
            paths.mismatched.insert(node);
        } else {
            paths.mismatched.remove(&node);
        }
    }

    /// Returns whether `peer` has assigned `id`.
    pub(crate) fn is_assigned(&self, peer: PeerId, id: u32) -> bool {
        self.peers.get(&peer).is_some_and(|paths| paths.assigned.contains_key(&id))
    }

    /// Returns whether `peer` has assigned `id` to the node at `path`.
    pub(crate) fn is_assigned_to(&self, peer: PeerId, id: u32, path: &str) -> bool {
        let assigned = self.peers.get(&peer).and_then(|paths| paths.assigned.get(&id));
        assigned.is_some_and(|it| it.node.is_some() && it.path.as_deref() == Some(path))
    }

    /// Removes an id that `peer` assigned to `path` in an earlier branch and that was not used in
    /// this one: the peer repeats the announcement because it was not confirmed.
    pub(crate) fn forget_carried(&mut self, peer: PeerId, id: u32, path: &str) {
        let assigned = self.peers.get(&peer).and_then(|paths| paths.assigned.get(&id));
        if assigned.is_some_and(|it| it.node.is_none() && it.path.as_deref() == Some(path)) {
            self.remove(peer, id);
        }
    }

    /// Returns the ids that `peer` has assigned, in this branch and earlier ones.
    pub(crate) fn carry(&self, peer: PeerId) -> Vec<AssignedId> {
        let assigned = self.peers.get(&peer).into_iter().flat_map(|paths| &paths.assigned);
        let carried = assigned.map(|(&id, assigned)| AssignedId {
            id,
            path: assigned.path.clone().filter(|_| assigned.announcement.is_none()),
            checksum: assigned.checksum,
        });
        carried.collect()
    }

    /// Adds an id that `peer` has assigned in an earlier branch. It is discarded if a limit of
    /// memory is reached.
    pub(crate) fn add_carried(&mut self, peer: PeerId, carried: AssignedId) {
        let AssignedId { id, path, checksum } = carried;
        if self.is_assigned(peer, id) {
            return;
        }
        if self.reserve(peer, path.as_deref()).is_err() {
            self.discarded += 1;
            return;
        }
        let Some(paths) = self.peers.get_mut(&peer) else { return };
        let (node, announcement, unused) = (None, None, None);
        paths.assigned.insert(id, AssignedPath { node, path, announcement, checksum, unused });
        paths.set_unused(peer, id, &mut self.unused, &mut self.last_unused);
    }

    /// Records that `peer` has assigned the announced id to `node`.
    pub(crate) fn assign(
        &mut self,
        peer: PeerId,
        node: NodeId,
        announcement: Option<Announcement>,
        PathAnnouncement { id, checksum, path }: PathAnnouncement<'_>,
    ) -> Result<(), RefusedId> {
        if self.is_assigned(peer, id) {
            return Err(RefusedId::InUse);
        }
        self.reserve(peer, Some(path))?;
        let paths = self.peers.get_mut(&peer).ok_or(RefusedId::Full)?;
        // A peer uses one id for each of its nodes: it no longer uses the earlier id, or has two
        // nodes for this one.
        if let Some(earlier) = paths.in_use.insert(node, id) {
            paths.set_unused(peer, earlier, &mut self.unused, &mut self.last_unused);
        }
        let (node, path, checksum) = (Some(node), Some(path.into()), *checksum);
        let assigned = AssignedPath { node, path, announcement, checksum, unused: None };
        paths.assigned.insert(id, assigned);
        Ok(())
    }

    /// Charges `peer` with the memory of an id, after discarding unused ids if necessary.
    fn reserve(&mut self, peer: PeerId, path: Option<&str>) -> Result<(), RefusedId> {
        let bytes = memory_of(path);
        self.free_memory(peer, bytes)?;
        let paths = self.peers.get_mut(&peer).ok_or(RefusedId::Full)?;
        self.bytes += bytes;
        paths.bytes += bytes;
        Ok(())
    }

    /// Discards unused ids until `peer` may use `bytes` more.
    fn free_memory(&mut self, peer: PeerId, bytes: usize) -> Result<(), RefusedId> {
        loop {
            let paths = self.peers.get(&peer).ok_or(RefusedId::Full)?;
            let after = paths.bytes + bytes;
            let is_full = self.bytes + bytes > PATH_CACHE_TOTAL_BYTES_MAX;
            let oldest = if after > PATH_CACHE_BYTES_MAX {
                paths.unused.values().next().map(|&id| (peer, id))
            } else if is_full && after > PATH_CACHE_RESERVED_BYTES {
                self.unused.values().next().copied()
            } else {
                return Ok(());
            };
            let (peer, id) = oldest.ok_or(RefusedId::Full)?;
            self.discard(peer, id);
        }
    }

    fn discard(&mut self, peer: PeerId, id: u32) {
        self.discarded += 1;
        self.remove(peer, id);
    }

    fn remove(&mut self, peer: PeerId, id: u32) {
        let mut paths = self.peers.get_mut(&peer);
        let assigned = paths.as_mut().and_then(|paths| paths.assigned.remove(&id));
        let (Some(paths), Some(assigned)) = (paths, assigned) else {
            bug!("path id {id} of {peer} is unused, but not assigned");
            self.discarded -= 1;
            return self.forget_unused(peer, id);
        };
        if let Some(place) = assigned.unused {
            paths.unused.remove(&place);
            self.unused.remove(&place);
        }
        let bytes = memory_of(assigned.path.as_deref());
        paths.bytes -= bytes;
        self.bytes -= bytes;
    }

    /// Removes an id that is not assigned from the unused ones.
    fn forget_unused(&mut self, peer: PeerId, id: u32) {
        self.unused.retain(|_, unused| *unused != (peer, id));
        if let Some(paths) = self.peers.get_mut(&peer) {
            paths.unused.retain(|_, unused| *unused != id);
        }
    }

    /// Returns the node to which `peer` assigned `id`, and whether the peer's RPC table
    /// [differs](Self::is_mismatched) for it. If the node has left the tree, its path is
    /// resolved again: as in Godot the id then means the new node at that path, unless the new node
    /// is from another announcement.
    pub(crate) fn resolve(
        &mut self,
        tree: &dyn NodeTree,
        peer: PeerId,
        id: u32,
        announcement_of: impl Fn(NodeId) -> Option<Announcement>,
    ) -> Result<(NodeId, bool), NotAccepted> {
        let unknown = NotAccepted::Refused(Refusal::UnknownPathId);
        let Some(paths) = self.peers.get_mut(&peer) else { return Err(unknown) };
        let Some(assigned) = paths.assigned.get_mut(&id) else { return Err(unknown) };
        let before = assigned.node;
        if let Some(node) = before
            && tree.name_of(node).is_some()
        {
            return Ok((node, paths.mismatched.contains(&node)));
        }
        let found = assigned.path.as_deref().and_then(|path| tree.find(path));
        let found = match (found, before) {
            // The node of an earlier branch is meant, unless both branches have the same level.
            (Some(node), None) if !tree.is_below_root(node) || announcement_of(node).is_some() => {
                None
            }
            (found, _) => found,
        };
        let node = match (found, before, &assigned.path) {
            (Some(node), ..) => node,
            (None, Some(_), Some(path)) => return Err(NotAccepted::Gone(path.to_string())),
            (None, ..) => return Err(Refusal::EarlierBranch.into()),
        };
        if announcement_of(node) != assigned.announcement {
            return Err(Refusal::NodeLeft.into());
        }
        assigned.node = Some(node);
        if let Entry::Vacant(entry) = paths.in_use.entry(node) {
            entry.insert(id);
            if let Some(place) = assigned.unused.take() {
                paths.unused.remove(&place);
                self.unused.remove(&place);
            }
            if let Some(before) = before
                && paths.in_use.get(&before) == Some(&id)
            {
                paths.in_use.remove(&before);
            }
        }
        if before.is_none() {
            let is_mismatched =
                tree.rpc_ids(node).is_none_or(|ids| *ids.checksum() != assigned.checksum);
            self.set_mismatched(peer, node, is_mismatched);
        }
        Ok((node, self.is_mismatched(peer, node)))
    }
}

/// Returns the memory in bytes of an id.
fn memory_of(path: Option<&str>) -> usize {
    PATH_ENTRY_BYTES + path.map_or(0, str::len)
}

impl PeerPaths {
    /// Appends an id to the unused ones, unless it is already unused.
    fn set_unused(
        &mut self,
        peer: PeerId,
        id: u32,
        unused: &mut BTreeMap<u64, (PeerId, u32)>,
        last: &mut u64,
    ) {
        let Some(assigned) = self.assigned.get_mut(&id) else {
            bug!("path id {id} of {peer} has a node, but is not assigned");
            return;
        };
        if assigned.unused.is_some() {
            return;
        }
        *last += 1;
        assigned.unused = Some(*last);
        self.unused.insert(*last, id);
        unused.insert(*last, (peer, id));
    }
}

#[cfg(test)]
mod tests {
    use mp_core::bug::{OnBug, with_policy};

    use super::*;
    use crate::tree::{Group, Tree};

    fn peer(id: i32) -> PeerId {
        PeerId::new(id).unwrap()
    }

    /// Creates a tree with `count` nodes and returns their ids.
    fn nodes(count: usize) -> Vec<NodeId> {
        let mut tree = Tree::new("/root").unwrap();
        let root = tree.root();
        (0..count).map(|n| tree.add(root, &format!("n{n}"), Group).unwrap().id()).collect()
    }

    fn announcement(id: u32, path: &str) -> PathAnnouncement<'_> {
        PathAnnouncement { id, checksum: &[0; 32], path }
    }

    /// Assigns path ids of `peer` to `nodes`, each of `ENTRY` bytes, until one is refused. Returns
    /// the number of assigned ids.
    fn fill(paths: &mut RemotePaths, peer: PeerId, nodes: &[NodeId]) -> usize {
        let path = "x".repeat(ENTRY - PATH_ENTRY_BYTES);
        paths.add_peer(peer);
        let assign = |&(id, &node): &(u32, &NodeId)| {
            paths.assign(peer, node, None, announcement(id, &path)).is_ok()
        };
        (1..).zip(nodes).take_while(assign).count()
    }

    const ENTRY: usize = 32 * 1024;
    const OF_ONE: usize = PATH_CACHE_BYTES_MAX / ENTRY;
    /// Number of peers that may use the full memory of one peer.
    const FULL: usize = PATH_CACHE_TOTAL_BYTES_MAX / PATH_CACHE_BYTES_MAX;
    const ALWAYS: usize = PATH_CACHE_RESERVED_BYTES / ENTRY;

    #[test]
    fn path_ids_of_all_peers_are_bounded_and_each_peer_has_its_share() {
        let nodes = nodes(OF_ONE + 1);
        let mut paths = RemotePaths::default();
        let numbered: Vec<_> = (2..14).map(|id| fill(&mut paths, peer(id), &nodes)).collect();
        let others = numbered.len() - FULL;
        assert_eq!(numbered, [vec![OF_ONE; FULL], vec![ALWAYS; others]].concat());

        paths.remove_peer(peer(2));
        let accepted = fill(&mut paths, peer(14), &nodes);
        assert_eq!(
            accepted,
            OF_ONE - others * ALWAYS,
            "the memory of a removed peer is available again"
        );
        assert_eq!(paths.discarded(), 0);
        (3..15).for_each(|id| paths.remove_peer(peer(id)));
        assert_eq!(paths.bytes, 0);
    }

    #[test]
    fn path_ids_of_removed_nodes_are_discarded_for_those_of_other_peers() {
        let nodes = nodes(OF_ONE + 3);
        let mut paths = RemotePaths::default();
        let others = 2..2 + FULL as i32;
        for id in others.clone() {
            assert_eq!(fill(&mut paths, peer(id), &nodes), OF_ONE);
        }
        nodes[..3].iter().for_each(|&node| paths.remove_node(node));
        assert_eq!(fill(&mut paths, peer(10), &nodes[3..]), 3 * FULL);
        assert_eq!((paths.discarded(), paths.unused.len()), (3 * FULL as u64, 0));
        for id in others {
            let has: Vec<_> = (1..=4).map(|number| paths.is_assigned(peer(id), number)).collect();
            assert_eq!(has, [false, false, false, true]);
        }
    }

    #[test]
    fn a_node_with_many_path_ids_keeps_the_latest() {
        let node = nodes(1)[0];
        let mut paths = RemotePaths::default();
        paths.add_peer(peer(2));
        let fit = PATH_CACHE_BYTES_MAX / (PATH_ENTRY_BYTES + 1);
        for id in 1..=fit as u32 + 10 {
            paths.assign(peer(2), node, None, announcement(id, "A")).unwrap();
        }
        assert_eq!((paths.discarded(), paths.unused.len()), (10, fit - 1));
        assert!(!paths.is_assigned(peer(2), 10) && paths.is_assigned(peer(2), 11));
    }

    #[test]
    fn path_ids_of_removed_nodes_do_not_exhaust_the_memory() {
        let mut tree = Tree::new("/root").unwrap();
        let mut paths = RemotePaths::default();
        paths.add_peer(peer(2));
        for id in 0..110_000 {
            let path = format!("Bullet_of_player_1234567890_{id:08}");
            let node = tree.add(tree.root(), &path, Group).unwrap().id();
            paths.assign(peer(2), node, None, announcement(id, &path)).unwrap();
            paths.set_mismatched(peer(2), node, true);
            tree.remove(node).unwrap();
            paths.remove_node(node);
        }
        let PeerPaths { assigned, bytes, in_use, unused, mismatched } = &paths.peers[&peer(2)];
        assert!(*bytes <= PATH_CACHE_BYTES_MAX && *bytes == paths.bytes, "{bytes}");
        assert_eq!((assigned.len(), in_use.len(), mismatched.len()), (unused.len(), 0, 0));
        assert_eq!(paths.discarded() as usize, 110_000 - assigned.len());
    }

    #[test]
    fn an_unused_id_that_is_not_assigned_is_removed_when_memory_is_freed() {
        let nodes = nodes(OF_ONE + 1);
        let mut paths = RemotePaths::default();
        assert_eq!(fill(&mut paths, peer(2), &nodes), OF_ONE);
        paths.unused.insert(0, (peer(2), 999));
        paths.peers.get_mut(&peer(2)).unwrap().unused.insert(0, 999);
        let refused = with_policy(OnBug::Count, || paths.free_memory(peer(2), ENTRY));
        assert_eq!(refused, Err(RefusedId::Full));
        assert!(paths.unused.is_empty() && paths.peers[&peer(2)].unused.is_empty());
    }
}
