//! Path ids announced to one peer, and their confirmations.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mp_core::{AnnouncedId, Instant};

use crate::limits::{PATH_REPEAT, PATH_REPEAT_MAX};
use crate::tree::NodeId;

/// Path ids announced to one peer.
///
/// Announcements and confirmations are reliable and ordered. So a peer that has confirmed a later
/// announcement lacks the node of an earlier unconfirmed one. A peer that confirms nothing may be
/// slow, or lack all nodes.
///
/// An unconfirmed id is announced again after [`PATH_REPEAT`] or two round trips, whichever is
/// longer. The time doubles at each repeat, up to [`PATH_REPEAT_MAX`]. It counts from the last
/// announcement of the id, or from the latest confirmation of an announcement before that one.
#[derive(Debug, Default)]
pub(super) struct AnnouncedPaths {
    announced: BTreeMap<u32, Announced>,
    /// Ids that the peer knows from earlier branches, or from an earlier visit to this one; true:
    /// it has confirmed the id.
    carried: BTreeMap<u32, bool>,
    /// Ids that were unconfirmed when their repeat was due.
    unconfirmed: BTreeSet<u32>,
    /// Order of the latest confirmed announcement.
    confirmed: u64,
    /// Time of the confirmation that last advanced `confirmed`.
    confirmed_at: Instant,
    /// Smoothed time from an announcement to its confirmation: increases at once, decreases slowly.
    round_trip: Duration,
}

/// An announced id.
#[derive(Clone, Copy, Debug)]
struct Announced {
    node: NodeId,
    is_confirmed: bool,
    is_repeated: bool,
    /// Sequence number of its last announcement.
    order: u64,
    /// Time of its last announcement.
    at: Instant,
    due: Instant,
    /// Minimum time until the next announcement.
    wait: Duration,
}

/// An id that is announced for the first time in this branch.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewAnnouncement {
    /// Time of the first repeat; `None` if the peer has confirmed the id before it moved to this
    /// branch.
    pub(super) due: Option<Instant>,
    /// True if the id was announced before the peer moved to this branch. A Godot peer logs an
    /// error if it receives the announcement twice.
    pub(super) is_known: bool,
}

/// A confirmed id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConfirmedPath {
    pub(crate) node: NodeId,
    /// The id was announced repeatedly because the peer lacked the node; earlier packets that
    /// contain the id may be lost.
    pub(crate) was_late: bool,
}

impl AnnouncedPaths {
    /// Records that `id` is announced at `now` with sequence number `order`. Returns `None` if the
    /// id was already announced in this branch.
    pub(super) fn announce(
        &mut self,
        now: Instant,
        order: u64,
        id: u32,
        node: NodeId,
    ) -> Option<NewAnnouncement> {
        let Entry::Vacant(entry) = self.announced.entry(id) else { return None };
        let carried = self.carried.remove(&id);
        let (is_confirmed, is_repeated) = (carried == Some(true), false);
        let (due, wait) = (now + PATH_REPEAT, PATH_REPEAT);
        entry.insert(Announced { node, is_confirmed, is_repeated, order, at: now, due, wait });
        Some(NewAnnouncement { due: (!is_confirmed).then_some(due), is_known: carried.is_some() })
    }

    /// Adds ids that were announced to the peer before its connection moved to this branch.
    pub(super) fn add_carried(&mut self, ids: &[AnnouncedId]) {
        self.carried.extend(ids.iter().map(|id| (id.id, id.is_confirmed)));
    }

    /// Returns all ids that were announced to the peer, in this branch and earlier ones.
    pub(super) fn carry(&self) -> impl Iterator<Item = AnnouncedId> {
        let carried = self.carried.iter().map(|(&id, &is_confirmed)| (id, is_confirmed));
        let announced = self.announced.iter().map(|(&id, path)| (id, path.is_confirmed));
        carried.chain(announced).map(|(id, is_confirmed)| AnnouncedId { id, is_confirmed })
    }

    /// Returns the number of ids of [`carry`](Self::carry).
    pub(super) fn carried_len(&self) -> usize {
        self.carried.len() + self.announced.len()
    }

    /// Records that `id` was announced again. Returns when the repeat was due, and when the next
    /// one is; `None` if the id is not announced, or is confirmed.
    pub(super) fn record_repeated(
        &mut self,
        now: Instant,
        order: u64,
        id: u32,
    ) -> Option<(Instant, Instant)> {
        let announced = self.announced.get_mut(&id).filter(|announced| !announced.is_confirmed)?;
        announced.is_repeated = true;
        (announced.order, announced.at) = (order, now);
        let before = std::mem::replace(&mut announced.due, now + announced.wait);
        Some((before, announced.due))
    }

    /// Reschedules an id whose repeat is due. Returns the time of the next repeat, and the node if
    /// the id is to be announced now; `None` if the id was discarded.
    pub(super) fn take_due(&mut self, now: Instant, id: u32) -> Option<(Option<NodeId>, Instant)> {
        let announced = self.announced.get_mut(&id)?;
        let is_under_way = announced.order > self.confirmed;
        let since = if is_under_way { announced.at.max(self.confirmed_at) } else { announced.at };
        let earliest = since + announced.wait.max((2 * self.round_trip).min(PATH_REPEAT_MAX));
        if earliest > now {
            announced.due = earliest;
            return Some((None, earliest));
        }
        self.unconfirmed.insert(id);
        announced.wait = (announced.wait * 2).min(PATH_REPEAT_MAX);
        announced.due = now + announced.wait;
        Some((Some(announced.node), announced.due))
    }

    /// Records a confirmation of `id`. Also returns when its repeat was due, if it was. Returns
    /// `None` if the id was not announced.
    pub(super) fn confirm(
        &mut self,
        now: Instant,
        id: u32,
    ) -> Option<(ConfirmedPath, Option<Instant>)> {
        let Some(announced) = self.announced.get_mut(&id) else {
            if let Some(is_confirmed) = self.carried.get_mut(&id) {
                *is_confirmed = true;
            }
            return None;
        };
        let node = announced.node;
        if std::mem::replace(&mut announced.is_confirmed, true) {
            return Some((ConfirmedPath { node, was_late: false }, None));
        }
        let Announced { is_repeated: was_late, order, at, due, .. } = *announced;
        self.unconfirmed.remove(&id);
        if order > self.confirmed {
            (self.confirmed, self.confirmed_at) = (order, now);
        }
        if !was_late {
            let time = now - at;
            self.round_trip = time.max((self.round_trip * 7 + time) / 8);
        }
        Some((ConfirmedPath { node, was_late }, Some(due)))
    }

    /// Returns whether `id` is confirmed.
    pub(super) fn is_confirmed(&self, id: u32) -> bool {
        match self.announced.get(&id) {
            Some(announced) => announced.is_confirmed,
            None => self.carried.get(&id) == Some(&true),
        }
    }

    /// Discards an id. Returns when its repeat was due; `None` if the id was confirmed or unknown.
    pub(super) fn remove(&mut self, id: u32) -> Option<Instant> {
        self.carried.remove(&id);
        let announced = self.announced.remove(&id)?;
        self.unconfirmed.remove(&id);
        (!announced.is_confirmed).then_some(announced.due)
    }

    /// Returns the unconfirmed ids, and when their repeats are due.
    pub(super) fn due(&self) -> impl Iterator<Item = (u32, Instant)> {
        let announced = self.announced.iter().filter(|(_, announced)| !announced.is_confirmed);
        announced.map(|(&id, announced)| (id, announced.due))
    }

    /// Returns the ids that are announced in this branch, and confirmed.
    pub(super) fn confirmed(&self) -> impl Iterator<Item = u32> {
        let announced = self.announced.iter().filter(|(_, announced)| announced.is_confirmed);
        announced.map(|(&id, _)| id)
    }

    /// Returns the ids that were unconfirmed when their repeat was due, and their nodes.
    pub(super) fn unconfirmed(&self) -> impl Iterator<Item = (u32, NodeId)> {
        self.unconfirmed.iter().filter_map(|&id| Some((id, self.announced.get(&id)?.node)))
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.announced.is_empty() && self.unconfirmed.is_empty()
    }
}
