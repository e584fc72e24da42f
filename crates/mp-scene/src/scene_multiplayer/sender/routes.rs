//! The peers in Godot's order, and their connections.

use std::collections::BTreeMap;

use mp_core::{ConnectionId, EndpointId, PeerId};
use rustc_hash::FxHashMap;

/// The way in which a peer is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// By its own connection.
    Direct(EndpointId, ConnectionId),
    /// Through the server.
    Relayed,
    /// Not at all: the peer is kept without a connection.
    Kept,
}

/// The routes of admitted peers, and the connections of pending ones.
///
/// Removing an admitted peer moves the last one to its position, as in Godot 4.6.3. The order is
/// that of ADD_PEER and of broadcasts.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    admitted: Vec<(PeerId, Route)>,
    /// Number of admitted peers with [`Route::Kept`].
    kept: usize,
    /// Positions in `admitted`.
    positions: BTreeMap<PeerId, usize>,
    pending: BTreeMap<PeerId, (EndpointId, ConnectionId)>,
    /// Each received packet is looked up here. Remote peers do not choose the keys.
    peers: FxHashMap<(EndpointId, ConnectionId), PeerId>,
}

impl Routes {
    /// Adds an admitted peer, or changes its route.
    pub(crate) fn insert(&mut self, peer: PeerId, route: Route) {
        if let Route::Direct(endpoint, connection) = route {
            self.peers.insert((endpoint, connection), peer);
        }
        self.kept += usize::from(route == Route::Kept);
        match self.positions.get(&peer) {
            Some(&position) => {
                let before = std::mem::replace(&mut self.admitted[position].1, route);
                self.kept -= usize::from(before == Route::Kept);
                if let Route::Direct(endpoint, connection) = before
                    && before != route
                {
                    self.peers.remove(&(endpoint, connection));
                }
            }
            None => {
                self.positions.insert(peer, self.admitted.len());
                self.admitted.push((peer, route));
            }
        }
    }

    /// Adds a pending peer.
    pub(crate) fn insert_pending(
        &mut self,
        peer: PeerId,
        endpoint: EndpointId,
        connection: ConnectionId,
    ) {
        self.peers.insert((endpoint, connection), peer);
        self.pending.insert(peer, (endpoint, connection));
    }

    /// Removes a pending peer; returns its route.
    pub(crate) fn remove_pending(&mut self, peer: PeerId) -> Option<Route> {
        let at = self.pending.remove(&peer)?;
        self.peers.remove(&at);
        Some(Route::Direct(at.0, at.1))
    }

    /// Removes a peer, admitted or pending.
    pub(crate) fn remove(&mut self, peer: PeerId) {
        self.remove_pending(peer);
        let Some(position) = self.positions.remove(&peer) else { return };
        let (_, route) = self.admitted.swap_remove(position);
        self.kept -= usize::from(route == Route::Kept);
        if let Some(&(moved, _)) = self.admitted.get(position) {
            self.positions.insert(moved, position);
        }
        if let Route::Direct(endpoint, connection) = route {
            self.peers.remove(&(endpoint, connection));
        }
    }

    /// Returns whether `peer` is admitted.
    pub(crate) fn contains(&self, peer: PeerId) -> bool {
        self.positions.contains_key(&peer)
    }

    /// Returns the route of a peer, admitted or pending.
    pub(crate) fn get(&self, peer: PeerId) -> Option<Route> {
        let pending =
            || self.pending.get(&peer).map(|&(on, connection)| Route::Direct(on, connection));
        self.positions.get(&peer).map(|&position| self.admitted[position].1).or_else(pending)
    }

    /// Returns the route of a peer as [`get`](Self::get) does, for a list of peers in the order of
    /// [`ids`](Self::ids), in which some are left out. `next` is 0 for the first one. A peer at
    /// that position or the one after is found without a search.
    pub(crate) fn get_next(&self, next: &mut usize, peer: PeerId) -> Option<Route> {
        let mut near = (*next..).zip(self.admitted.iter().skip(*next).take(2));
        match near.find(|(_, (at, _))| *at == peer) {
            Some((position, &(_, route))) => {
                *next = position + 1;
                Some(route)
            }
            None => self.get(peer),
        }
    }

    /// Returns the connection to a peer, admitted or pending; `None` if the peer is relayed or
    /// unknown.
    pub(crate) fn connection(&self, peer: PeerId) -> Option<(EndpointId, ConnectionId)> {
        match self.get(peer)? {
            Route::Direct(endpoint, connection) => Some((endpoint, connection)),
            Route::Relayed | Route::Kept => None,
        }
    }

    /// Returns whether `peer` is kept without a connection.
    pub(crate) fn is_kept(&self, peer: PeerId) -> bool {
        self.kept > 0 && self.get(peer) == Some(Route::Kept)
    }

    /// Returns the peer of a connection, admitted or pending.
    pub(crate) fn at(&self, endpoint: EndpointId, connection: ConnectionId) -> Option<PeerId> {
        self.peers.get(&(endpoint, connection)).copied()
    }

    /// Returns the admitted peers.
    pub(crate) fn ids(&self) -> impl ExactSizeIterator<Item = PeerId> {
        self.admitted.iter().map(|&(peer, _)| peer)
    }

    /// Returns the peers with a connection on an endpoint, admitted or pending.
    pub(crate) fn of_endpoint(&self, endpoint: EndpointId) -> Vec<PeerId> {
        let on_endpoint = self.peers.iter().filter(|((on, _), _)| *on == endpoint);
        let mut peers: Vec<_> =
            on_endpoint.map(|(&(_, connection), &peer)| (connection, peer)).collect();
        peers.sort_unstable();
        peers.into_iter().map(|(_, peer)| peer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_is_kept_from_when_its_route_is_kept_until_it_has_another_or_none() {
        let [a, b] = [2, 3].map(|id| PeerId::new(id).unwrap());
        let direct = Route::Direct(EndpointId(1), ConnectionId { slot: 2, generation: 0 });
        let mut routes = Routes::default();
        let kept = |routes: &Routes| [a, b].map(|peer| routes.is_kept(peer));
        routes.insert(a, direct);
        routes.insert(b, Route::Kept);
        assert_eq!(kept(&routes), [false, true]);
        routes.insert(a, Route::Kept);
        assert_eq!(kept(&routes), [true, true]);
        routes.insert(a, direct);
        assert_eq!(kept(&routes), [false, true]);
        routes.remove(a);
        assert_eq!(kept(&routes), [false, true]);
        routes.remove(b);
        assert_eq!((kept(&routes), routes.kept), ([false, false], 0));
    }

    #[test]
    fn routes_of_a_list_of_peers_are_found_in_any_order() {
        let peer = |id| PeerId::new(id).unwrap();
        let mut routes = Routes::default();
        for slot in 2..8 {
            let connection = ConnectionId { slot, generation: 0 };
            routes.insert(peer(slot as i32), Route::Direct(EndpointId(1), connection));
        }
        for list in [&[2, 3, 4, 5, 6, 7][..], &[2, 4, 5, 7], &[3, 7, 2, 3], &[2, 9, 4, 6]] {
            let mut next = 0;
            let found = list.iter().map(|&id| routes.get_next(&mut next, peer(id)));
            assert!(found.eq(list.iter().map(|&id| routes.get(peer(id)))), "{list:?}");
        }
    }
}
