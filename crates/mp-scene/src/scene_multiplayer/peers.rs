//! The peers, admitted and authenticating, in Godot's order, and the links that lead to them.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use indexmap::IndexMap;
use mp_core::{ConnectionId, EndpointId, Instant, PeerId};

/// Removing a peer moves the last one into its place: seen in Godot 4.6.3, and on the wire in the order of ADD_PEER and of
/// broadcasts.
#[derive(Debug, Default)]
pub(super) struct Peers {
    entries: IndexMap<PeerId, Peer>,
    last_order: u64,
    /// Those that the transport has reported and that are not admitted yet. They keep their order when one leaves.
    pending: IndexMap<PeerId, Pending>,
    links: BTreeMap<(EndpointId, ConnectionId), PeerId>,
}

#[derive(Clone, Copy, Debug)]
struct Peer {
    route: Route,
    /// Position in the order of admissions.
    order: u64,
    /// The peers that were admitted before were announced to it, and it to them.
    is_announced: bool,
    malformed: u64,
}

/// A peer that authenticates itself.
#[derive(Debug)]
pub(super) struct Pending {
    endpoint: EndpointId,
    connection: ConnectionId,
    /// Since when.
    pub(super) since: Instant,
    /// Whether this side has completed.
    pub(super) local: bool,
    /// Whether the other side has.
    pub(super) remote: bool,
    malformed: u64,
}

/// How a peer is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// On a link of a transport.
    Link(EndpointId, ConnectionId),
    /// Through the server.
    Relayed,
}

impl Peers {
    /// Adds an admitted peer; `is_announced` when the others learn of it and it of them.
    pub(super) fn insert(&mut self, id: PeerId, route: Route, is_announced: bool) {
        if let Route::Link(endpoint, connection) = route {
            self.links.insert((endpoint, connection), id);
        }
        self.last_order += 1;
        let peer = Peer { route, order: self.last_order, is_announced, malformed: 0 };
        self.entries.insert(id, peer);
    }

    /// The peers to which this side has announced `id`. Of two peers both were announced when the
    /// later one was.
    pub(super) fn informed_of(&self, id: PeerId) -> Vec<PeerId> {
        let Some(peer) = self.entries.get(&id) else { return Vec::new() };
        let is_informed = |other: &Peer| match other.order.cmp(&peer.order) {
            Ordering::Less => peer.is_announced,
            Ordering::Equal => false,
            Ordering::Greater => other.is_announced,
        };
        let informed = self.entries.iter().filter(|(_, other)| is_informed(other));
        informed.map(|(&id, _)| id).collect()
    }

    /// Notes a peer that has to authenticate itself first.
    pub(super) fn insert_pending(
        &mut self,
        id: PeerId,
        endpoint: EndpointId,
        connection: ConnectionId,
        since: Instant,
    ) {
        self.links.insert((endpoint, connection), id);
        let pending =
            Pending { endpoint, connection, since, local: false, remote: false, malformed: 0 };
        self.pending.insert(id, pending);
    }

    /// Forgets that a peer authenticates itself; its link, if it did.
    pub(super) fn remove_pending(&mut self, id: PeerId) -> Option<Route> {
        let Pending { endpoint, connection, .. } = self.pending.shift_remove(&id)?;
        self.links.remove(&(endpoint, connection));
        Some(Route::Link(endpoint, connection))
    }

    /// Forgets a peer; returns whether it was authenticating itself, and whether it was admitted.
    pub(super) fn remove(&mut self, id: PeerId) -> (bool, bool) {
        let was_pending = self.remove_pending(id).is_some();
        let admitted = self.entries.swap_remove(&id);
        if let Some(Peer { route: Route::Link(endpoint, connection), .. }) = admitted {
            self.links.remove(&(endpoint, connection));
        }
        (was_pending, admitted.is_some())
    }

    /// How many packets of a peer, admitted or not, could not be understood.
    pub(super) fn malformed_mut(&mut self, id: PeerId) -> Option<&mut u64> {
        let admitted = self.entries.get_mut(&id).map(|peer| &mut peer.malformed);
        admitted.or_else(|| self.pending.get_mut(&id).map(|pending| &mut pending.malformed))
    }

    pub(super) fn pending_mut(&mut self, id: PeerId) -> Option<&mut Pending> {
        self.pending.get_mut(&id)
    }

    pub(super) fn pending(&self) -> impl ExactSizeIterator<Item = (PeerId, &Pending)> {
        self.pending.iter().map(|(&id, pending)| (id, pending))
    }

    pub(super) fn is_pending(&self, id: PeerId) -> bool {
        self.pending.contains_key(&id)
    }

    pub(super) fn contains(&self, id: PeerId) -> bool {
        self.entries.contains_key(&id)
    }

    /// How a peer is reached, admitted or not.
    pub(super) fn route(&self, id: PeerId) -> Option<Route> {
        let admitted = self.entries.get(&id).map(|peer| peer.route);
        let pending = || self.pending.get(&id);
        admitted.or_else(|| pending().map(|it| Route::Link(it.endpoint, it.connection)))
    }

    /// The peer on a link.
    pub(super) fn at(&self, endpoint: EndpointId, connection: ConnectionId) -> Option<PeerId> {
        self.links.get(&(endpoint, connection)).copied()
    }

    pub(super) fn ids(&self) -> impl ExactSizeIterator<Item = PeerId> {
        self.entries.keys().copied()
    }

    /// All peers, admitted or not.
    pub(super) fn known(&self) -> impl Iterator<Item = PeerId> {
        self.entries.keys().chain(self.pending.keys()).copied()
    }

    /// The peers on links of an endpoint, admitted or not.
    pub(super) fn of_endpoint(&self, endpoint: EndpointId) -> Vec<PeerId> {
        self.links.iter().filter(|((on, _), _)| *on == endpoint).map(|(_, &id)| id).collect()
    }
}
