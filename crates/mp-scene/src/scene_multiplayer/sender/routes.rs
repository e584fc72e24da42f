//! The peers in Godot's order, and the connections that lead to them.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use mp_core::{ConnectionId, EndpointId, PeerId};

/// How a peer is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// On a connection of a transport.
    Direct(EndpointId, ConnectionId),
    /// Through the server.
    Relayed,
}

/// The routes of admitted peers, and the connections of those that authenticate themselves.
///
/// Removing an admitted peer moves the last one into its position: seen in Godot 4.6.3, and on the wire in
/// the order of ADD_PEER and of broadcasts.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    admitted: IndexMap<PeerId, Route>,
    pending: BTreeMap<PeerId, (EndpointId, ConnectionId)>,
    peers: BTreeMap<(EndpointId, ConnectionId), PeerId>,
}

impl Routes {
    /// Adds an admitted peer.
    pub(crate) fn insert(&mut self, peer: PeerId, route: Route) {
        if let Route::Direct(endpoint, connection) = route {
            self.peers.insert((endpoint, connection), peer);
        }
        self.admitted.insert(peer, route);
    }

    /// Adds a peer that has to authenticate itself first.
    pub(crate) fn insert_pending(
        &mut self,
        peer: PeerId,
        endpoint: EndpointId,
        connection: ConnectionId,
    ) {
        self.peers.insert((endpoint, connection), peer);
        self.pending.insert(peer, (endpoint, connection));
    }

    /// Removes a peer that authenticates itself; returns its route.
    pub(crate) fn remove_pending(&mut self, peer: PeerId) -> Option<Route> {
        let at = self.pending.remove(&peer)?;
        self.peers.remove(&at);
        Some(Route::Direct(at.0, at.1))
    }

    /// Removes a peer, admitted or not.
    pub(crate) fn remove(&mut self, peer: PeerId) {
        self.remove_pending(peer);
        if let Some(Route::Direct(endpoint, connection)) = self.admitted.swap_remove(&peer) {
            self.peers.remove(&(endpoint, connection));
        }
    }

    /// Whether `peer` is admitted.
    pub(crate) fn contains(&self, peer: PeerId) -> bool {
        self.admitted.contains_key(&peer)
    }

    /// The route of a peer, admitted or not.
    pub(crate) fn get(&self, peer: PeerId) -> Option<Route> {
        let pending =
            || self.pending.get(&peer).map(|&(on, connection)| Route::Direct(on, connection));
        self.admitted.get(&peer).copied().or_else(pending)
    }

    /// The connection to a peer, admitted or not; `None` when the peer is relayed or unknown.
    pub(crate) fn connection(&self, peer: PeerId) -> Option<(EndpointId, ConnectionId)> {
        match self.get(peer)? {
            Route::Direct(endpoint, connection) => Some((endpoint, connection)),
            Route::Relayed => None,
        }
    }

    /// The peer on a connection, admitted or not.
    pub(crate) fn at(&self, endpoint: EndpointId, connection: ConnectionId) -> Option<PeerId> {
        self.peers.get(&(endpoint, connection)).copied()
    }

    /// The admitted peers.
    pub(crate) fn ids(&self) -> impl ExactSizeIterator<Item = PeerId> {
        self.admitted.keys().copied()
    }

    /// The peers on connections of an endpoint, admitted or not.
    pub(crate) fn of_endpoint(&self, endpoint: EndpointId) -> Vec<PeerId> {
        self.peers.iter().filter(|((on, _), _)| *on == endpoint).map(|(_, &peer)| peer).collect()
    }
}
