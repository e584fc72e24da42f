//! The connected peers and their connections.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::{ConnectionId, PeerId};

/// A one-to-one map between peer ids and connections.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// Hashed with a random seed, since clients choose their ids.
    peers: IndexMap<PeerId, ConnectionId>,
    links: BTreeMap<ConnectionId, PeerId>,
}

impl Roster {
    /// Inserts a peer and returns true, or returns false if `id` is in use.
    pub(super) fn insert(&mut self, id: PeerId, connection: ConnectionId) -> bool {
        if self.peers.contains_key(&id) {
            return false;
        }
        self.peers.insert(id, connection);
        self.links.insert(connection, id);
        true
    }

    pub(super) fn remove(&mut self, connection: ConnectionId) -> Option<PeerId> {
        let id = self.links.remove(&connection)?;
        self.peers.swap_remove(&id);
        Some(id)
    }

    pub(super) fn clear(&mut self) {
        self.peers.clear();
        self.links.clear();
    }

    pub(super) fn connection(&self, id: PeerId) -> Option<ConnectionId> {
        self.peers.get(&id).copied()
    }

    pub(super) fn id(&self, connection: ConnectionId) -> Option<PeerId> {
        self.links.get(&connection).copied()
    }

    pub(super) fn ids(&self) -> impl ExactSizeIterator<Item = PeerId> {
        self.peers.keys().copied()
    }

    pub(super) fn connections(&self) -> impl Iterator<Item = ConnectionId> {
        self.peers.values().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }
}
