//! Numbers of nodes: those that the client gives, and those of remote peers.

use std::collections::HashMap;
use std::rc::Rc;

use mp_core::PeerId;
use mp_scene::rpc::RpcIds;

/// The nodes that the client calls.
#[derive(Debug, Default)]
pub(super) struct OwnPaths {
    /// The index is the id.
    paths: Vec<Rc<str>>,
    /// Nodes that were announced to a peer, and whether the peer has confirmed them.
    announced: HashMap<(PeerId, u32), bool>,
}

impl OwnPaths {
    /// Returns the id of a path, a new one at the first call. A client has few: those of its
    /// scenario.
    pub(super) fn id(&mut self, path: &str) -> u32 {
        let index = self.paths.iter().position(|it| **it == *path);
        let index = index.unwrap_or_else(|| {
            self.paths.push(path.into());
            self.paths.len() - 1
        });
        index as u32
    }

    /// Records that `peer` is sent the path of an id. Returns false if it was before.
    pub(super) fn announce(&mut self, peer: PeerId, id: u32) -> bool {
        let mut is_new = false;
        self.announced.entry((peer, id)).or_insert_with(|| {
            is_new = true;
            false
        });
        is_new
    }

    /// Records that `peer` knows an id. Returns its path, if the id was announced to the peer.
    pub(super) fn confirm(&mut self, peer: PeerId, id: u32) -> Option<Rc<str>> {
        *self.announced.get_mut(&(peer, id))? = true;
        self.paths.get(id as usize).cloned()
    }

    pub(super) fn is_confirmed(&self, peer: PeerId, id: u32) -> bool {
        self.announced.get(&(peer, id)).is_some_and(|&is_confirmed| is_confirmed)
    }

    pub(super) fn forget(&mut self, peer: PeerId) {
        self.announced.retain(|&(of, _), _| of != peer);
    }
}

/// A node of a remote peer.
#[derive(Clone, Debug)]
pub(super) struct RemoteNode {
    pub(super) path: Rc<str>,
    /// Its methods, if they are known.
    pub(super) ids: Option<Rc<RpcIds>>,
}

/// The nodes that remote peers have announced.
#[derive(Debug, Default)]
pub(super) struct RemotePaths(HashMap<(PeerId, u32), RemoteNode>);

impl RemotePaths {
    /// Inserts a node. Returns false if there are too many or the path is too long.
    pub(super) fn insert(&mut self, from: PeerId, id: u32, node: RemoteNode) -> bool {
        let is_known = self.0.contains_key(&(from, id));
        if node.path.len() > PATH_BYTES_MAX || self.0.len() >= PATHS_MAX && !is_known {
            return false;
        }
        self.0.insert((from, id), node);
        true
    }

    pub(super) fn get(&self, from: PeerId, id: u32) -> Option<&RemoteNode> {
        self.0.get(&(from, id))
    }

    pub(super) fn forget(&mut self, peer: PeerId) {
        self.0.retain(|&(of, _), _| of != peer);
    }
}

/// Maximum number of nodes that all peers of a client announce.
const PATHS_MAX: usize = 65_536;
/// Maximum length of the path of a remote node in bytes.
const PATH_BYTES_MAX: usize = 4_096;
