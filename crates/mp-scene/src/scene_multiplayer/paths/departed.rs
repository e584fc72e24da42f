//! Names of nodes that have left the tree, so that a late call is not made on the next node of the
//! same name.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use mp_core::{Instant, PeerId};

use super::deferred::Awaited;
use crate::limits::{DEPARTED_MAX, DEPARTED_TIME};

/// Hashes of paths and net ids of nodes that have left the tree in this session.
///
/// Limits: [`DEPARTED_MAX`] and [`DEPARTED_TIME`]; the oldest entry is dropped first. A message for
/// a dropped entry is deferred like one for a node that was never there.
#[derive(Debug, Default)]
pub(crate) struct Departed {
    entries: HashMap<u64, Departure>,
    /// Hashes with the order of their departure, oldest first.
    queue: VecDeque<(u64, u64)>,
    last_order: u64,
    /// The last departure before each peer was admitted. A peer can only name nodes that left
    /// later.
    peers: BTreeMap<PeerId, u64>,
}

#[derive(Clone, Copy, Debug)]
struct Departure {
    order: u64,
    until: Instant,
}

impl Departed {
    /// Begins the session of a peer.
    pub(crate) fn add_peer(&mut self, peer: PeerId) {
        self.peers.insert(peer, self.last_order);
    }

    /// Ends the session of a peer. Without peers, nothing is stored.
    pub(crate) fn remove_peer(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
        if self.peers.is_empty() {
            *self = Self::default();
        }
    }

    /// Records that a node has left the tree.
    pub(crate) fn insert(&mut self, now: Instant, name: &Awaited) {
        if self.peers.is_empty() {
            return;
        }
        self.last_order += 1;
        let departure = Departure { order: self.last_order, until: now + DEPARTED_TIME };
        let hash = hash(name);
        self.entries.insert(hash, departure);
        self.queue.push_back((hash, departure.order));
        while let Some(&(oldest, order)) = self.queue.front() {
            let newest = self.entries.get(&oldest).filter(|entry| entry.order == order);
            if self.queue.len() <= DEPARTED_MAX && newest.is_some_and(|entry| now < entry.until) {
                break;
            }
            if newest.is_some() {
                self.entries.remove(&oldest);
            }
            self.queue.pop_front();
        }
    }

    /// Returns whether a node of this name has left since `sender` was admitted.
    pub(crate) fn contains(&self, now: Instant, sender: PeerId, name: &Awaited) -> bool {
        let (Some(admitted), Some(entry)) =
            (self.peers.get(&sender), self.entries.get(&hash(name)))
        else {
            return false;
        };
        entry.order > *admitted && now < entry.until
    }
}

fn hash(name: &Awaited) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_names_are_forgotten_first_and_all_of_them_with_the_last_session() {
        let (peer, now) = (PeerId::SERVER, Instant::ZERO);
        let name = |id| Awaited::Sync(peer, id);
        let mut departed = Departed::default();
        departed.insert(now, &name(0));
        assert!(departed.queue.is_empty(), "recorded a name without a peer that could use it");

        departed.add_peer(peer);
        let ids = 0..u32::try_from(DEPARTED_MAX).unwrap() + 10;
        for id in ids.clone().chain([20]) {
            departed.insert(now, &name(id));
        }
        assert_eq!(departed.queue.len(), DEPARTED_MAX);
        let forgotten: Vec<_> =
            ids.filter(|&id| !departed.contains(now, peer, &name(id))).collect();
        assert_eq!(forgotten, (0..11).collect::<Vec<_>>());

        let late = now + DEPARTED_TIME;
        assert!(!departed.contains(late, peer, &name(20)));
        departed.insert(late, &name(0));
        assert_eq!((departed.queue.len(), departed.entries.len()), (1, 1));
        departed.remove_peer(peer);
        assert!(departed.entries.is_empty());
    }
}
