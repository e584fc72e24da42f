//! Nodes that peers have spawned, and their synchronizers.

use std::collections::HashMap;
use std::rc::Rc;

use super::paths::Sender;
use crate::limits::{DEPTH_MAX, PATH_BYTES_MAX, SPAWNED_MAX};
use crate::names::{ProjectNames, SceneNames, SynchronizerNames};

/// A synchronizer of a spawned node, or one whose path was announced.
#[derive(Clone, Debug)]
pub(crate) struct KnownSynchronizer {
    pub(crate) path: Rc<str>,
    pub(crate) names: Option<Rc<SynchronizerNames>>,
}

/// A spawned node.
#[derive(Debug)]
struct SpawnedNode {
    /// Path, or the name alone if the spawner is unknown.
    path: Rc<str>,
    synchronizers: Vec<u32>,
}

/// The spawned nodes of a connection.
#[derive(Debug, Default)]
pub(crate) struct SpawnedNodes {
    nodes: HashMap<(Sender, u32), SpawnedNode>,
    synchronizers: HashMap<(Sender, u32), KnownSynchronizer>,
    /// Scenes of spawned nodes by the paths of their roots.
    scenes: HashMap<Rc<str>, Rc<SceneNames>>,
    bytes: usize,
}

impl SpawnedNodes {
    /// Inserts a node with its synchronizers, in the order of their ids. Returns false if there are
    /// too many.
    pub(crate) fn insert(
        &mut self,
        sender: Sender,
        net_id: u32,
        path: &Rc<str>,
        scene: Option<&Rc<SceneNames>>,
        synchronizers: Vec<(u32, KnownSynchronizer)>,
    ) -> bool {
        self.remove(sender, net_id);
        let bytes = path.len() + synchronizers.iter().map(|(_, it)| it.path.len()).sum::<usize>();
        if self.nodes.len() >= SPAWNED_MAX
            || self.synchronizers.len() + synchronizers.len() > SPAWNED_MAX
            || self.bytes + bytes > PATH_BYTES_MAX
        {
            return false;
        }
        if let Some(scene) = scene {
            self.scenes.insert(Rc::clone(path), Rc::clone(scene));
        }
        let mut ids = Vec::new();
        self.bytes += path.len();
        for (id, synchronizer) in synchronizers {
            self.bytes += synchronizer.path.len();
            let replaced = self.synchronizers.insert((sender, id), synchronizer);
            self.bytes -= replaced.map_or(0, |it| it.path.len());
            ids.push(id);
        }
        let node = SpawnedNode { path: Rc::clone(path), synchronizers: ids };
        self.nodes.insert((sender, net_id), node);
        true
    }

    /// Removes a node. Returns its path.
    pub(crate) fn remove(&mut self, sender: Sender, net_id: u32) -> Option<Rc<str>> {
        let node = self.nodes.remove(&(sender, net_id))?;
        self.scenes.remove(&node.path);
        self.bytes -= node.path.len();
        for id in node.synchronizers {
            let removed = self.synchronizers.remove(&(sender, id));
            self.bytes -= removed.map_or(0, |it| it.path.len());
        }
        Some(node.path)
    }

    /// Removes the nodes of a peer.
    pub(crate) fn forget(&mut self, sender: Sender) {
        let ids: Vec<u32> =
            self.nodes.keys().filter(|(of, _)| *of == sender).map(|(_, id)| *id).collect();
        for id in ids {
            self.remove(sender, id);
        }
    }

    /// Returns the synchronizer with this net id.
    pub(crate) fn synchronizer(&self, sender: Sender, net_id: u32) -> Option<&KnownSynchronizer> {
        self.synchronizers.get(&(sender, net_id))
    }

    /// Returns the scenes that may contain the node at `path`, each with the node's path relative
    /// to the root of the scene, and the path of that root.
    pub(crate) fn scenes_at<'a>(
        &'a self,
        names: Option<&'a ProjectNames>,
        path: &'a str,
    ) -> impl Iterator<Item = (&'a Rc<SceneNames>, &'a str, &'a str)> {
        let is_shallow = path.split('/').take(DEPTH_MAX + 1).count() <= DEPTH_MAX;
        let path = if is_shallow { path } else { "" };
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let ends: Vec<usize> = ends.collect();
        let spawned = ends.into_iter().rev().filter_map(move |end| {
            let scene = self.scenes.get(&path[..end])?;
            Some((scene, relative(path, end), &path[..end]))
        });
        let end = path.find('/').unwrap_or(path.len());
        let roots = names.into_iter().flat_map(move |names| names.roots(&path[..end]));
        spawned.chain(roots.map(move |scene| (scene, relative(path, end), &path[..end])))
    }
}

/// Returns the part of `path` after the root that ends at `end`; `.` for the root itself.
fn relative(path: &str, end: usize) -> &str {
    if end == path.len() { "." } else { &path[end + 1..] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn synchronizer(path: &str) -> KnownSynchronizer {
        KnownSynchronizer { path: path.into(), names: None }
    }

    #[test]
    fn removed_nodes_free_their_memory() {
        let mut nodes = SpawnedNodes::default();
        for id in 0..SPAWNED_MAX as u32 {
            let of_node = vec![(id, synchronizer("a/S"))];
            assert!(nodes.insert(Sender::Client, id, &"a".into(), None, of_node));
        }
        assert!(!nodes.insert(Sender::Client, u32::MAX, &"a".into(), None, Vec::new()));
        nodes.forget(Sender::Client);
        assert_eq!((nodes.bytes, nodes.synchronizers.len(), nodes.nodes.len()), (0, 0, 0));
    }

    #[test]
    fn nodes_that_share_ids_of_synchronizers_are_counted_once() {
        let mut nodes = SpawnedNodes::default();
        for id in [1, 2] {
            nodes.insert(Sender::Client, id, &"a".into(), None, vec![(9, synchronizer("a/S"))]);
        }
        nodes.forget(Sender::Client);
        assert_eq!(nodes.bytes, 0);
    }
}
