//! Path ids assigned by the local peer.

use std::collections::BTreeMap;

use mp_core::{AnnouncedId, Instant, PeerId, bug};
use rustc_hash::FxHashMap;

use super::announced::{AnnouncedPaths, ConfirmedPath};
use super::repeats::Repeats;
use crate::ids::{IdBlocks, IdCounter};
use crate::tree::NodeId;

/// Path ids assigned by the local peer.
///
/// Ids are shared by all peers, and count up from 1 unless they are drawn from
/// [blocks](crate::IdBlocks). A node keeps its id until it leaves the tree or its path changes. An
/// id is not reused before [`clear`](Self::clear). The nodes in the tree bound the number of ids of
/// each peer.
///
/// An id is announced to a peer before its first use, and again until the peer confirms it.
/// [`AnnouncedPaths`] determines when a repeat is due, and [`Repeats`] how many are sent at a time.
#[derive(Debug, Default)]
pub(crate) struct OwnPaths {
    counter: IdCounter,
    ids: FxHashMap<NodeId, u32>,
    peers: BTreeMap<PeerId, AnnouncedPaths>,
    /// Numbers of peers to whom an id is announced, and who have confirmed it.
    confirmed: FxHashMap<u32, usize>,
    repeats: Repeats,
    /// Number of announcements so far.
    last_order: u64,
    now: Instant,
}

impl OwnPaths {
    pub(crate) fn add_peer(&mut self, peer: PeerId) {
        self.remove_peer(peer);
        self.peers.insert(peer, AnnouncedPaths::default());
    }

    pub(crate) fn remove_peer(&mut self, peer: PeerId) {
        let Some(paths) = self.peers.remove(&peer) else { return };
        for (id, due) in paths.due() {
            self.repeats.remove(due, peer, id);
        }
        for id in paths.confirmed() {
            if let Some(count) = self.confirmed.get_mut(&id) {
                *count -= 1;
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        let mut counter = std::mem::take(&mut self.counter);
        counter.restart();
        *self = Self { counter, now: self.now, ..Self::default() };
    }

    /// Sets the time of announcements.
    pub(crate) fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    /// Returns the id of `node`, and assigns one if it has none.
    pub(crate) fn id_of(&mut self, node: NodeId) -> u32 {
        if let Some(id) = self.ids.get(&node) {
            return *id;
        }
        let id = self.next_id();
        self.ids.insert(node, id);
        id
    }

    /// Returns an id that was not assigned before.
    pub(crate) fn next_id(&mut self) -> u32 {
        self.counter.next()
    }

    pub(crate) fn counter(&self) -> &IdCounter {
        &self.counter
    }

    pub(crate) fn counter_mut(&mut self) -> &mut IdCounter {
        &mut self.counter
    }

    /// Draws ids from `blocks`.
    pub(crate) fn set_blocks(&mut self, blocks: IdBlocks) {
        self.counter.set_blocks(blocks);
    }

    /// Returns the id of `node`; `None` if it has none.
    pub(crate) fn known_id_of(&self, node: NodeId) -> Option<u32> {
        self.ids.get(&node).copied()
    }

    /// Discards the id of a node that was removed, renamed or moved.
    pub(crate) fn remove_node(&mut self, node: NodeId) {
        self.discard(node, |_| ());
    }

    /// Discards the ids of the nodes for which `has_moved` returns true. Returns these nodes, and
    /// the peers that had not confirmed their ids.
    pub(crate) fn remove_nodes(
        &mut self,
        has_moved: impl Fn(NodeId) -> bool,
    ) -> (Vec<NodeId>, Vec<(PeerId, NodeId)>) {
        let mut moved: Vec<_> = self.ids.iter().filter(|(node, _)| has_moved(**node)).collect();
        moved.sort_unstable_by_key(|(_, id)| **id);
        let moved: Vec<_> = moved.into_iter().map(|(node, _)| *node).collect();
        let mut unconfirmed = Vec::new();
        for &node in &moved {
            self.discard(node, |peer| unconfirmed.push((peer, node)));
        }
        (moved, unconfirmed)
    }

    /// Discards the id of a node, and reports the peers that had not confirmed it.
    fn discard(&mut self, node: NodeId, mut had_not_confirmed: impl FnMut(PeerId)) {
        let Some(id) = self.ids.remove(&node) else { return };
        self.confirmed.remove(&id);
        for (&peer, paths) in &mut self.peers {
            if let Some(due) = paths.remove(id) {
                self.repeats.remove(due, peer, id);
                had_not_confirmed(peer);
            }
        }
    }

    /// Records that `id`, the id of `node`, is announced to `peer` now. Returns false if it was
    /// announced before, in this branch or an earlier one, or the peer is unknown.
    pub(crate) fn record_announced(&mut self, peer: PeerId, id: u32, node: NodeId) -> bool {
        let Some(paths) = self.peers.get_mut(&peer) else { return false };
        let Some(new) = paths.announce(self.now, self.last_order + 1, id, node) else {
            return false;
        };
        self.last_order += 1;
        match new.due {
            Some(due) => self.repeats.insert(due, peer, id),
            None => *self.confirmed.entry(id).or_default() += 1,
        }
        !new.is_known
    }

    /// Adds ids that were announced to `peer` before its connection moved to this branch.
    pub(crate) fn add_carried(&mut self, peer: PeerId, ids: &[AnnouncedId]) {
        if let Some(paths) = self.peers.get_mut(&peer) {
            paths.add_carried(ids);
        }
    }

    /// Returns all ids that were announced to `peer`, in this branch and earlier ones.
    pub(crate) fn carry(&self, peer: PeerId) -> Vec<AnnouncedId> {
        self.peers.get(&peer).map(|paths| paths.carry().collect()).unwrap_or_default()
    }

    /// Returns the number of ids of [`carry`](Self::carry).
    pub(crate) fn carried_len(&self, peer: PeerId) -> usize {
        self.peers.get(&peer).map_or(0, AnnouncedPaths::carried_len)
    }

    /// Records that an id was announced again now, which restarts the time until the next repeat.
    pub(crate) fn record_repeated(&mut self, peer: PeerId, id: u32) {
        let Some(paths) = self.peers.get_mut(&peer) else {
            bug!("path id {id} is announced to {peer} again, which is no peer");
            return;
        };
        self.last_order += 1;
        if let Some((before, due)) = paths.record_repeated(self.now, self.last_order, id) {
            self.repeats.remove(before, peer, id);
            self.repeats.insert(due, peer, id);
        }
    }

    /// Removes and returns an id to announce to a peer again now; the caller calls
    /// [`record_repeated`](Self::record_repeated) after sending. If it does not, the repeat is due
    /// again later.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<(PeerId, u32, NodeId)> {
        loop {
            let (peer, id) = self.repeats.take(now)?;
            let paths = self.peers.get_mut(&peer);
            let Some((node, due)) = paths.and_then(|paths| paths.take_due(now, id)) else {
                bug!("path id {id} is to be announced to {peer} again, but is not announced");
                continue;
            };
            self.repeats.insert(due, peer, id);
            if let Some(node) = node {
                self.repeats.count();
                return Some((peer, id, node));
            }
        }
    }

    /// Returns the time of the next [`take_due`](Self::take_due).
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.repeats.next()
    }

    /// Returns the ids that a peer has not confirmed for so long that it may have loaded their
    /// nodes since.
    pub(crate) fn unconfirmed(&self, peer: PeerId) -> impl Iterator<Item = (u32, NodeId)> {
        self.peers.get(&peer).into_iter().flat_map(AnnouncedPaths::unconfirmed)
    }

    /// Records that `peer` has confirmed `id`; `None` if the id was not announced to it.
    pub(crate) fn confirm(&mut self, now: Instant, peer: PeerId, id: u32) -> Option<ConfirmedPath> {
        let (path, due) = self.peers.get_mut(&peer)?.confirm(now, id)?;
        if let Some(due) = due {
            self.repeats.remove(due, peer, id);
            *self.confirmed.entry(id).or_default() += 1;
        }
        Some(path)
    }

    /// Returns whether `id` is announced to all peers, and all have confirmed it.
    pub(crate) fn is_confirmed_by_all(&self, id: u32) -> bool {
        self.confirmed.get(&id).is_some_and(|&count| count == self.peers.len())
    }

    /// Returns whether `peer` has confirmed `id`.
    pub(crate) fn is_confirmed(&self, peer: PeerId, id: u32) -> bool {
        self.peers.get(&peer).is_some_and(|paths| paths.is_confirmed(id))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use mp_core::bug::{OnBug, with_policy};

    use super::*;
    use crate::limits::{PATH_REPEAT, PATH_REPEAT_INTERVAL, PATH_REPEATS_MAX};
    use crate::tree::{Group, NodeTree, Tree};

    const PEER: PeerId = PeerId::SERVER;
    const SECOND: Duration = Duration::from_secs(1);

    /// Path ids of a tree, under virtual time.
    struct World {
        tree: Tree,
        paths: OwnPaths,
        now: Instant,
    }

    impl World {
        fn new() -> Self {
            let mut paths = OwnPaths::default();
            paths.add_peer(PEER);
            let mut world = Self { tree: Tree::new("/root").unwrap(), paths, now: Instant::ZERO };
            world.wait(SECOND);
            world
        }

        fn wait(&mut self, time: Duration) {
            self.now += time;
            self.paths.set_now(self.now);
        }

        /// Announces a new node to `peer` and returns its id.
        fn announce(&mut self, peer: PeerId) -> u32 {
            let root = self.tree.root();
            let name = format!("n{}", self.paths.counter.last());
            let node = self.tree.add(root, &name, Group).unwrap().id();
            let id = self.paths.id_of(node);
            assert!(self.paths.record_announced(peer, id, node));
            id
        }

        fn confirm(&mut self, id: u32) {
            self.paths.confirm(self.now, PEER, id).unwrap();
        }

        /// Runs the repeats that are due now.
        fn repeat(&mut self) -> Vec<u32> {
            let mut repeated = Vec::new();
            while let Some((peer, id, _)) = self.paths.take_due(self.now) {
                self.paths.record_repeated(peer, id);
                repeated.push(id);
            }
            repeated
        }

        /// Runs the repeats that are due within `time`. Returns their ids and times.
        fn repeat_for(&mut self, time: Duration) -> Vec<(u32, Duration)> {
            let (start, mut repeated) = (self.now, Vec::new());
            while let Some(due) = self.paths.next_due()
                && due <= start + time
            {
                let now = self.now.max(due);
                self.wait(now - self.now);
                repeated.extend(self.repeat().into_iter().map(|id| (id, now - start)));
            }
            self.wait(start + time - self.now);
            repeated
        }
    }

    #[test]
    fn a_path_that_is_not_confirmed_is_repeated_after_2_and_4_and_then_each_8_s() {
        let mut world = World::new();
        let id = world.announce(PEER);
        let times = [2, 6, 14, 22].map(|seconds| (id, seconds * SECOND));
        assert_eq!(world.repeat_for(25 * SECOND), times);
        world.confirm(id);
        assert_eq!(world.repeat_for(25 * SECOND), []);
    }

    #[test]
    fn id_is_confirmed_by_all_while_each_peer_has_confirmed_it() {
        let mut world = World::new();
        let other = PeerId::new(2).unwrap();
        let id = world.announce(PEER);
        assert!(!world.paths.is_confirmed_by_all(id));
        world.confirm(id);
        world.confirm(id);
        assert!(world.paths.is_confirmed_by_all(id));
        world.paths.add_peer(other);
        assert!(!world.paths.is_confirmed_by_all(id), "the new peer has not");
        let known = AnnouncedId { id, is_confirmed: true };
        world.paths.add_carried(other, &[known]);
        let node = world.tree.find("n0").unwrap();
        assert!(!world.paths.record_announced(other, id, node), "it has, before it came");
        assert!(world.paths.is_confirmed_by_all(id));
        world.paths.remove_peer(PEER);
        assert!(world.paths.is_confirmed_by_all(id), "the other one has");
        world.paths.remove_node(node);
        assert!(!world.paths.is_confirmed_by_all(id), "the id is discarded");
    }

    #[test]
    fn a_path_is_not_repeated_before_two_round_trips() {
        let mut world = World::new();
        let known = world.announce(PEER);
        world.wait(SECOND * 3 / 2);
        world.confirm(known);
        let id = world.announce(PEER);
        assert_eq!(world.repeat_for(5 * SECOND), [(id, 3 * SECOND)]);

        // A single long round trip must not delay repeats for good.
        for _ in 0..20 {
            let known = world.announce(PEER);
            world.confirm(known);
        }
        let id = world.announce(PEER);
        let first = world.repeat_for(3 * SECOND).into_iter().find(|(repeated, _)| *repeated == id);
        assert_eq!(first, Some((id, 2 * SECOND)));
    }

    #[test]
    fn unconfirmed_paths_are_not_repeated_while_a_slow_peer_confirms_others() {
        let mut world = World::new();
        let ids: Vec<_> = (0..10_000).map(|_| world.announce(PEER)).collect();
        for some in ids.chunks(50) {
            assert_eq!(world.repeat_for(SECOND / 10), []);
            some.iter().for_each(|&id| world.confirm(id));
        }
        assert_eq!(world.paths.next_due(), None);
    }

    #[test]
    fn a_path_is_repeated_although_the_peer_confirms_later_ones() {
        let mut world = World::new();
        let id = world.announce(PEER);
        let mut repeated = Vec::new();
        for _ in 0..30 {
            let later = world.announce(PEER);
            repeated.extend(world.repeat_for(SECOND / 10));
            world.confirm(later);
        }
        assert_eq!(repeated, [(id, SECOND / 10)], "after 2 s");
    }

    #[test]
    fn repeats_to_all_peers_together_are_bounded_and_none_is_lost() {
        let mut world = World::new();
        for peer in (1..9).map(|id| PeerId::new(id).unwrap()) {
            world.paths.add_peer(peer);
            for _ in 0..1_000 {
                world.announce(peer);
            }
        }
        world.wait(PATH_REPEAT);
        let (mut repeated, mut turns) = (BTreeSet::new(), 0);
        while repeated.len() < 8_000 {
            let now = world.repeat();
            assert!(now.len() <= PATH_REPEATS_MAX, "{} in an interval", now.len());
            assert_eq!(world.repeat(), [], "in the same interval");
            repeated.extend(now);
            world.wait(PATH_REPEAT_INTERVAL);
            turns += 1;
        }
        assert_eq!(turns, 8_000usize.div_ceil(PATH_REPEATS_MAX));
    }

    #[test]
    fn path_ids_of_removed_nodes_leave_nothing_behind() {
        let mut world = World::new();
        let silent = PeerId::new(2).unwrap();
        world.paths.add_peer(silent);
        for _ in 0..110_000 {
            let id = world.announce(PEER);
            let name = format!("n{}", id - 1);
            let node = world.tree.find(&name).unwrap();
            assert!(world.paths.record_announced(silent, id, node));
            world.confirm(id);
            world.wait(SECOND);
            world.repeat();
            world.tree.remove(node).unwrap();
            world.tree.take_changes();
            world.paths.remove_node(node);
        }
        let OwnPaths { counter, ids, peers, confirmed, repeats, .. } = world.paths;
        assert_eq!((counter.last(), ids.len(), repeats.len()), (110_000, 0, 0));
        assert!(confirmed.is_empty());
        assert!(peers.values().all(AnnouncedPaths::is_empty));
    }

    #[test]
    fn a_repeat_of_an_id_that_is_not_announced_is_dropped_and_later_ones_are_sent() {
        let mut world = World::new();
        world.paths.repeats.insert(world.now, PEER, 99);
        let id = world.announce(PEER);
        world.wait(PATH_REPEAT);
        let repeated = with_policy(OnBug::Count, || world.repeat());
        assert_eq!(repeated, [id]);
    }
}
