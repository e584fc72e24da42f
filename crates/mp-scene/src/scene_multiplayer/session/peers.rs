//! The admitted and the pending peers of a session.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use indexmap::IndexMap;
use mp_core::{Instant, PeerId};
use serde::{Deserialize, Serialize};

use super::super::sender::Routes;

/// The state of each peer except its route.
#[derive(Debug, Default)]
pub(super) struct SessionPeers {
    admitted: BTreeMap<PeerId, AdmittedPeer>,
    last_order: u64,
    /// Pending peers. Their order does not change when one is removed.
    pending: IndexMap<PeerId, Pending>,
}

/// The state of an admitted peer.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct AdmittedPeer {
    /// Position in the order of admission.
    order: u64,
    /// True if this peer and those admitted before it were announced to each other.
    is_announced: bool,
    /// True if the server forwards the peer's packets to others.
    may_relay: bool,
    malformed: u64,
}

/// A peer that is authenticating.
#[derive(Debug)]
pub(super) struct Pending {
    /// The time at which the peer connected.
    pub(super) since: Instant,
    /// True if the local peer has completed.
    pub(super) local: bool,
    /// True if the remote peer has completed.
    pub(super) remote: bool,
    malformed: u64,
}

/// Maximum of counts that are restored, far from an overflow.
const COUNT_MAX: u64 = 1 << 48;

impl SessionPeers {
    /// Adds an admitted peer. `is_announced`: this peer and the earlier ones are announced to each
    /// other. `may_relay`: its packets are forwarded to others.
    pub(super) fn insert(&mut self, peer: PeerId, is_announced: bool, may_relay: bool) {
        self.last_order += 1;
        let admitted =
            AdmittedPeer { order: self.last_order, is_announced, may_relay, malformed: 0 };
        self.admitted.insert(peer, admitted);
    }

    /// Adds a pending peer.
    pub(super) fn insert_pending(&mut self, peer: PeerId, since: Instant) {
        let pending = Pending { since, local: false, remote: false, malformed: 0 };
        self.pending.insert(peer, pending);
    }

    pub(super) fn remove_pending(&mut self, peer: PeerId) -> bool {
        self.pending.shift_remove(&peer).is_some()
    }

    /// Removes a peer; returns whether it was pending, and whether it was admitted.
    pub(super) fn remove(&mut self, peer: PeerId) -> (bool, bool) {
        (self.remove_pending(peer), self.admitted.remove(&peer).is_some())
    }

    /// Returns the peers to which the local peer has announced `peer`, in the order of `routes`.
    /// Two peers are announced to each other when the later one is admitted.
    pub(super) fn notified_of(&self, peer: PeerId, routes: &Routes) -> Vec<PeerId> {
        let Some(of) = self.admitted.get(&peer) else { return Vec::new() };
        let is_informed = |other: &AdmittedPeer| match other.order.cmp(&of.order) {
            Ordering::Less => of.is_announced,
            Ordering::Equal => false,
            Ordering::Greater => other.is_announced,
        };
        routes.ids().filter(|id| self.admitted.get(id).is_some_and(is_informed)).collect()
    }

    /// Counts a malformed packet of a peer; returns the peer's count, or `None` for an unknown
    /// peer.
    pub(super) fn count_malformed(&mut self, peer: PeerId) -> Option<u64> {
        let admitted = self.admitted.get_mut(&peer).map(|admitted| &mut admitted.malformed);
        let pending = self.pending.get_mut(&peer).map(|pending| &mut pending.malformed);
        let malformed = admitted.or(pending)?;
        *malformed += 1;
        Some(*malformed)
    }

    /// Returns whether the packets of a peer are forwarded to others.
    pub(super) fn may_relay(&self, peer: PeerId) -> bool {
        self.admitted.get(&peer).is_none_or(|admitted| admitted.may_relay)
    }

    /// Returns the state of an admitted peer.
    pub(super) fn admitted(&self, peer: PeerId) -> Option<AdmittedPeer> {
        self.admitted.get(&peer).copied()
    }

    /// Adds an admitted peer with its state.
    pub(super) fn restore(&mut self, peer: PeerId, admitted: AdmittedPeer) {
        self.admitted.insert(peer, admitted);
    }

    /// Continues the order of admission after `last`. Returns false if that is not the order of the
    /// peers.
    pub(super) fn restore_order(&mut self, last: u64) -> bool {
        self.last_order = last;
        let counts = |it: &AdmittedPeer| it.order <= last && it.malformed <= COUNT_MAX;
        last <= COUNT_MAX && self.admitted.values().all(counts)
    }

    /// Returns the position of the last admitted peer in the order of admission.
    pub(super) fn last_order(&self) -> u64 {
        self.last_order
    }

    /// Returns whether a peer is admitted and its position is at most `order`.
    pub(super) fn is_admitted_by(&self, peer: PeerId, order: u64) -> bool {
        self.admitted.get(&peer).is_some_and(|admitted| admitted.order <= order)
    }

    /// Returns the number of malformed packets of an admitted peer.
    pub(super) fn malformed(&self, peer: PeerId) -> u64 {
        self.admitted.get(&peer).map_or(0, |admitted| admitted.malformed)
    }

    /// Sets the number of malformed packets of an admitted peer, which it sent to other branches.
    pub(super) fn set_malformed(&mut self, peer: PeerId, malformed: u64) {
        if let Some(admitted) = self.admitted.get_mut(&peer) {
            admitted.malformed = malformed;
        }
    }

    pub(super) fn pending_mut(&mut self, peer: PeerId) -> Option<&mut Pending> {
        self.pending.get_mut(&peer)
    }

    pub(super) fn pending(&self) -> impl ExactSizeIterator<Item = (PeerId, &Pending)> {
        self.pending.iter().map(|(&peer, pending)| (peer, pending))
    }
}
