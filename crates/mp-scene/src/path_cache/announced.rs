//! The numbers that the local peer has announced to one peer, and which of them that has confirmed.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mp_core::Instant;

use crate::limits::{PATH_REPEAT, PATH_REPEAT_MAX};
use crate::tree::NodeId;

/// Numbers that were announced to one peer.
///
/// Announcements and confirmations are reliable and keep their order. So a peer that has confirmed
/// a later announcement lacks the node of an earlier one; one that confirms nothing may be slow, or
/// lack them all.
///
/// A number that is not confirmed is due to be announced again after [`PATH_REPEAT`] or two round
/// trips, whichever is longer, and then after twice the time before, up to [`PATH_REPEAT_MAX`]. The
/// time counts from the last announcement of the number; while the peer confirms announcements
/// before that one, it counts from the latest of these confirmations.
#[derive(Debug, Default)]
pub(super) struct AnnouncedPaths {
    announced: BTreeMap<u32, Announced>,
    /// Numbers that the peer had not confirmed when they were due to be announced again.
    unconfirmed: BTreeSet<u32>,
    /// The latest announcement that the peer has confirmed.
    confirmed: u64,
    /// When the peer last confirmed an announcement that is later than all before.
    confirmed_at: Instant,
    /// Time from an announcement to its confirmation. It follows longer times at once, and shorter
    /// ones slowly.
    round_trip: Duration,
}

/// A number as it was announced to one peer.
#[derive(Clone, Copy, Debug)]
struct Announced {
    node: NodeId,
    is_confirmed: bool,
    is_repeated: bool,
    /// The place of its last announcement among all announcements.
    order: u64,
    /// When it was announced last.
    at: Instant,
    due: Instant,
    /// Least time until the next announcement.
    wait: Duration,
}

/// A number that a peer has confirmed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConfirmedPath {
    pub(crate) node: NodeId,
    /// The peer lacked the node when the number was announced first, and what was sent by it may be
    /// lost.
    pub(crate) was_late: bool,
}

impl AnnouncedPaths {
    /// Announces `id` at `now`, as announcement number `order`. Returns when it is due again;
    /// `None` when it was announced before.
    pub(super) fn announce(
        &mut self,
        now: Instant,
        order: u64,
        id: u32,
        node: NodeId,
    ) -> Option<Instant> {
        let Entry::Vacant(entry) = self.announced.entry(id) else { return None };
        let (is_confirmed, is_repeated) = (false, false);
        let (due, wait) = (now + PATH_REPEAT, PATH_REPEAT);
        entry.insert(Announced { node, is_confirmed, is_repeated, order, at: now, due, wait });
        Some(due)
    }

    /// Notes that `id` was announced again. Returns when it was due and when it is due now; `None`
    /// when it was never announced, or is confirmed.
    pub(super) fn note_repeated(
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

    /// Puts off a number that is due. Returns when it is due again, and its node if the number is
    /// to be announced now; `None` when it was forgotten.
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

    /// Notes that the peer has confirmed `id`; `None` when it was never announced. Also returns
    /// when it was due to be announced again, if it was.
    pub(super) fn confirm(
        &mut self,
        now: Instant,
        id: u32,
    ) -> Option<(ConfirmedPath, Option<Instant>)> {
        let announced = self.announced.get_mut(&id)?;
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

    /// Returns whether the peer has confirmed `id`.
    pub(super) fn is_confirmed(&self, id: u32) -> bool {
        self.announced.get(&id).is_some_and(|announced| announced.is_confirmed)
    }

    /// Forgets a number. Returns when it was due to be announced again; `None` when it was not.
    pub(super) fn remove(&mut self, id: u32) -> Option<Instant> {
        let announced = self.announced.remove(&id)?;
        self.unconfirmed.remove(&id);
        (!announced.is_confirmed).then_some(announced.due)
    }

    /// Returns the numbers that are not confirmed, and when they are due to be announced again.
    pub(super) fn due(&self) -> impl Iterator<Item = (u32, Instant)> {
        let announced = self.announced.iter().filter(|(_, announced)| !announced.is_confirmed);
        announced.map(|(&id, announced)| (id, announced.due))
    }

    /// Returns the numbers that the peer had not confirmed when they were due to be announced
    /// again, and their nodes.
    pub(super) fn unconfirmed(&self) -> impl Iterator<Item = (u32, NodeId)> {
        self.unconfirmed.iter().filter_map(|&id| Some((id, self.announced.get(&id)?.node)))
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.announced.is_empty() && self.unconfirmed.is_empty()
    }
}
