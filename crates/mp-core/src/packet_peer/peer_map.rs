//! The connected peers and their connections.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::{ConnectionId, PeerId};

/// A one-to-one map between peer ids and connections.
#[derive(Debug, Default)]
pub(super) struct PeerMap {
    /// Hashed with a random seed, since clients choose their ids.
    by_id: IndexMap<PeerId, ConnectionId>,
    by_connection: BTreeMap<ConnectionId, PeerId>,
}

impl PeerMap {
    /// Inserts a peer and returns true, or returns false if `id` is in use.
    pub(super) fn insert(&mut self, id: PeerId, connection: ConnectionId) -> bool {
        if self.by_id.contains_key(&id) {
            return false;
        }
        self.by_id.insert(id, connection);
        self.by_connection.insert(connection, id);
        true
    }

    pub(super) fn remove(&mut self, connection: ConnectionId) -> Option<PeerId> {
        let id = self.by_connection.remove(&connection)?;
        self.by_id.swap_remove(&id);
        Some(id)
    }

    pub(super) fn clear(&mut self) {
        self.by_id.clear();
        self.by_connection.clear();
    }

    pub(super) fn connection(&self, id: PeerId) -> Option<ConnectionId> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn id(&self, connection: ConnectionId) -> Option<PeerId> {
        self.by_connection.get(&connection).copied()
    }

    pub(super) fn ids(&self) -> impl ExactSizeIterator<Item = PeerId> {
        self.by_id.keys().copied()
    }

    pub(super) fn connections(&self) -> impl Iterator<Item = ConnectionId> {
        self.by_id.values().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }
}
