//! The peers of a session, admitted and authenticating.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use indexmap::IndexMap;
use mp_core::{Instant, PeerId};

use super::super::sender::Routes;

/// What is known of each peer besides its route.
#[derive(Debug, Default)]
pub(super) struct SessionPeers {
    admitted: BTreeMap<PeerId, Admitted>,
    last_order: u64,
    /// Peers that are not admitted yet. They keep their order when one leaves.
    pending: IndexMap<PeerId, Pending>,
}

#[derive(Clone, Copy, Debug)]
struct Admitted {
    /// Position in the order of admissions.
    order: u64,
    /// The peers that were admitted before were announced to it, and it to them.
    is_announced: bool,
    malformed: u64,
}

/// A peer that authenticates itself.
#[derive(Debug)]
pub(super) struct Pending {
    /// The time at which it connected.
    pub(super) since: Instant,
    /// Whether the local peer has completed.
    pub(super) local: bool,
    /// Whether the remote peer has completed.
    pub(super) remote: bool,
    malformed: u64,
}

impl SessionPeers {
    /// Adds an admitted peer; `is_announced` when the others learn of it and it of them.
    pub(super) fn insert(&mut self, peer: PeerId, is_announced: bool) {
        self.last_order += 1;
        let admitted = Admitted { order: self.last_order, is_announced, malformed: 0 };
        self.admitted.insert(peer, admitted);
    }

    /// Adds a peer that has to authenticate itself first.
    pub(super) fn insert_pending(&mut self, peer: PeerId, since: Instant) {
        let pending = Pending { since, local: false, remote: false, malformed: 0 };
        self.pending.insert(peer, pending);
    }

    pub(super) fn remove_pending(&mut self, peer: PeerId) -> bool {
        self.pending.shift_remove(&peer).is_some()
    }

    /// Removes a peer; returns whether it was authenticating itself, and whether it was admitted.
    pub(super) fn remove(&mut self, peer: PeerId) -> (bool, bool) {
        (self.remove_pending(peer), self.admitted.remove(&peer).is_some())
    }

    /// The peers to which the local peer has announced `peer`, in the order of `routes`. Of two peers
    /// both were announced when the later one was.
    pub(super) fn notified_of(&self, peer: PeerId, routes: &Routes) -> Vec<PeerId> {
        let Some(of) = self.admitted.get(&peer) else { return Vec::new() };
        let is_informed = |other: &Admitted| match other.order.cmp(&of.order) {
            Ordering::Less => of.is_announced,
            Ordering::Equal => false,
            Ordering::Greater => other.is_announced,
        };
        routes.ids().filter(|id| self.admitted.get(id).is_some_and(is_informed)).collect()
    }

    /// Counts a malformed packet of a peer, admitted or not; returns how many there were.
    pub(super) fn count_malformed(&mut self, peer: PeerId) -> Option<u64> {
        let admitted = self.admitted.get_mut(&peer).map(|admitted| &mut admitted.malformed);
        let pending = self.pending.get_mut(&peer).map(|pending| &mut pending.malformed);
        let malformed = admitted.or(pending)?;
        *malformed += 1;
        Some(*malformed)
    }

    pub(super) fn pending_mut(&mut self, peer: PeerId) -> Option<&mut Pending> {
        self.pending.get_mut(&peer)
    }

    pub(super) fn pending(&self) -> impl ExactSizeIterator<Item = (PeerId, &Pending)> {
        self.pending.iter().map(|(&peer, pending)| (peer, pending))
    }
}
