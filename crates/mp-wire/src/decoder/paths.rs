//! Node paths that peers have announced.

use std::collections::HashMap;
use std::rc::Rc;

use mp_core::PeerId;

use crate::limits::{PATH_BYTES_MAX, PATHS_MAX};

/// The sender of a packet, whose ids the packet contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Sender {
    /// The client of the connection.
    Client,
    /// The server, or another client that the server relays.
    Peer(PeerId),
}

/// A node that a peer has announced.
#[derive(Clone, Debug)]
pub(crate) struct AnnouncedNode {
    pub(crate) path: Rc<str>,
    pub(crate) checksum: [u8; 32],
}

/// The announced nodes of a connection.
#[derive(Debug, Default)]
pub(crate) struct PathTable {
    nodes: HashMap<(Sender, u32), AnnouncedNode>,
    /// Checksums of paths, for calls by path.
    checksums: HashMap<(Sender, Rc<str>), [u8; 32]>,
    bytes: usize,
}

impl PathTable {
    /// Inserts a node. Returns false if the table is full.
    pub(crate) fn insert(&mut self, sender: Sender, id: u32, node: AnnouncedNode) -> bool {
        self.remove(sender, id);
        if self.nodes.len() >= PATHS_MAX || self.bytes + node.path.len() > PATH_BYTES_MAX {
            return false;
        }
        self.bytes += node.path.len();
        self.checksums.insert((sender, Rc::clone(&node.path)), node.checksum);
        self.nodes.insert((sender, id), node);
        true
    }

    /// Returns the node that `sender` refers to by `id`.
    pub(crate) fn get(&self, sender: Sender, id: u32) -> Option<&AnnouncedNode> {
        self.nodes.get(&(sender, id))
    }

    /// Returns the checksum that `sender` has announced for a path.
    pub(crate) fn checksum(&self, sender: Sender, path: &Rc<str>) -> Option<&[u8; 32]> {
        self.checksums.get(&(sender, Rc::clone(path)))
    }

    /// Removes the nodes of a peer.
    pub(crate) fn forget(&mut self, sender: Sender) {
        let ids: Vec<u32> =
            self.nodes.keys().filter(|(of, _)| *of == sender).map(|(_, id)| *id).collect();
        ids.into_iter().for_each(|id| self.remove(sender, id));
    }

    fn remove(&mut self, sender: Sender, id: u32) {
        if let Some(node) = self.nodes.remove(&(sender, id)) {
            self.bytes -= node.path.len();
            self.checksums.remove(&(sender, node.path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_number_of_paths_are_bounded() {
        let node = |len: usize| AnnouncedNode { path: "a".repeat(len).into(), checksum: [0; 32] };
        let mut table = PathTable::default();
        assert!(table.insert(Sender::Client, 1, node(PATH_BYTES_MAX)));
        assert!(!table.insert(Sender::Client, 2, node(1)));
        table.forget(Sender::Client);
        for id in 0..PATHS_MAX as u32 {
            assert!(table.insert(Sender::Client, id, node(1)));
        }
        assert!(!table.insert(Sender::Client, u32::MAX, node(1)));
        assert!(table.insert(Sender::Client, 0, node(1)), "a known id is replaced");
    }
}
