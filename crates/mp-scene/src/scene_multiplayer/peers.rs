//! The admitted peers, in Godot's order, and the links that lead to them.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use mp_core::{ConnectionId, EndpointId, PeerId};

/// Removing a peer moves the last one into its place: seen in Godot 4.6.3, and on the wire in the order of ADD_PEER and of
/// broadcasts.
#[derive(Debug, Default)]
pub(super) struct Peers {
    entries: IndexMap<PeerId, Peer>,
    links: BTreeMap<(EndpointId, ConnectionId), PeerId>,
}

#[derive(Debug)]
pub(super) struct Peer {
    route: Route,
    pub(super) malformed: u64,
}

/// How a peer is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// On a link of a transport.
    Link(EndpointId, ConnectionId),
    /// Through the server.
    Relayed,
}

impl Peer {
    pub(super) fn new(route: Route) -> Self {
        Self { route, malformed: 0 }
    }
}

impl Peers {
    pub(super) fn insert(&mut self, id: PeerId, peer: Peer) {
        if let Route::Link(endpoint, connection) = peer.route {
            self.links.insert((endpoint, connection), id);
        }
        self.entries.insert(id, peer);
    }

    pub(super) fn remove(&mut self, id: PeerId) {
        if let Some(Peer { route: Route::Link(endpoint, connection), .. }) =
            self.entries.swap_remove(&id)
        {
            self.links.remove(&(endpoint, connection));
        }
    }

    pub(super) fn get_mut(&mut self, id: PeerId) -> Option<&mut Peer> {
        self.entries.get_mut(&id)
    }

    pub(super) fn contains(&self, id: PeerId) -> bool {
        self.entries.contains_key(&id)
    }

    pub(super) fn route(&self, id: PeerId) -> Option<Route> {
        self.entries.get(&id).map(|peer| peer.route)
    }

    /// The peer on a link.
    pub(super) fn at(&self, endpoint: EndpointId, connection: ConnectionId) -> Option<PeerId> {
        self.links.get(&(endpoint, connection)).copied()
    }

    pub(super) fn ids(&self) -> impl ExactSizeIterator<Item = PeerId> {
        self.entries.keys().copied()
    }

    pub(super) fn of_endpoint(&self, endpoint: EndpointId) -> Vec<PeerId> {
        let on_it = |peer: &Peer| matches!(peer.route, Route::Link(on, _) if on == endpoint);
        self.entries.iter().filter(|(_, peer)| on_it(peer)).map(|(&id, _)| id).collect()
    }
}
